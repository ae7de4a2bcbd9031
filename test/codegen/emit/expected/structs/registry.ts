// Generated from structs.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrTypes } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = /* @__PURE__ */ xdrTypes(() => ({
  name_t: [t.encodeNameT, t.decodeNameT],
  key_t: [t.encodeKeyT, t.decodeKeyT],
  maybe_point: [t.encodeMaybePoint, t.decodeMaybePoint],
  colour: [t.encodeColour, t.decodeColour],
  point: [t.encodePoint, t.decodePoint],
  scalars: [t.encodeScalars, t.decodeScalars],
  lengths: [t.encodeLengths, t.decodeLengths],
  empty_list: [t.encodeEmptyList, t.decodeEmptyList],
}));
