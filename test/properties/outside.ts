/**
 * Values just at and just outside the limits of a type, one place at a time: each says where the error has to be.
 */
import type { XdrErrorCode } from "../../src/xdr/index.ts";
import { camelCase, definition, type FactType } from "../xdr/facts.ts";

/** A value with one place changed. */
export interface Changed {
  value: unknown;
  path: string;
  /** What is wrong there; undefined where nothing is. */
  code: XdrErrorCode | undefined;
  about: string;
  /** About as many bytes on the wire as the change makes. */
  weight: number;
}

/** Fits the type and fills every place once: options there, lists of one, the first arm of a union. */
export function fullValue(type: FactType): unknown {
  switch (type.kind) {
    case "int":
    case "uint":
    case "char":
    case "uchar":
    case "ushort":
    case "double":
      return 1;
    case "hyper":
    case "uhyper":
      return 1n;
    case "string":
      return "a";
    case "opaque":
      return new Uint8Array(type.lenValue ?? 1);
    case "array":
      if (type.element.kind === "char") return new Uint8Array(type.lenValue ?? 1);
      return Array.from({ length: type.lenValue ?? 1 }, () => fullValue(type.element));
    case "optional":
      return fullValue(type.element);
    case "ref":
      return fullNamed(type.name);
  }
}

export function fullNamed(name: string, arm = 0): unknown {
  const d = definition(name);
  switch (d.kind) {
    case "typedef":
      return fullValue(d.type);
    case "enum":
      return d.values[0]?.value;
    case "struct":
      return Object.fromEntries(d.fields.map((f) => [camelCase(f.name), fullValue(f.type)]));
    case "union": {
      const chosen = d.cases[arm] as (typeof d.cases)[number];
      const tag = camelCase(d.discriminant.name);
      return { [tag]: chosen.value, ...(chosen.field === null ? {} : { value: fullValue(chosen.field.type) }) };
    }
  }
}

type Change = Omit<Changed, "path">;
const wrong = (code: XdrErrorCode, about: string, value: unknown, weight = 0): Change => ({
  code,
  about,
  value,
  weight,
});
const right = (about: string, value: unknown, weight: number): Change => ({ code: undefined, about, value, weight });

/** Long values are made once: hundreds of fields have the same limit. */
const made = new Map<string, unknown>();
function once<T>(key: string, make: () => T): T {
  const value = (made.get(key) as T | undefined) ?? make();
  made.set(key, value);
  return value;
}
const letters = (size: number): string => once(`letters ${size}`, () => "a".repeat(size));
const zeros = (size: number): Uint8Array => once(`zeros ${size}`, () => new Uint8Array(size));
/** That many bytes of UTF-8, a third as many units and one or two letters. */
const euros = (size: number): string =>
  once(`euros ${size}`, () => "€".repeat(Math.floor(size / 3)) + "a".repeat(size % 3));

function integers(min: number, max: number): Change[] {
  return [
    right("least", min, 4),
    right("most", max, 4),
    wrong("range", "below", min - 1),
    wrong("range", "above", max + 1),
    wrong("range", "fraction", 0.5),
    wrong("range", "NaN", Number.NaN),
    wrong("range", "infinite", Infinity),
    wrong("type", "bigint", 1n),
    wrong("type", "string", "1"),
    wrong("type", "absent", undefined),
    wrong("type", "null", null),
    wrong("type", "boolean", true),
  ];
}

function bigIntegers(min: bigint, max: bigint): Change[] {
  return [
    right("least", min, 8),
    right("most", max, 8),
    wrong("range", "below", min - 1n),
    wrong("range", "above", max + 1n),
    wrong("range", "far above", 2n ** 200n),
    wrong("type", "number", 1),
    wrong("type", "absent", undefined),
    wrong("type", "null", null),
    wrong("type", "string", "1"),
  ];
}

function byteStrings(exactly: number | undefined, max: number, width: number): Change[] {
  const others = [
    wrong("type", "array", [1]),
    wrong("type", "string", "a"),
    wrong("type", "absent", undefined),
    wrong("type", "null", null),
    wrong("type", "words", new Uint16Array(1)),
    wrong("type", "buffer", new ArrayBuffer(1)),
  ];
  if (exactly !== undefined) {
    return [...others, wrong("limit", "too few", zeros(exactly - 1)), wrong("limit", "too many", zeros(exactly + 1))];
  }
  return [
    ...others,
    right("none", zeros(0), 4),
    right("at the limit", zeros(max), max * width),
    wrong("limit", "above the limit", zeros(max + 1)),
  ];
}

/** What can be wrong with a value itself. */
function changes(type: FactType): Change[] {
  switch (type.kind) {
    case "int":
      return integers(-(2 ** 31), 2 ** 31 - 1);
    case "uint":
      return integers(0, 2 ** 32 - 1);
    case "char":
      return integers(-128, 127);
    case "uchar":
      return integers(0, 255);
    case "ushort":
      return integers(0, 65535);
    case "hyper":
      return bigIntegers(-(2n ** 63n), 2n ** 63n - 1n);
    case "uhyper":
      return bigIntegers(0n, 2n ** 64n - 1n);
    case "double":
      return [wrong("type", "string", "1"), wrong("type", "bigint", 1n), wrong("type", "absent", undefined)];
    case "string":
      return [
        right("empty", "", 4),
        right("at the limit", letters(type.maxValue), type.maxValue),
        right("at the limit, three bytes each", euros(type.maxValue), type.maxValue),
        wrong("limit", "above the limit", letters(type.maxValue + 1)),
        wrong("limit", "above the limit, three bytes each", euros(type.maxValue + 1), type.maxValue),
        wrong("nul", "zero character, short", "a\0b"),
        wrong("nul", "zero character, long", `${letters(30)}\0`),
        wrong("utf8", "lone high surrogate", "a\ud800"),
        wrong("utf8", "lone low surrogate, long", `${letters(30)}\udc00b`),
        wrong("utf8", "surrogates the wrong way round", "\udc00\ud800"),
        wrong("type", "number", 1),
        wrong("type", "absent", undefined),
        wrong("type", "null", null),
        wrong("type", "string object", Object("a")),
      ].filter(({ code }) => code === undefined || type.maxValue > 40 || code === "limit");
    case "opaque":
      return byteStrings(type.lenValue, type.maxValue ?? 0, 1);
    case "array": {
      if (type.element.kind === "char") return byteStrings(type.lenValue, type.maxValue ?? 0, 4);
      const item = fullValue(type.element);
      const many = (count: number): unknown[] => new Array<unknown>(count).fill(item);
      const others = [
        wrong("type", "absent", undefined),
        wrong("type", "null", null),
        wrong("type", "object", { length: 0 }),
        wrong("type", "bytes", zeros(1)),
      ];
      if (type.lenValue !== undefined) {
        return [
          ...others,
          wrong("limit", "too few", many(type.lenValue - 1)),
          wrong("limit", "too many", many(type.lenValue + 1)),
        ];
      }
      const max = type.maxValue as number;
      return [
        ...others,
        right("none", [], 4),
        right("at the limit", many(max), max * 16),
        wrong("limit", "above the limit", many(max + 1)),
      ];
    }
    case "optional":
      return [right("null", null, 4)];
    case "ref":
      return namedChanges(type.name);
  }
}

function namedChanges(name: string): Change[] {
  const d = definition(name);
  switch (d.kind) {
    case "typedef":
      return changes(d.type);
    case "enum":
      return [...integers(-(2 ** 31), 2 ** 31 - 1).filter(({ code }) => code !== undefined)];
    case "struct":
      return [wrong("type", "absent", undefined), wrong("type", "null", null)].filter(() => d.fields.length > 0);
    case "union":
      return [wrong("type", "absent", undefined), wrong("type", "null", null)];
  }
}

/** Every change of every place inside the value of a type, one at a time. */
export function* changed(type: FactType, path = ""): Generator<Changed> {
  if (type.kind === "ref") {
    yield* changedNamed(type.name, path);
    return;
  }
  for (const change of changes(type)) yield { ...change, path };
  if (type.kind === "optional") {
    for (const change of changed(type.element, path)) {
      // Null and undefined are in order here, whatever the element says of them.
      if (change.path !== path || (change.value !== null && change.value !== undefined)) yield change;
    }
  } else if (type.kind === "array" && type.element.kind !== "char") {
    const item = fullValue(type.element);
    const last = (type.lenValue ?? Math.min(2, type.maxValue as number)) - 1;
    for (const change of changed(type.element, `${path}[${last}]`)) {
      yield { ...change, value: [...new Array<unknown>(last).fill(item), change.value] };
    }
  }
}

export function* changedNamed(name: string, path = ""): Generator<Changed> {
  const d = definition(name);
  switch (d.kind) {
    case "typedef":
      yield* changed(d.type, path);
      break;
    case "enum":
      for (const change of namedChanges(name)) yield { ...change, path };
      break;
    case "struct": {
      for (const change of namedChanges(name)) yield { ...change, path };
      const full = fullNamed(name) as Record<string, unknown>;
      for (const field of d.fields) {
        const key = camelCase(field.name);
        for (const change of changed(field.type, path === "" ? key : `${path}.${key}`)) {
          yield { ...change, value: { ...full, [key]: change.value } };
        }
      }
      break;
    }
    case "union": {
      for (const change of namedChanges(name)) yield { ...change, path };
      const tag = camelCase(d.discriminant.name);
      const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
      for (const change of changes(d.discriminant.type)) {
        const code = change.code ?? "union"; // the least and the most number have no arm
        yield { ...change, code, path: at(tag), value: { [tag]: change.value, value: 1 } };
      }
      for (const [i, { value: label, field }] of d.cases.entries()) {
        if (field === null) {
          yield { ...right("void arm", fullNamed(name, i), 4), path };
        } else {
          for (const change of changed(field.type, at("value"))) {
            yield { ...change, value: { [tag]: label, value: change.value } };
          }
        }
      }
    }
  }
}
