import { deepStrictEqual } from "node:assert/strict";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { decodeNonnullDomain, type NonnullDomain } from "../../src/generated/remote/types.ts";
import { XdrReader } from "../../src/xdr/index.ts";
import { counted, joined, word } from "./plain.ts";

test("what is decoded cannot be told from a literal", () => {
  const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
  const literal: NonnullDomain = { name: "one", uuid, id: -1 };
  const decoded = decodeNonnullDomain(new XdrReader(joined(counted("one"), uuid, word(-1))));
  deepStrictEqual(decoded, literal);
  expect(decoded).toStrictEqual(literal);
  expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  expect(decoded.constructor).toBe(Object);
  expect(Object.keys(decoded)).toEqual(["name", "uuid", "id"]);
  expect(inspect(decoded)).toBe(inspect(literal));
  expect(structuredClone(decoded)).toStrictEqual(literal);
});
