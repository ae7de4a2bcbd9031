// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import {
  decodeVoid,
  encodeVoid,
  type Procedure,
  proceduresOf,
  type ProgramId,
} from "../../../../../../src/xdr/index.js";
import * as t from "../types.js";

export const program: ProgramId = { name: "CALCULATOR", number: 0x20000099, version: 1 };

const procedure = /* @__PURE__ */ proceduresOf(program);

/** NULL = 0, priority low. */
export const null_: Procedure<void, void> = /* @__PURE__ */ procedure(
  "NULL", 0, "low", [],
  encodeVoid, decodeVoid,
  encodeVoid, decodeVoid,
);

/** ADD = 1, priority low. */
export const add: Procedure<t.Pair, number> = /* @__PURE__ */ procedure(
  "ADD", 1, "low", [],
  t.encodePair, t.decodePair,
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);
