// Generated from structs.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrType } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = {
  name_t: xdrType("name_t", t.encodeNameT, t.decodeNameT),
  key_t: xdrType("key_t", t.encodeKeyT, t.decodeKeyT),
  maybe_point: xdrType("maybe_point", t.encodeMaybePoint, t.decodeMaybePoint),
  colour: xdrType("colour", t.encodeColour, t.decodeColour),
  point: xdrType("point", t.encodePoint, t.decodePoint),
  scalars: xdrType("scalars", t.encodeScalars, t.decodeScalars),
  lengths: xdrType("lengths", t.encodeLengths, t.decodeLengths),
  empty_list: xdrType("empty_list", t.encodeEmptyList, t.decodeEmptyList),
} as const;
