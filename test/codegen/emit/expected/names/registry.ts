// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrType } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = {
  point: xdrType("point", t.encodePoint2, t.decodePoint2),
  odd: xdrType("odd", t.encodeOdd, t.decodeOdd),
  by_odd: xdrType("by_odd", t.encodeByOdd, t.decodeByOdd),
  promise: xdrType("promise", t.encodePromise_, t.decodePromise_),
  Promise_: xdrType("Promise_", t.encodePromise_2, t.decodePromise_2),
  Context: xdrType("Context", t.encodeContext, t.decodeContext),
  names_client: xdrType("names_client", t.encodeClient, t.decodeClient),
  BOOL: xdrType("BOOL", t.encodeBool_, t.decodeBool_),
  Int: xdrType("Int", t.encodeInt_, t.decodeInt_),
  codecs: xdrType("codecs", t.encodeCodecs, t.decodeCodecs),
} as const;
