/** Arbitrary values of every type of the facts, leaning towards the edges where codecs go wrong. */
import fc from "fast-check";
import { camelCase, definition, type FactType } from "../xdr/facts.ts";

/** The lengths around which a codec may change its way of handling text, multiples of four, and the limits of one byte's count. */
const lengths = [0, 1, 2, 3, 4, 5, 7, 8, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 63, 64, 65, 127, 128, 129];

/** The first and last character of each UTF-8 length, a byte order mark, and what is no character but well-formed. */
export const oddCharacters = [
  "\x01",
  "\x7f",
  "\x80",
  "é",
  "\u07ff",
  "\u0800",
  "€",
  "\ud7ff",
  "\ue000",
  "\ufeff",
].concat(["\uffff", "\u{10000}", "😀", "\u{10ffff}"]);

/** `units` letters, with another character in place of the one at `at`. */
export function oddText(units: number, at: number, character: string): string {
  const letters = "abcdefghijklmnopqrstuvwxyz".repeat(8).slice(0, units);
  return letters.slice(0, at) + character + letters.slice(at + 1);
}

const ascii = fc.constantFrom(...lengths).map((units) => oddText(units, 0, units === 0 ? "" : "a"));
const almostAscii = fc
  .tuple(fc.constantFrom(...lengths.slice(1)), fc.nat(), fc.constantFrom(...oddCharacters))
  .map(([units, at, character]) => oddText(units, at % units, character));
const anyCharacters = fc.string({ unit: "binary", maxLength: 40 }).map((s) => s.replaceAll("\0", "0"));

function text(max: number): fc.Arbitrary<string> {
  return fc.oneof(ascii, almostAscii, anyCharacters).filter((s) => Buffer.byteLength(s) <= max);
}

function integer(min: number, max: number): fc.Arbitrary<number> {
  const edges = [min, min + 1, -1, 0, 1, 127, 128, 255, 256, max - 1, max].filter((n) => n >= min && n <= max);
  return fc.oneof(fc.constantFrom(...edges), fc.integer({ min, max }));
}

function bigInteger(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  const edges = [
    min,
    min + 1n,
    -(2n ** 53n),
    -(2n ** 32n),
    -(2n ** 31n) - 1n,
    -1n,
    0n,
    1n,
    2n ** 31n,
    2n ** 32n - 1n,
  ].concat([2n ** 32n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, max - 1n, max]);
  return fc.oneof(fc.constantFrom(...edges.filter((n) => n >= min && n <= max)), fc.bigInt({ min, max }));
}

const double = fc.oneof(
  fc.constantFrom(
    Number.NaN,
    0,
    -0,
    Infinity,
    -Infinity,
    Number.MIN_VALUE,
    -Number.MIN_VALUE,
    Number.MAX_VALUE,
    2 ** -1022,
  ),
  fc.double(),
);

const someBytes = (length: fc.Arbitrary<number>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(length, fc.nat({ max: 255 }), fc.nat({ max: 255 }))
    .map(([size, first, step]) => Uint8Array.from({ length: size }, (_, i) => (first + i * step) & 255));

/** Mostly short; now and then at the limit, where that is no more than `affordable`. */
function length(exactly: number | undefined, max: number, short: number, affordable: number): fc.Arbitrary<number> {
  if (exactly !== undefined) return fc.constant(exactly);
  const few = { weight: 9, arbitrary: fc.nat({ max: Math.min(max, short) }) };
  return max <= affordable ? fc.oneof(few, { weight: 1, arbitrary: fc.constant(max) }) : few.arbitrary;
}

/** @param depth how many lists lie around it: only the outermost grows to its limit */
function ofType(type: FactType, depth: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "int":
      return integer(-(2 ** 31), 2 ** 31 - 1);
    case "uint":
      return integer(0, 2 ** 32 - 1);
    case "char":
      return integer(-128, 127);
    case "uchar":
      return integer(0, 255);
    case "ushort":
      return integer(0, 65535);
    case "hyper":
      return bigInteger(-(2n ** 63n), 2n ** 63n - 1n);
    case "uhyper":
      return bigInteger(0n, 2n ** 64n - 1n);
    case "double":
      return double;
    case "string":
      return text(type.maxValue);
    case "opaque":
      return someBytes(length(type.lenValue, type.maxValue ?? 0, 33, depth === 0 ? 4096 : 0));
    case "array": {
      if (type.element.kind === "char")
        return someBytes(length(type.lenValue, type.maxValue ?? 0, 33, depth === 0 ? 4097 : 0));
      const element = ofType(type.element, depth + 1);
      const several = fc.array(element, {
        minLength: type.lenValue ?? 0,
        maxLength: type.lenValue ?? Math.min(type.maxValue ?? 0, 3),
      });
      if (depth > 0 || type.maxValue === undefined || type.maxValue > 64) return several;
      const full = new Array<null>(type.maxValue).fill(null);
      return fc.oneof(
        { weight: 9, arbitrary: several },
        { weight: 1, arbitrary: element.map((item) => full.map(() => item)) },
      );
    }
    case "optional":
      return fc.option(ofType(type.element, depth), { freq: 2 });
    case "ref":
      return anyOf(type.name, depth);
  }
}

const known = new Map<string, fc.Arbitrary<unknown>>();

/** Values within the limits of a type, by its name in the facts. */
export function anyOf(name: string, depth = 0): fc.Arbitrary<unknown> {
  const key = `${name} ${depth}`;
  const found = known.get(key) ?? ofDefinition(name, depth);
  known.set(key, found);
  return found;
}

function ofDefinition(name: string, depth: number): fc.Arbitrary<unknown> {
  const d = definition(name);
  switch (d.kind) {
    case "typedef":
      return ofType(d.type, depth);
    case "enum":
      return fc.constantFrom(...d.values.map((member) => member.value));
    case "struct":
      return fc.record(Object.fromEntries(d.fields.map((f) => [camelCase(f.name), ofType(f.type, depth)])), {
        noNullPrototype: true,
      });
    case "union": {
      const tag = camelCase(d.discriminant.name);
      const arms = d.cases.map(({ value, field }) =>
        fc.record(
          { [tag]: fc.constant(value), ...(field === null ? {} : { value: ofType(field.type, depth) }) },
          { noNullPrototype: true },
        ),
      );
      return fc.oneof(...arms);
    }
  }
}

/** The value that takes the fewest bytes on the wire. */
export function leastValue(type: FactType): unknown {
  switch (type.kind) {
    case "int":
    case "uint":
    case "char":
    case "uchar":
    case "ushort":
    case "double":
      return 0;
    case "hyper":
    case "uhyper":
      return 0n;
    case "string":
      return "";
    case "opaque":
      return new Uint8Array(type.lenValue ?? 0);
    case "array": {
      const count = type.lenValue ?? 0;
      return type.element.kind === "char"
        ? new Uint8Array(count)
        : Array.from({ length: count }, () => leastValue(type.element));
    }
    case "optional":
      return null;
    case "ref": {
      const d = definition(type.name);
      if (d.kind === "typedef") return leastValue(d.type);
      if (d.kind === "enum") return d.values[0]?.value;
      if (d.kind === "struct") return Object.fromEntries(d.fields.map((f) => [camelCase(f.name), leastValue(f.type)]));
      const [first] = d.cases as [(typeof d.cases)[number]];
      return {
        [camelCase(d.discriminant.name)]: first.value,
        ...(first.field && { value: leastValue(first.field.type) }),
      };
    }
  }
}
