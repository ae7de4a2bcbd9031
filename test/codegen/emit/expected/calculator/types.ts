// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import type { XdrReader, XdrWriter } from "../../../../../src/xdr/index.js";

export const WORDS_MAX = 100;

/** pair */
export interface Pair {
  a: number;
  b: number;
}

export function encodePair(w: XdrWriter, v: Pair): void {
  w.int32(v.a, "a");
  w.int32(v.b, "b");
}

export function decodePair(r: XdrReader): Pair {
  return {
    a: r.int32("a"),
    b: r.int32("b"),
  };
}

/** words */
export type Words = string;

export function encodeWords(w: XdrWriter, v: Words, at?: string): void {
  w.string(v, WORDS_MAX, at);
}

export function decodeWords(r: XdrReader, at?: string): Words {
  return r.string(WORDS_MAX, at);
}
