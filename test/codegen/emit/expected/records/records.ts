// Generated from records.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { type Procedure, recordsOf, type WithRecords } from "../../../../../src/xdr/index.js";
import * as p from "./procedures.js";
import * as t from "./types.js";

/** LIST_COWS, with `cows` decoded one by one. */
export const listCowsRecords: Procedure<t.ListCowsArgs, WithRecords<t.ListCowsRet, "cows">> = /* @__PURE__ */ recordsOf(
  p.listCows,
  "cows",
  { max: t.HERD_COWS_MAX, least: 8, decode: t.decodeCow, after: { ret: (r) => r.uint32("ret") } },
);

/** WEIGH, with `cows` decoded one by one. */
export const weighRecords: Procedure<void, WithRecords<t.WeighRet, "cows">> = /* @__PURE__ */ recordsOf(
  p.weigh,
  "cows",
  { max: 1024, least: 8, decode: t.decodeCow, before: { all: (r) => r.bool("all") } },
);
