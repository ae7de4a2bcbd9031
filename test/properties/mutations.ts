import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { facts, protocolNames, protocols } from "../xdr/facts.ts";
import { counted, hex, joined, word } from "../xdr/plain.ts";
import { typeNamed } from "../xdr/registry.ts";
import { judge } from "./judge.ts";
import { counts, randomNumbers, runs, seed, timeout } from "./settings.ts";
import { slowRead } from "./slow-reader.ts";
import { anyOf } from "./values.ts";

interface Vector {
  type: string;
  hex: string;
}
const vectors = facts<Vector[]>("vectors").map(({ type, hex: digits }) => ({ type, bytes: hex(digits) }));

/** Up to here every bit is flipped; beyond, half as many as these bytes have, chosen at random, and more in a longer run. */
const SMALL = 64;

type Random = (below: number) => number;

/** Every shorter beginning, or of a long one those that end within `dense` bytes of either end and as many between. */
function truncations(name: string, bytes: Uint8Array, dense: number): void {
  const step = Math.max(1, Math.floor(bytes.length / dense));
  for (let to = 0; to < bytes.length; to += to < dense || to >= bytes.length - dense ? 1 : step) {
    const error = judge(name, bytes.subarray(0, to));
    expect(error?.code, `${name} cut at ${to}`).toBe("short");
    counts.truncations++;
  }
}

function flips(name: string, bytes: Uint8Array, most: number, random: Random): void {
  const bits = bytes.length * 8;
  const flipped = Uint8Array.from(bytes);
  for (let n = 0; n < Math.min(bits, most); n++) {
    const bit = bits <= most ? n : random(bits);
    const byte = bit >> 3;
    flipped[byte] = (bytes[byte] as number) ^ (1 << (bit & 7));
    judge(name, flipped);
    flipped[byte] = bytes[byte] as number;
    counts.flips++;
  }
}

/** Another word where a word decides how the rest is read. */
function hostileWords(name: string, bytes: Uint8Array, random: Random): void {
  const { marks } = slowRead(name, bytes, true);
  for (const [i, { role, offset, max }] of marks.entries()) {
    if (marks.length > 12 && random(marks.length) > 12 && i > 0) continue;
    const left = bytes.length - offset - 4;
    const words = [0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x01000000].concat(
      role === "length" ? [max, max + 1, left >> 2, (left >> 2) + 1, left, left + 1] : [],
    );
    const changed = Uint8Array.from(bytes);
    for (const value of words) {
      changed.set(word(value), offset);
      judge(name, changed);
      counts.hostileWords++;
    }
  }
}

export function describeMutations(): void {
  describe("bytes that went wrong are a value or an XdrError, as the slow reader says", () => {
    test("vectors of C, cut at every byte", { timeout }, () => {
      for (const { type, bytes } of vectors) truncations(type, bytes, bytes.length);
    });

    test("vectors of C, with one bit flipped", { timeout }, () => {
      const random = randomNumbers("vectors");
      for (const { type, bytes } of vectors) {
        flips(type, bytes, bytes.length <= SMALL ? bytes.length * 8 : 4 * SMALL * runs, random);
      }
    });

    test("vectors of C, with other lengths, presence words and discriminants", { timeout }, () => {
      const random = randomNumbers("words");
      for (const { type, bytes } of vectors) hostileWords(type, bytes, random);
    });

    test.each(protocolNames)("%s: generated values, cut, flipped and with other words", { timeout }, (protocol) => {
      const { definitions } = protocols[protocol];
      const numRuns = runs * Math.max(1, Math.ceil(20 / definitions.length));
      const random = randomNumbers(protocol);
      for (const { name } of definitions) {
        for (const value of fc.sample(anyOf(name), { numRuns, seed: seed ^ 0x5eed })) {
          const bytes = typeNamed(name).encode(value);
          if (bytes.length > (runs === 1 ? 1024 : 4096)) continue;
          truncations(name, bytes, runs === 1 ? 16 : 128);
          flips(name, bytes, runs === 1 ? 20 : 128, random);
          hostileWords(name, bytes, random);
        }
      }
    });

    test("any bytes at all, and any words", { timeout }, () => {
      const names = protocolNames.flatMap((protocol) => protocols[protocol].definitions.map((d) => d.name));
      const words = fc
        .array(fc.oneof(fc.nat({ max: 8 }), fc.integer({ min: 0, max: 0xffffffff })), { maxLength: 24 })
        .map((list) => joined(...list.map(word)));
      fc.assert(
        fc.property(fc.constantFrom(...names), fc.oneof(words, fc.uint8Array({ maxLength: 96 })), (name, bytes) => {
          judge(name, Uint8Array.from(bytes));
          counts.byteStrings++;
        }),
        { numRuns: 5000 * runs, seed },
      );
    });

    test("text of bytes that are nearly UTF-8, at every place of short and long text", { timeout }, () => {
      const sequences = [
        "80 | bf | c0 | c1 | c2 | df | e0 | ed | ef | f0 | f4 | f5 | f8 | fc | fe | ff", // alone
        "c080 | c1bf | c27f | c280 | c2c0 | dfbf | dfc0", // two bytes: overlong, ended too early
        "e08080 | e09fbf | e0a080 | ed9fbf | eda080 | edbfbf | ee8080 | efbbbf | efbfbf | e282 | e28241", // surrogates
        "f0808080 | f08fbfbf | f0908080 | f48fbfbf | f4908080 | f5808080 | f0908041 | f09080 | eda0bdedb880", // too high
        "00 | 0080 | 00ff | 4100", // what stands behind a zero byte is not looked at
      ].flatMap((line) => line.split(" | ").map(hex));
      for (const length of [1, 4, 12, 20, 23, 24, 25, 26, 40]) {
        for (const sequence of sequences) {
          for (let at = 0; at + sequence.length <= length; at++) {
            const bytes = new Uint8Array(length).fill(0x61);
            bytes.set(sequence, at);
            judge("remote_nonnull_string", counted(bytes));
            // A name comes again and again: a reader may know it from the last time, in other surroundings.
            if (at < 2) judge("remote_typed_param", joined(counted(bytes), word(1), word(at)));
            counts.byteStrings++;
          }
        }
      }
    });
  });
}
