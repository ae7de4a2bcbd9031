// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { decodeVoid, encodeVoid, type Procedure, proceduresOf, type ProgramId } from "../../../../../src/xdr/index.js";
import * as t2 from "./types.js";

export const program: ProgramId = { name: "NAMES", number: 0x4d, version: 1 };

const procedure = /* @__PURE__ */ proceduresOf(program);

/** PROGRAM = 0, priority low. */
export const program2: Procedure<void, void> = /* @__PURE__ */ procedure(
  "PROGRAM", 0, "low", [],
  encodeVoid, decodeVoid,
  encodeVoid, decodeVoid,
);

/** T = 1, priority low. */
export const t: Procedure<t2.Point2, number> = /* @__PURE__ */ procedure(
  "T", 1, "low", [],
  t2.encodePoint2, t2.decodePoint2,
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** NOTHING = 2, priority low. */
export const nothing: Procedure<void, number> = /* @__PURE__ */ procedure(
  "NOTHING", 2, "low", [],
  encodeVoid, decodeVoid,
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** Types = 3, priority low. */
export const types2: Procedure<[number, t2.Odd], number> = /* @__PURE__ */ procedure(
  "Types", 3, "low", [],
  (w, v) => { w.int32(v[0], "[0]"); t2.encodeOdd(w, v[1], "[1]"); }, (r) => [r.int32("[0]"), t2.decodeOdd(r, "[1]")],
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** class = 4, priority low. */
export const class_2: Procedure<number, number> = /* @__PURE__ */ procedure(
  "class", 4, "low", [],
  (w, v) => { w.int32(v); }, (r) => r.int32(),
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** CONSTRUCTOR = 5, priority low. */
export const constructor_: Procedure<number, number> = /* @__PURE__ */ procedure(
  "CONSTRUCTOR", 5, "low", [],
  (w, v) => { w.int32(v); }, (r) => r.int32(),
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** get_info = 6, priority low. */
export const getInfo: Procedure<t2.Context, number> = /* @__PURE__ */ procedure(
  "get_info", 6, "low", [],
  t2.encodeContext, t2.decodeContext,
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** GET_INFO = 7, priority low. */
export const getInfo2: Procedure<number, number> = /* @__PURE__ */ procedure(
  "GET_INFO", 7, "low", [],
  (w, v) => { w.int32(v); }, (r) => r.int32(),
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);

/** w = 8, priority low. */
export const w: Procedure<number, number> = /* @__PURE__ */ procedure(
  "w", 8, "low", [],
  (w, v) => { w.int32(v); }, (r) => r.int32(),
  (w, v) => { w.int32(v); }, (r) => r.int32(),
);
