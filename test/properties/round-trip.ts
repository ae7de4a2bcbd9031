import { deepStrictEqual } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainNamed, protocolNames, protocols } from "../xdr/facts.ts";
import { toHex } from "../xdr/plain.ts";
import { registry, typeNamed } from "../xdr/registry.ts";
import { counts, runs, seed, timeout } from "./settings.ts";
import { slowRead } from "./slow-reader.ts";
import { anyOf, oddCharacters, oddText } from "./values.ts";

/** What holds for every value of every type. */
function roundTrip(name: string, value: unknown): void {
  const type = typeNamed(name);
  const bytes = type.encode(value);
  const plain = plainNamed(name, value);
  if (Buffer.compare(bytes, plain) !== 0)
    expect(toHex(bytes), `${name}: encoded as the plain writer does`).toBe(toHex(plain));

  // From the middle of a larger buffer, at an odd address, which then is used for something else.
  const around = new Uint8Array(bytes.length + 12).fill(0xa5);
  around.set(bytes, 5);
  const strict = type.decode(around.subarray(5, 5 + bytes.length), { strict: true });
  const lenient = type.decode(around.subarray(5), { strict: false });
  around.fill(0x5a);
  same(strict, value, `${name}: decoded strictly`);
  same(lenient, value, `${name}: decoded with bytes behind it`);

  const slow = slowRead(name, bytes, true);
  same(slow.value, value, `${name}: read by the slow reader`);
  expect(slow.used, `${name}: the slow reader uses all`).toBe(bytes.length);
  if (Buffer.compare(type.encode(strict), bytes) !== 0)
    throw new Error(`${name}: encodes to other bytes the second time`);
  counts.values++;
}

function same(actual: unknown, expected: unknown, about: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    throw new Error(about, { cause: error });
  }
}

export function describeRoundTrip(): void {
  describe("values within the limits", () => {
    test("the generated registry and the facts have the same types", () => {
      const names = protocolNames.flatMap((protocol) => protocols[protocol].definitions.map((d) => d.name));
      expect([...registry.keys()].sort()).toEqual([...names].sort());
    });

    test.each(protocolNames)("%s: bytes as the plain writer's, and back", { timeout }, (protocol) => {
      const { definitions } = protocols[protocol];
      // A handful of types get as many values as hundreds of them together.
      const numRuns = runs * Math.max(8, Math.ceil(200 / definitions.length));
      for (const { name } of definitions) {
        fc.assert(
          fc.property(anyOf(name), (value) => roundTrip(name, value)),
          { numRuns, seed },
        );
        counts.types.add(name);
      }
    });

    test("text: every length up to 34 with every odd character at every place", () => {
      for (let units = 0; units <= 34; units++) {
        roundTrip("remote_nonnull_string", oddText(units, 0, units === 0 ? "" : "a"));
        for (let at = 0; at < units; at++) {
          for (const character of oddCharacters) {
            const text = oddText(units, at, character);
            roundTrip("remote_nonnull_string", text);
            if (at % 11 === 0) roundTrip("remote_typed_param", { field: text, value: { type: 7, value: text } });
          }
        }
      }
    });

    test("undefined counts as null where a value may be absent", () => {
      expect(toHex(typeNamed("remote_string").encode(undefined))).toBe("00000000");
    });
  });
}
