import fc from "fast-check";
import { expect, test } from "vitest";
import { BLOCK, BlockMap } from "../../../src/hypervisor/memory/storage/block-map.ts";
import { StorageBudget } from "../../../src/hypervisor/memory/storage/storage-budget.ts";

const BLOCKS = 5;
const SIZE = BLOCKS * BLOCK;

const stretch = fc
  .tuple(fc.integer({ min: 0, max: SIZE }), fc.integer({ min: 0, max: 2 * BLOCK }))
  .map(([start, length]) => ({ start, end: Math.min(start + length, SIZE) }));
const changes = fc.array(fc.record({ write: fc.boolean(), at: stretch, value: fc.integer({ min: 1, max: 255 }) }), {
  maxLength: 8,
});

test("it reads as a plain array of bytes would, and its extents are whole, in order and true", () => {
  fc.assert(
    fc.property(changes, stretch, (all, { start, end }) => {
      const budget = new StorageBudget(SIZE);
      const map = new BlockMap(budget);
      const plain = new Uint8Array(SIZE);
      for (const { write, at, value } of all) {
        const data = new Uint8Array(at.end - at.start).fill(value);
        if (write) map.write(at.start, data);
        else map.punch(at.start, at.end);
        plain.fill(write ? value : 0, at.start, at.end);
      }
      const read = new Uint8Array(end - start).fill(77);
      map.read(start, read);
      expect(Buffer.compare(read, plain.subarray(start, end))).toBe(0);
      let bytes = 0;
      for (let at = 0; at < SIZE; ) {
        const extent = map.extentAt(at, SIZE);
        expect(extent.start).toBe(at);
        expect(extent.end).toBeGreaterThan(at);
        if (extent.hole) expect(plain.subarray(at, extent.end).every((byte) => byte === 0)).toBe(true);
        else bytes += extent.end - at;
        at = extent.end;
      }
      expect(map.bytes).toBe(bytes);
      expect(budget.used).toBe(bytes);
      map.clear();
      expect(budget.used).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test("a write that the budget has no room for leaves what came before it", () => {
  const map = new BlockMap(new StorageBudget(BLOCK));
  expect(() => map.write(0, new Uint8Array(BLOCK + 1).fill(3))).toThrow("No space left on device");
  const read = new Uint8Array(BLOCK + 1);
  map.read(0, read);
  expect(read.indexOf(0)).toBe(BLOCK);
  map.write(10, Uint8Array.of(4)); // takes no more
});

test("a hole of any size is one extent", () => {
  const map = new BlockMap(new StorageBudget(2 * BLOCK));
  const far = 2 ** 50;
  map.write(far, Uint8Array.of(1));
  expect(map.extentAt(0, Number.MAX_SAFE_INTEGER)).toEqual({ hole: true, start: 0, end: far });
  expect(map.extentAt(far, Number.MAX_SAFE_INTEGER)).toEqual({ hole: false, start: far, end: far + BLOCK });
});
