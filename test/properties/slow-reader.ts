/**
 * A second XDR reader, plain and slow, led by the definitions of test/facts: what the library makes of bytes is compared
 * with what this one does. It shares nothing with src/xdr or codegen. The facts lead it, and not codegen's model, because
 * the generated code comes from that model: a limit that our parser gets wrong would be wrong on both sides.
 * Its counterpart, the plain writer, is `plainNamed` of test/xdr/facts.ts.
 */
import type { XdrErrorCode } from "../../src/xdr/index.ts";
import { camelCase, definition, type FactType } from "../xdr/facts.ts";

/** Why the bytes are no value. */
export class Refusal extends Error {
  readonly code: XdrErrorCode;
  readonly path: string;

  constructor(code: XdrErrorCode, path: string) {
    super(`${code} at ${path}`);
    this.code = code;
    this.path = path;
  }
}

/** A word that decides how the rest is read. */
export interface Mark {
  role: "length" | "presence" | "tag" | "enum";
  offset: number;
  path: string;
  /** Of a length: the limit in bytes or elements. */
  max: number;
}

export interface SlowResult {
  value: unknown;
  /** Bytes used. */
  used: number;
  marks: Mark[];
}

/** @throws {Refusal} */
export function slowRead(name: string, bytes: Uint8Array, strict: boolean): SlowResult {
  const reader = new SlowReader(bytes, strict);
  const value = reader.named(name, "");
  if (strict && reader.offset < bytes.length) throw new Refusal("trailing", "");
  return { value, used: reader.offset, marks: reader.marks };
}

class SlowReader {
  readonly bytes: Uint8Array;
  readonly strict: boolean;
  readonly marks: Mark[] = [];
  offset = 0;

  constructor(bytes: Uint8Array, strict: boolean) {
    this.bytes = bytes;
    this.strict = strict;
  }

  named(name: string, path: string): unknown {
    const d = definition(name);
    switch (d.kind) {
      case "typedef":
        return this.value(d.type, path);
      case "enum": {
        this.#mark("enum", path);
        const number = this.#int(path);
        if (this.strict && !d.values.some((member) => member.value === number)) throw new Refusal("enum", path);
        return number;
      }
      case "struct": {
        const result: Record<string, unknown> = {};
        for (const field of d.fields) {
          const key = camelCase(field.name);
          result[key] = this.value(field.type, inside(path, key));
        }
        return result;
      }
      case "union": {
        const key = camelCase(d.discriminant.name);
        this.#mark("tag", inside(path, key));
        const tag = this.value(d.discriminant.type, inside(path, key));
        const match = d.cases.find((each) => each.value === tag);
        if (match === undefined && d.default === null) throw new Refusal("union", inside(path, key));
        const arm = match === undefined ? d.default : match.field;
        if (arm === null) return { [key]: tag };
        return { [key]: tag, value: this.value(arm.type, inside(path, "value")) };
      }
    }
  }

  value(type: FactType, path: string): unknown {
    switch (type.kind) {
      case "int":
        return this.#int(path);
      case "uint":
        return this.#word(path);
      case "hyper":
        return BigInt.asIntN(64, this.#doubleWord(path));
      case "uhyper":
        return this.#doubleWord(path);
      case "double":
        return Buffer.from(this.#take(8, path)).readDoubleBE();
      case "char":
        // Strict for one character is as C on x86 sends it, for an array also as where C's char has no sign.
        return (this.#narrow(-128, 127, path) << 24) >> 24;
      case "uchar":
        return this.#narrow(0, 255, path) & 0xff;
      case "ushort":
        return this.#narrow(0, 65535, path) & 0xffff;
      case "string":
        return this.#text(type.maxValue, path);
      case "opaque":
        return Uint8Array.from(this.#padded(type.lenValue ?? this.#length(type.maxValue as number, path), path));
      case "array": {
        const count = type.lenValue ?? this.#length(type.maxValue as number, path);
        if (type.element.kind === "char") {
          const chars: number[] = [];
          // Four bytes each, so all of them have to be there before the first is looked at.
          if (count * 4 > this.bytes.length - this.offset) throw new Refusal("short", path);
          for (let i = 0; i < count; i++) chars.push(this.#narrow(-128, 255, `${path}[${i}]`) & 0xff);
          return Uint8Array.from(chars);
        }
        const items: unknown[] = [];
        for (let i = 0; i < count; i++) items.push(this.value(type.element, `${path}[${i}]`));
        return items;
      }
      case "optional": {
        this.#mark("presence", path);
        const word = this.#word(path);
        if (this.strict && word > 1) throw new Refusal("presence", path);
        return word === 0 ? null : this.value(type.element, path);
      }
      case "ref":
        return this.named(type.name, path);
    }
  }

  #mark(role: Mark["role"], path: string, max = 0): void {
    this.marks.push({ role, offset: this.offset, path, max });
  }

  #take(size: number, path: string): Uint8Array {
    if (this.bytes.length - this.offset < size) throw new Refusal("short", path);
    const taken = this.bytes.slice(this.offset, this.offset + size);
    this.offset += size;
    return taken;
  }

  #word(path: string): number {
    const [a, b, c, d] = this.#take(4, path) as unknown as [number, number, number, number];
    return a * 256 ** 3 + b * 256 ** 2 + c * 256 + d;
  }

  #doubleWord(path: string): bigint {
    let number = 0n;
    for (const byte of this.#take(8, path)) number = number * 256n + BigInt(byte);
    return number;
  }

  #int(path: string): number {
    const word = this.#word(path);
    return word < 2 ** 31 ? word : word - 2 ** 32;
  }

  #narrow(min: number, max: number, path: string): number {
    const number = this.#int(path);
    if (this.strict && (number < min || number > max)) throw new Refusal("word", path);
    return number;
  }

  #length(max: number, path: string): number {
    this.#mark("length", path, max);
    const length = this.#word(path);
    if (length > max) throw new Refusal("limit", path);
    return length;
  }

  #padded(length: number, path: string): Uint8Array {
    const data = this.#take(length, path);
    const padding = this.#take((4 - (length % 4)) % 4, path);
    if (this.strict && padding.some((byte) => byte !== 0)) throw new Refusal("padding", path);
    return data;
  }

  #text(max: number, path: string): string {
    const data = this.#padded(this.#length(max, path), path);
    const zero = data.indexOf(0);
    if (zero >= 0 && this.strict) throw new Refusal("nul", path);
    const text = fromUtf8(zero < 0 ? data : data.slice(0, zero));
    if (text === undefined) throw new Refusal("utf8", path);
    return text;
  }
}

function inside(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** RFC 3629 by hand; undefined where the bytes are no UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i++] as number;
    const more = lead < 0x80 ? 0 : lead >> 5 === 0b110 ? 1 : lead >> 4 === 0b1110 ? 2 : lead >> 3 === 0b11110 ? 3 : -1;
    if (more < 0) return undefined;
    let point = more === 0 ? lead : lead & (0x3f >> more);
    for (let n = 0; n < more; n++) {
      const byte = bytes[i++];
      if (byte === undefined || byte >> 6 !== 0b10) return undefined;
      point = point * 64 + (byte & 0x3f);
    }
    const least = [0, 0x80, 0x800, 0x10000][more] as number;
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
    text += String.fromCodePoint(point);
  }
  return text;
}
