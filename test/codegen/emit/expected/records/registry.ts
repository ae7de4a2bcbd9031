// Generated from records.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { xdrTypes } from "../../../../../src/xdr/index.js";
import * as t from "./types.js";

/** Every type by its name in the .x file, with whole payloads in and out. */
export const types = /* @__PURE__ */ xdrTypes(() => ({
  herd_name: [t.encodeName, t.decodeName],
  herd_cow: [t.encodeCow, t.decodeCow],
  herd_list_cows_args: [t.encodeListCowsArgs, t.decodeListCowsArgs],
  herd_list_cows_ret: [t.encodeListCowsRet, t.decodeListCowsRet],
  herd_weigh_ret: [t.encodeWeighRet, t.decodeWeighRet],
  herd_list_calves_ret: [t.encodeListCalvesRet, t.decodeListCalvesRet],
  herd_list_names_ret: [t.encodeListNamesRet, t.decodeListNamesRet],
  herd_describe_ret: [t.encodeDescribeRet, t.decodeDescribeRet],
  herd_procedure: [t.encodeHerdProcedure, t.decodeHerdProcedure],
}));
