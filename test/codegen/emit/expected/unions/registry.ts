// Generated from unions.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrTypes } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = /* @__PURE__ */ xdrTypes(() => ({
  status: [t.encodeStatus, t.decodeStatus],
  by_int: [t.encodeByInt, t.decodeByInt],
  by_enum: [t.encodeByEnum, t.decodeByEnum],
  by_bool: [t.encodeByBool, t.decodeByBool],
  with_default: [t.encodeWithDefault, t.decodeWithDefault],
  void_default: [t.encodeVoidDefault, t.decodeVoidDefault],
}));
