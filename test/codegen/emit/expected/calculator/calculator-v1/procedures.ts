// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { nothing, type Procedure, type ProgramId } from "../../../../../../src/xdr/index.js";
import * as t from "../types.js";

export const program: ProgramId = { name: "CALCULATOR", number: 0x20000099, version: 1 };

/** NULL = 0, priority low. */
export const null_: Procedure<void, void> = {
  program,
  name: "NULL",
  number: 0,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: nothing,
  ret: nothing,
};

/** ADD = 1, priority low. */
export const add: Procedure<t.Pair, number> = {
  program,
  name: "ADD",
  number: 1,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: { encode: t.encodePair, decode: t.decodePair },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};
