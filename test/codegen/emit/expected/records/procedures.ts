// Generated from records.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { decodeVoid, encodeVoid, type Procedure, proceduresOf, type ProgramId } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

export const program: ProgramId = { name: "HERD", number: 0x20008098, version: 1 };

const procedure = /* @__PURE__ */ proceduresOf(program);

/** LIST_COWS = 1, priority low. */
export const listCows: Procedure<t.ListCowsArgs, t.ListCowsRet> = /* @__PURE__ */ procedure(
  "LIST_COWS", 1, "low", ["none"],
  t.encodeListCowsArgs, t.decodeListCowsArgs,
  t.encodeListCowsRet, t.decodeListCowsRet,
);

/** WEIGH = 2, priority low. */
export const weigh: Procedure<void, t.WeighRet> = /* @__PURE__ */ procedure(
  "WEIGH", 2, "low", ["none"],
  encodeVoid, decodeVoid,
  t.encodeWeighRet, t.decodeWeighRet,
);

/** LIST_CALVES = 3, priority low. */
export const listCalves: Procedure<void, t.ListCalvesRet> = /* @__PURE__ */ procedure(
  "LIST_CALVES", 3, "low", ["none"],
  encodeVoid, decodeVoid,
  t.encodeListCalvesRet, t.decodeListCalvesRet,
);

/** LIST_NAMES = 4, priority low. */
export const listNames: Procedure<void, t.ListNamesRet> = /* @__PURE__ */ procedure(
  "LIST_NAMES", 4, "low", ["none"],
  encodeVoid, decodeVoid,
  t.encodeListNamesRet, t.decodeListNamesRet,
);

/** DESCRIBE = 5, priority low. */
export const describe: Procedure<void, t.DescribeRet> = /* @__PURE__ */ procedure(
  "DESCRIBE", 5, "low", ["none"],
  encodeVoid, decodeVoid,
  t.encodeDescribeRet, t.decodeDescribeRet,
);
