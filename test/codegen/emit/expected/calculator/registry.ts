// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrTypes } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = /* @__PURE__ */ xdrTypes(() => ({
  pair: [t.encodePair, t.decodePair],
  words: [t.encodeWords, t.decodeWords],
}));
