// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import {
  decodeVoid,
  encodeVoid,
  type Procedure,
  proceduresOf,
  type ProgramId,
} from "../../../../../../src/xdr/index.js";
import * as t from "../types.js";

export const program: ProgramId = { name: "CALCULATOR", number: 0x20000099, version: 2 };

const procedure = /* @__PURE__ */ proceduresOf(program);

/** NULL = 0, priority low. */
export const null_: Procedure<void, void> = /* @__PURE__ */ procedure(
  "NULL", 0, "low", [],
  encodeVoid, decodeVoid,
  encodeVoid, decodeVoid,
);

/** ADD = 1, priority low. */
export const add: Procedure<[number, number], number> = /* @__PURE__ */ procedure(
  "ADD", 1, "low", [],
  (w, v) => { w.int32(v[0], "[0]"); w.int32(v[1], "[1]"); }, (r) => [r.int32("[0]"), r.int32("[1]")],
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** SPELL = 2, priority low. */
export const spell: Procedure<bigint, string> = /* @__PURE__ */ procedure(
  "SPELL", 2, "low", [],
  (w, v) => { w.uint64(v); }, (r) => r.uint64(),
  t.encodeWords, t.decodeWords,
);

/** DELETE = 3, priority low. */
export const delete_: Procedure<string, void> = /* @__PURE__ */ procedure(
  "DELETE", 3, "low", [],
  t.encodeWords, t.decodeWords,
  encodeVoid, decodeVoid,
);
