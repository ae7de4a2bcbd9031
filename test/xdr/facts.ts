/**
 * The facts of test/facts, and what the tests make of their notation. Independent of codegen: types come from the facts' own
 * definitions, expected bytes from the plain writer.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { hyper, joined, padded, word } from "./plain.ts";

export type FactType =
  | { kind: "int" | "uint" | "hyper" | "uhyper" | "double" | "char" | "uchar" | "ushort" }
  | { kind: "string"; max: string; maxValue: number }
  | { kind: "opaque"; len?: string; lenValue?: number; max?: string; maxValue?: number }
  | { kind: "array"; len?: string; lenValue?: number; max?: string; maxValue?: number; element: FactType }
  | { kind: "optional"; element: FactType }
  | { kind: "ref"; name: string };
export interface FactField {
  name: string;
  type: FactType;
}
export type FactDefinition = { name: string; in_9_0_0: boolean } & (
  | { kind: "typedef"; type: FactType }
  | { kind: "struct"; fields: FactField[] }
  | { kind: "enum"; values: { name: string; value: number }[] }
  | {
      kind: "union";
      discriminant: FactField;
      cases: { case: string; value: number; field: FactField | null }[];
      default: FactField | null;
    }
);
export interface FactProcedure {
  name: string;
  number: number;
  args: string | null;
  ret: string | null;
  msg: string | null;
  generate: string | null;
  priority: "high" | "low";
  readstream?: number;
  writestream?: number;
  sparseflag?: string;
  acl: string[];
  aclfilter: string[];
  in_9_0_0: boolean;
}
export interface FactProtocol {
  program: { name: string; number: number; version: number } | null;
  imports?: string[];
  constants: { name: string; value: number }[];
  externalConstants: { name: string; value: number }[];
  definitions: FactDefinition[];
  procedures: FactProcedure[];
}

/** A value in the notation of the facts. */
export type Noted = null | number | string | Noted[] | { [name: string]: Noted };

export function facts<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../facts/${file}.json`, import.meta.url), "utf8")) as T;
}

export const protocolNames = ["netmessage", "keepalive", "remote", "qemu", "lxc", "admin", "lock", "log"] as const;
export type ProtocolName = (typeof protocolNames)[number];
export const protocols = Object.fromEntries(protocolNames.map((name) => [name, facts<FactProtocol>(name)])) as Record<
  ProtocolName,
  FactProtocol
>;

const definitions = new Map<string, FactDefinition>();
for (const name of protocolNames) for (const d of protocols[name].definitions) definitions.set(d.name, d);

export function definition(name: string): FactDefinition {
  const found = definitions.get(name);
  if (found === undefined) throw new Error(`the facts have no type ${name}`);
  return found;
}

export function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

/** What the library should make of a noted value. */
export function value(type: FactType, noted: Noted): unknown {
  switch (type.kind) {
    case "int":
    case "uint":
    case "char":
    case "uchar":
    case "ushort":
      return noted;
    case "hyper":
    case "uhyper":
      return BigInt(noted as string);
    case "double":
      return Number(noted);
    case "string":
      return isMarker(noted) ? Buffer.alloc(noted.count, noted.$fill as string, "hex").toString("latin1") : noted;
    case "opaque":
      return bytes(noted);
    case "array":
      if (isChar(type.element)) return bytes(noted);
      return elements(noted).map((item) => value(type.element, item));
    case "optional":
      return noted === null ? null : value(type.element, noted);
    case "ref":
      return named(type.name, noted);
  }
}

/** Likewise, for a type by its name. */
export function named(name: string, noted: Noted): unknown {
  const d = definition(name);
  const members = noted as { [name: string]: Noted };
  switch (d.kind) {
    case "typedef":
      return value(d.type, noted);
    case "enum":
      return noted;
    case "struct":
      return Object.fromEntries(d.fields.map((f) => [camelCase(f.name), value(f.type, members[f.name] as Noted)]));
    case "union": {
      const tag = members[d.discriminant.name] as number;
      const arm = armOf(d, tag);
      const result: Record<string, unknown> = { [camelCase(d.discriminant.name)]: tag };
      if (arm !== null) result.value = value(arm.type, members[arm.name] as Noted);
      return result;
    }
  }
}

function armOf(d: FactDefinition & { kind: "union" }, tag: number): FactField | null {
  const arm = d.cases.find((c) => c.value === tag);
  if (arm === undefined && d.default === null) throw new Error(`${d.name} has no arm for ${tag}`);
  return arm === undefined ? d.default : arm.field;
}

function isChar(type: FactType): boolean {
  return type.kind === "char";
}

interface Marker {
  $fill?: string;
  $repeat?: Noted;
  count: number;
}
function isMarker(noted: unknown): noted is Marker {
  return typeof noted === "object" && noted !== null && ("$fill" in noted || "$repeat" in noted);
}
function bytes(noted: Noted): Uint8Array {
  return isMarker(noted) ? new Uint8Array(noted.count).fill(Number(`0x${noted.$fill}`)) : unhex(noted as string);
}
function elements(noted: Noted): Noted[] {
  return isMarker(noted) ? new Array<Noted>(noted.count).fill(noted.$repeat as Noted) : (noted as Noted[]);
}

/** The bytes of a value by the facts' definitions, limits not looked at. */
export function plainBytes(type: FactType, given: unknown): Uint8Array {
  switch (type.kind) {
    case "int":
    case "uint":
    case "char":
    case "uchar":
    case "ushort":
      return word(given as number);
    case "hyper":
    case "uhyper":
      return hyper(given as bigint);
    case "double": {
      const eight = Buffer.alloc(8);
      eight.writeDoubleBE(given as number);
      return eight;
    }
    case "string": {
      const text = Buffer.from(given as string);
      return joined(word(text.length), padded(text));
    }
    case "opaque": {
      const raw = given as Uint8Array;
      return type.lenValue === undefined ? joined(word(raw.length), padded(raw)) : padded(raw);
    }
    case "array": {
      const items = isChar(type.element)
        ? Array.from(given as Uint8Array, (byte) => word(byte > 127 ? byte - 256 : byte))
        : (given as unknown[]).map((item) => plainBytes(type.element, item));
      return type.lenValue === undefined ? joined(word(items.length), ...items) : joined(...items);
    }
    case "optional":
      return given === null ? word(0) : joined(word(1), plainBytes(type.element, given));
    case "ref":
      return plainNamed(type.name, given);
  }
}

export function plainNamed(name: string, given: unknown): Uint8Array {
  const d = definition(name);
  const members = given as Record<string, unknown>;
  switch (d.kind) {
    case "typedef":
      return plainBytes(d.type, given);
    case "enum":
      return word(given as number);
    case "struct":
      return joined(...d.fields.map((f) => plainBytes(f.type, members[camelCase(f.name)])));
    case "union": {
      const tag = members[camelCase(d.discriminant.name)] as number;
      const arm = armOf(d, tag);
      return arm === null ? word(tag) : joined(word(tag), plainBytes(arm.type, members.value));
    }
  }
}

const oftenOdd = fc.constantFrom("", "a", "ab", "abc", "abcd", "grüße", "€", "😀", "\uFEFFx", "a".repeat(25));
const text = (max: number): fc.Arbitrary<string> =>
  fc
    .oneof(oftenOdd, fc.string({ unit: "binary", maxLength: 40 }))
    .map((s) => s.replaceAll("\0", "0"))
    .filter((s) => Buffer.byteLength(s) <= max);

/** Random values of a type, by the facts' definitions. Lists stay short, so that their products do. */
export function anyValue(type: FactType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "int":
      return fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
    case "uint":
      return fc.integer({ min: 0, max: 0xffff_ffff });
    case "char":
      return fc.integer({ min: -128, max: 127 });
    case "uchar":
      return fc.integer({ min: 0, max: 0xff });
    case "ushort":
      return fc.integer({ min: 0, max: 0xffff });
    case "hyper":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "uhyper":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case "double":
      return fc.double();
    case "string":
      return text(type.maxValue);
    case "opaque":
      return fc.uint8Array(lengths(type.lenValue, Math.min(type.maxValue ?? 0, 70))).map((raw) => Uint8Array.from(raw));
    case "array": {
      const length = lengths(type.lenValue, Math.min(type.maxValue ?? 0, 3));
      return isChar(type.element)
        ? fc.uint8Array(length).map((raw) => Uint8Array.from(raw))
        : fc.array(anyValue(type.element), length);
    }
    case "optional":
      return fc.option(anyValue(type.element));
    case "ref":
      return anyNamed(type.name);
  }
}

function lengths(exactly: number | undefined, most: number): { minLength: number; maxLength: number } {
  return { minLength: exactly ?? 0, maxLength: exactly ?? most };
}

export function anyNamed(name: string): fc.Arbitrary<unknown> {
  const d = definition(name);
  switch (d.kind) {
    case "typedef":
      return anyValue(d.type);
    case "enum":
      return fc.constantFrom(...d.values.map((v) => v.value));
    case "struct":
      return fc.record(Object.fromEntries(d.fields.map((f) => [camelCase(f.name), anyValue(f.type)])), {
        noNullPrototype: true,
      });
    case "union": {
      const tag = camelCase(d.discriminant.name);
      const arms = d.cases.map((c) => {
        const members: Record<string, fc.Arbitrary<unknown>> = { [tag]: fc.constant(c.value) };
        if (c.field !== null) members.value = anyValue(c.field.type);
        return fc.record(members, { noNullPrototype: true });
      });
      return fc.oneof(...arms);
    }
  }
}
