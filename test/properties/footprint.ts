/**
 * How much memory a decoded value holds, told by its content and not by one engine's headers: 8 bytes for each place in
 * an object or array, which is where numbers and references live, 8 for a 64-bit integer, 2 for a UTF-16 unit, 1 for a byte.
 */
export function footprint(value: unknown): number {
  switch (typeof value) {
    case "bigint":
      return 8;
    case "string":
      return value.length * 2;
    case "object": {
      if (value === null) return 0;
      if (value instanceof Uint8Array) {
        // A view into something larger would keep all of that alive.
        return value.buffer.byteLength;
      }
      let size = 0;
      for (const item of Array.isArray(value) ? value : Object.values(value)) size += 8 + footprint(item);
      return size;
    }
    default:
      return 0;
  }
}

/** The bound: 4 times the frame's size, beyond a small constant for the outermost object. */
export function mostFor(frame: number): number {
  return 4 * frame + 256;
}
