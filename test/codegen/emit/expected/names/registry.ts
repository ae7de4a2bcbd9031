// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrTypes } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = /* @__PURE__ */ xdrTypes(() => ({
  point: [t.encodePoint2, t.decodePoint2],
  odd: [t.encodeOdd, t.decodeOdd],
  by_odd: [t.encodeByOdd, t.decodeByOdd],
  promise: [t.encodePromise_, t.decodePromise_],
  Promise_: [t.encodePromise_2, t.decodePromise_2],
  Context: [t.encodeContext, t.decodeContext],
  names_client: [t.encodeClient, t.decodeClient],
  BOOL: [t.encodeBool_, t.decodeBool_],
  Int: [t.encodeInt_, t.decodeInt_],
  codecs: [t.encodeCodecs, t.decodeCodecs],
}));
