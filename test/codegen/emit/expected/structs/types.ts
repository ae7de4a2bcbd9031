// Generated from structs.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import {
  decodeHyper,
  decodeInt,
  encodeHyper,
  encodeInt,
  inField,
  type OpenEnum,
  plain,
  type XdrReader,
  type XdrWriter,
} from "../../../../../src/xdr/index.js";

export const NAME_MAX = 12;
export const KEY_LENGTH = 16;

/** name_t */
export type NameT = string;

export function encodeNameT(w: XdrWriter, v: NameT, at?: string): void {
  w.string(v, NAME_MAX, at);
}

export function decodeNameT(r: XdrReader, at?: string): NameT {
  return r.string(NAME_MAX, at);
}

/** key_t: KEY_LENGTH (16) bytes */
export type KeyT = Uint8Array;

export function encodeKeyT(w: XdrWriter, v: KeyT, at?: string): void {
  w.fixedOpaque(v, KEY_LENGTH, at);
}

export function decodeKeyT(r: XdrReader, at?: string): KeyT {
  return r.fixedOpaque(KEY_LENGTH, at);
}

/** maybe_point */
export type MaybePoint = Point | null;

export function encodeMaybePoint(w: XdrWriter, v: MaybePoint, at?: string): void {
  if (w.present(v)) encodePoint(w, v, at);
}

export function decodeMaybePoint(r: XdrReader, at?: string): MaybePoint {
  return r.present(at) ? decodePoint(r, at) : null;
}

/** colour */
export const Colour = {
  RED: 2,
  GREEN: 3,
  BLUE: -5,
} as const;
export type Colour = OpenEnum<typeof Colour>;

export function encodeColour(w: XdrWriter, v: Colour, at?: string): void {
  w.int32(v, at);
}

export function decodeColour(r: XdrReader, at?: string): Colour {
  return r.enumeration(Colour, at);
}

/** point */
export interface Point {
  x: number;
  /** unsigned int */
  y: number;
}

const PlainPoint = /* @__PURE__ */ plain(function (this: Point, x: number, y: number) {
  this.x = x;
  this.y = y;
});

export function encodePoint(w: XdrWriter, v: Point, at?: string): void {
  try {
    w.int32(v.x, "x");
    w.uint32(v.y, "y");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodePoint(r: XdrReader, at?: string): Point {
  try {
    return new PlainPoint(r.int32("x"), r.uint32("y"));
  } catch (error) {
    throw inField(error, at);
  }
}

/** scalars */
export interface Scalars {
  i: number;
  /** unsigned int */
  ui: number;
  /** hyper */
  h: bigint;
  /** unsigned hyper */
  uh: bigint;
  /** float */
  f: number;
  /** double */
  d: number;
  flag: boolean;
  /** quadruple: its 16 bytes */
  q: Uint8Array;
  /** char */
  c: number;
  /** unsigned char */
  uc: number;
  /** short */
  s: number;
  /** unsigned short */
  us: number;
  paint: Colour;
}

const PlainScalars = /* @__PURE__ */ plain(function (
  this: Scalars,
  i_: number,
  ui: number,
  h: bigint,
  uh: bigint,
  f: number,
  d: number,
  flag: boolean,
  q: Uint8Array,
  c: number,
  uc: number,
  s: number,
  us: number,
  paint: Colour,
) {
  this.i = i_;
  this.ui = ui;
  this.h = h;
  this.uh = uh;
  this.f = f;
  this.d = d;
  this.flag = flag;
  this.q = q;
  this.c = c;
  this.uc = uc;
  this.s = s;
  this.us = us;
  this.paint = paint;
});

export function encodeScalars(w: XdrWriter, v: Scalars, at?: string): void {
  try {
    w.int32(v.i, "i");
    w.uint32(v.ui, "ui");
    w.int64(v.h, "h");
    w.uint64(v.uh, "uh");
    w.float(v.f, "f");
    w.double(v.d, "d");
    w.bool(v.flag, "flag");
    w.fixedOpaque(v.q, 16, "q");
    w.char(v.c, "c");
    w.uchar(v.uc, "uc");
    w.short(v.s, "s");
    w.ushort(v.us, "us");
    encodeColour(w, v.paint, "paint");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeScalars(r: XdrReader, at?: string): Scalars {
  try {
    return new PlainScalars(
      r.int32("i"),
      r.uint32("ui"),
      r.int64("h"),
      r.uint64("uh"),
      r.float("f"),
      r.double("d"),
      r.bool("flag"),
      r.fixedOpaque(16, "q"),
      r.char("c"),
      r.uchar("uc"),
      r.short("s"),
      r.ushort("us"),
      decodeColour(r, "paint"),
    );
  } catch (error) {
    throw inField(error, at);
  }
}

/** lengths */
export interface Lengths {
  name: string;
  any: string;
  /** KEY_LENGTH (16) bytes */
  key: Uint8Array;
  /** at most 8 bytes */
  blob: Uint8Array;
  /** 3 bytes */
  odd: Uint8Array;
  /** 4 chars */
  label: Uint8Array;
  /** at most 6 chars */
  text: Uint8Array;
  /** 2 elements */
  pair: number[];
  /** at most 3 */
  times: bigint[];
  corners: Point[];
  /** at most 2 */
  names: string[];
  where: Point | null;
  nick: string | null;
  other: Point | null;
}

const PlainLengths = /* @__PURE__ */ plain(function (
  this: Lengths,
  name: string,
  any: string,
  key: Uint8Array,
  blob: Uint8Array,
  odd: Uint8Array,
  label: Uint8Array,
  text: Uint8Array,
  pair: number[],
  times: bigint[],
  corners: Point[],
  names: string[],
  where: Point | null,
  nick: string | null,
  other: Point | null,
) {
  this.name = name;
  this.any = any;
  this.key = key;
  this.blob = blob;
  this.odd = odd;
  this.label = label;
  this.text = text;
  this.pair = pair;
  this.times = times;
  this.corners = corners;
  this.names = names;
  this.where = where;
  this.nick = nick;
  this.other = other;
});

export function encodeLengths(w: XdrWriter, v: Lengths, at?: string): void {
  try {
    w.string(v.name, NAME_MAX, "name");
    w.string(v.any, 4294967295, "any");
    w.fixedOpaque(v.key, KEY_LENGTH, "key");
    w.opaque(v.blob, 8, "blob");
    w.fixedOpaque(v.odd, 3, "odd");
    w.fixedChars(v.label, 4, "label");
    w.chars(v.text, 6, "text");
    w.fixedArray(v.pair, 2, encodeInt, "pair");
    w.array(v.times, 3, encodeHyper, "times");
    encodeEachPoint(w, v.corners, 4294967295, "corners");
    w.array(v.names, 2, encodeNameT, "names");
    if (w.present(v.where)) encodePoint(w, v.where, "where");
    if (w.present(v.nick)) w.string(v.nick, NAME_MAX, "nick");
    if (w.present(v.other)) encodePoint(w, v.other, "other");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeLengths(r: XdrReader, at?: string): Lengths {
  try {
    return new PlainLengths(
      r.string(NAME_MAX, "name"),
      r.string(4294967295, "any"),
      r.fixedOpaque(KEY_LENGTH, "key"),
      r.opaque(8, "blob"),
      r.fixedOpaque(3, "odd"),
      r.fixedChars(4, "label"),
      r.chars(6, "text"),
      r.fixedArray(2, decodeInt, "pair"),
      r.array(3, 8, decodeHyper, "times"),
      decodeEachPoint(r, 4294967295, "corners"),
      r.array(2, 4, decodeNameT, "names"),
      r.present("where") ? decodePoint(r, "where") : null,
      r.present("nick") ? r.string(NAME_MAX, "nick") : null,
      r.present("other") ? decodePoint(r, "other") : null,
    );
  } catch (error) {
    throw inField(error, at);
  }
}

/** empty_list */
export interface EmptyList {
  /** at most 4 */
  points: (Point | null)[];
}

const PlainEmptyList = /* @__PURE__ */ plain(function (this: EmptyList, points: (Point | null)[]) {
  this.points = points;
});

export function encodeEmptyList(w: XdrWriter, v: EmptyList, at?: string): void {
  try {
    w.array(v.points, 4, encodeMaybePoint, "points");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeEmptyList(r: XdrReader, at?: string): EmptyList {
  try {
    return new PlainEmptyList(r.array(4, 4, decodeMaybePoint, "points"));
  } catch (error) {
    throw inField(error, at);
  }
}

function encodeEachPoint(w: XdrWriter, v: readonly Point[], max: number, at = ""): void {
  w.count(v, max, at);
  let i = 0;
  try {
    for (; i < v.length; i++) encodePoint(w, v[i] as Point);
  } catch (error) {
    throw inField(error, `${at}[${i}]`, w.offset);
  }
}

function decodeEachPoint(r: XdrReader, max: number, at = ""): Point[] {
  const length = r.count(max, 8, at);
  const items: Point[] = [];
  try {
    while (items.length < length) items.push(decodePoint(r));
  } catch (error) {
    throw inField(error, `${at}[${items.length}]`);
  }
  return items;
}
