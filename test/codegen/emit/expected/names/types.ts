// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import {
  decodeBool,
  decodeInt,
  encodeBool,
  encodeInt,
  inField,
  type OpenEnum,
  plain,
  type XdrReader,
  type XdrWriter,
} from "../../../../../src/xdr/index.js";

export const class_ = 1;
export const w_ = 3;
export const at_ = 4;
export const _inField = 5;
export const _encodeInt = 7;
export const undefined_ = 9;
export const Point = 6;

/** point */
export interface Point2 {
  a: number;
  a2: number;
  /** at most w (3) */
  aB: number[];
  /** at most encodeInt (7) */
  aB2: number[];
  proto: string;
  proto2: string;
  constructor: boolean;
  /** at most class (1) */
  value: number[];
  type: number;
}

export function encodePoint2(w: XdrWriter, v: Point2): void {
  w.int32(v.a, "a");
  w.int32(v.a2, "a2");
  w.array(v.aB, w_, encodeInt, "aB");
  w.array(v.aB2, _encodeInt, encodeInt, "aB2");
  w.string(v.proto, at_, "proto");
  w.string(v.proto2, _inField, "proto2");
  w.bool(v.constructor, "constructor");
  w.array(v.value, class_, encodeInt, "value");
  w.int32(v.type, "type");
}

export function decodePoint2(r: XdrReader): Point2 {
  return {
    a: r.int32("a"),
    a2: r.int32("a2"),
    aB: r.array(w_, 4, decodeInt, "aB"),
    aB2: r.array(_encodeInt, 4, decodeInt, "aB2"),
    proto: r.string(at_, "proto"),
    proto2: r.string(_inField, "proto2"),
    constructor: r.bool("constructor"),
    value: r.array(class_, 4, decodeInt, "value"),
    type: r.int32("type"),
  };
}

/** odd */
export const Odd = {
  __proto___: 5,
  constructor: 6,
  Odd: 7,
} as const;
export type Odd = OpenEnum<typeof Odd>;

export function encodeOdd(w: XdrWriter, v: Odd, at?: string): void {
  w.int32(v, at);
}

export function decodeOdd(r: XdrReader, at?: string): Odd {
  return r.enumeration(Odd, at);
}

/** by_odd */
export type ByOdd =
  | { discriminant: typeof Odd.__proto___; value: number } // x
  | { discriminant: typeof Odd.Odd };

const PlainByOdd = /* @__PURE__ */ plain(function (
  this: { discriminant: Odd; value: unknown },
  discriminant: Odd,
  value: unknown,
) {
  this.discriminant = discriminant;
  this.value = value;
});

export function encodeByOdd(w: XdrWriter, v: ByOdd, at?: string): void {
  try {
    encodeOdd(w, v.discriminant, "discriminant");
    switch (v.discriminant) {
      case Odd.__proto___:
        w.int32(v.value, "value");
        break;
      case Odd.Odd:
        break;
      default:
        w.noArm((v as ByOdd).discriminant, "discriminant");
    }
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeByOdd(r: XdrReader, at?: string): ByOdd {
  try {
    const tag = decodeOdd(r, "discriminant");
    switch (tag) {
      case Odd.__proto___:
        return new PlainByOdd(Odd.__proto___, r.int32("value")) as ByOdd;
      case Odd.Odd:
        return { discriminant: Odd.Odd };
      default:
        return r.noArm(tag, "discriminant");
    }
  } catch (error) {
    throw inField(error, at);
  }
}

/** promise */
export interface Promise_ {
  x: number;
}

const PlainPromise_ = /* @__PURE__ */ plain(function (this: Promise_, x: number) {
  this.x = x;
});

export function encodePromise_(w: XdrWriter, v: Promise_, at?: string): void {
  try {
    w.int32(v.x, "x");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodePromise_(r: XdrReader, at?: string): Promise_ {
  try {
    return new PlainPromise_(r.int32("x"));
  } catch (error) {
    throw inField(error, at);
  }
}

/** Promise_ */
export interface Promise_2 {
  x: number;
}

const PlainPromise_2 = /* @__PURE__ */ plain(function (this: Promise_2, x: number) {
  this.x = x;
});

export function encodePromise_2(w: XdrWriter, v: Promise_2, at?: string): void {
  try {
    w.int32(v.x, "x");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodePromise_2(r: XdrReader, at?: string): Promise_2 {
  try {
    return new PlainPromise_2(r.int32("x"));
  } catch (error) {
    throw inField(error, at);
  }
}

/** Context */
export interface Context {
  x: number;
}

export function encodeContext(w: XdrWriter, v: Context): void {
  w.int32(v.x, "x");
}

export function decodeContext(r: XdrReader): Context {
  return { x: r.int32("x") };
}

/** names_client */
export interface Client {
  x: number;
}

const PlainClient = /* @__PURE__ */ plain(function (this: Client, x: number) {
  this.x = x;
});

export function encodeClient(w: XdrWriter, v: Client, at?: string): void {
  try {
    w.int32(v.x, "x");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeClient(r: XdrReader, at?: string): Client {
  try {
    return new PlainClient(r.int32("x"));
  } catch (error) {
    throw inField(error, at);
  }
}

/** BOOL */
export type Bool_ = boolean;

export function encodeBool_(w: XdrWriter, v: Bool_, at?: string): void {
  w.bool(v, at);
}

export function decodeBool_(r: XdrReader, at?: string): Bool_ {
  return r.bool(at);
}

/** Int */
export type Int_ = number;

export function encodeInt_(w: XdrWriter, v: Int_, at?: string): void {
  w.int32(v, at);
}

export function decodeInt_(r: XdrReader, at?: string): Int_ {
  return r.int32(at);
}

/** codecs */
export interface Codecs {
  /** at most 3 */
  a: boolean[];
  /** at most 3 */
  b: boolean[];
  /** at most 3 */
  c: number[];
  /** at most 3 */
  d: number[];
}

const PlainCodecs = /* @__PURE__ */ plain(function (
  this: Codecs,
  a: boolean[],
  b: boolean[],
  c: number[],
  d: number[],
) {
  this.a = a;
  this.b = b;
  this.c = c;
  this.d = d;
});

export function encodeCodecs(w: XdrWriter, v: Codecs, at?: string): void {
  try {
    w.array(v.a, 3, encodeBool_, "a");
    w.array(v.b, 3, encodeBool, "b");
    w.array(v.c, 3, encodeInt_, "c");
    w.array(v.d, 3, encodeInt, "d");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeCodecs(r: XdrReader, at?: string): Codecs {
  try {
    return new PlainCodecs(
      r.array(3, 4, decodeBool_, "a"),
      r.array(3, 4, decodeBool, "b"),
      r.array(3, 4, decodeInt_, "c"),
      r.array(3, 4, decodeInt, "d"),
    );
  } catch (error) {
    throw inField(error, at);
  }
}
