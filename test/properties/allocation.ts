import { getHeapStatistics } from "node:v8";
import { describe, expect, test } from "vitest";
import { XdrError } from "../../src/xdr/index.ts";
import { camelCase, protocolNames, protocols } from "../xdr/facts.ts";
import { word } from "../xdr/plain.ts";
import { registry, typeNamed } from "../xdr/registry.ts";
import { footprint, mostFor } from "./footprint.ts";
import { fullNamed } from "./outside.ts";
import { counts, timeout } from "./settings.ts";
import { slowRead } from "./slow-reader.ts";
import { leastValue } from "./values.ts";

/** What the machine allocates on the side, compiling for example. Far less than any limit worth the attack. */
const NOISE = 64 * 1024;

/** Bytes that a call took from the heap and outside it. A collection in between makes it less, machinery more: the middle of five. */
function allocated(run: () => unknown): number {
  const taken: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = getHeapStatistics();
    run();
    const after = getHeapStatistics();
    taken.push(after.used_heap_size + after.external_memory - before.used_heap_size - before.external_memory);
  }
  return taken.sort((a, b) => a - b)[2] as number;
}

function tryDecode(name: string, frame: Uint8Array): void {
  try {
    typeNamed(name).decode(frame);
  } catch (error) {
    if (!(error instanceof XdrError)) throw error;
  }
}

/**
 * For every list of 1024 or more: a frame of up to 16 KiB with as many of the smallest items as it holds. And lists of short
 * text, which engines keep in pieces where it was put together from pieces.
 */
function* denseFrames(): Generator<{ about: string; name: string; bytes: Uint8Array }> {
  const names = "remote_connect_list_networks_ret";
  for (const units of [1, 4, 12, 13, 24, 25]) {
    const list = new Array<string>(Math.floor(16384 / (4 + units))).fill("a".repeat(units));
    yield { about: `names of ${units} letters`, name: names, bytes: typeNamed(names).encode({ names: list }) };
  }
  for (const protocol of protocolNames) {
    for (const d of protocols[protocol].definitions) {
      if (d.kind !== "struct") continue;
      for (const { name: field, type } of d.fields) {
        if (type.kind !== "array" || type.element.kind === "char" || (type.maxValue ?? 0) < 1024) continue;
        const item = leastValue(type.element);
        const of = (count: number): Uint8Array => {
          const rest = leastValue({ kind: "ref", name: d.name }) as object;
          return typeNamed(d.name).encode({ ...rest, [camelCase(field)]: new Array<unknown>(count).fill(item) });
        };
        const each = of(2).length - of(1).length;
        const bytes = of(Math.min(type.maxValue ?? 0, Math.floor(16384 / each)));
        yield { about: `${d.name}.${field}, ${each} bytes each`, name: d.name, bytes };
      }
    }
  }
}

export function describeAllocation(): void {
  describe("memory", () => {
    test("the measure sees what it should see", () => {
      const kept: unknown[] = [];
      expect(allocated(() => kept.push(new Array<number>(16384).fill(1)))).toBeGreaterThan(NOISE);
      expect(allocated(() => kept.push(new Uint8Array(1 << 20)))).toBeGreaterThan(NOISE);
      expect(allocated(() => kept.push({}))).toBeLessThan(NOISE);
    });

    test("a length that the frame does not hold costs nothing, in any field of any type", { timeout }, () => {
      for (const [name, type] of registry) {
        const bytes = type.encode(fullNamed(name));
        for (const { role, offset, path, max } of slowRead(name, bytes, true).marks) {
          if (role !== "length" || max * 8 <= NOISE) continue;
          for (const length of [max, 0xffffffff]) {
            const frame = Uint8Array.from(bytes);
            frame.set(word(length), offset);
            const taken = allocated(() => tryDecode(name, frame));
            expect(taken, `${name}, ${path}: length ${length}`).toBeLessThan(4 * frame.length + NOISE);
            counts.hostileWords++;
          }
        }
      }
    });

    test("frames full of the smallest items, whole and without their last byte", { timeout }, () => {
      for (const { about, name, bytes } of denseFrames()) {
        const value = typeNamed(name).decode(bytes, { strict: true });
        expect(footprint(value), about).toBeLessThanOrEqual(mostFor(bytes.length));
        // What an engine needs beyond the content: headers of objects, of typed arrays, of pieces of text. Not less than
        // an object for each item, so this bound is against growth without relation to the frame and nothing finer.
        for (const frame of [bytes, bytes.subarray(0, -1)]) {
          const taken = allocated(() => tryDecode(name, frame));
          expect(taken, about).toBeLessThan(64 * frame.length + NOISE);
          counts.mostAllocatedPerByte = Math.max(counts.mostAllocatedPerByte, Math.round(taken / frame.length));
        }
      }
    });
  });
}
