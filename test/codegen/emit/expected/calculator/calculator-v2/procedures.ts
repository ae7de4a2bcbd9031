// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { nothing, type Procedure, type ProgramId } from "../../../../../../src/xdr/index.js";
import * as t from "../types.js";

export const program: ProgramId = { name: "CALCULATOR", number: 0x20000099, version: 2 };

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
export const add: Procedure<[number, number], number> = {
  program,
  name: "ADD",
  number: 1,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: {
    encode: (w, v) => {
      w.int32(v[0], "[0]");
      w.int32(v[1], "[1]");
    },
    decode: (r) => [r.int32("[0]"), r.int32("[1]")],
  },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** SPELL = 2, priority low. */
export const spell: Procedure<bigint, string> = {
  program,
  name: "SPELL",
  number: 2,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: {
    encode: (w, v) => {
      w.uint64(v);
    },
    decode: (r) => r.uint64(),
  },
  ret: { encode: t.encodeWords, decode: t.decodeWords },
};

/** DELETE = 3, priority low. */
export const delete_: Procedure<string, void> = {
  program,
  name: "DELETE",
  number: 3,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: { encode: t.encodeWords, decode: t.decodeWords },
  ret: nothing,
};
