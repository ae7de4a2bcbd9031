// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { nothing as nothing2, type Procedure, type ProgramId } from "../../../../../src/xdr/index.js";
import * as t2 from "./types.js";

export const program: ProgramId = { name: "NAMES", number: 0x4d, version: 1 };

/** PROGRAM = 0, priority low. */
export const program2: Procedure<void, void> = {
  program,
  name: "PROGRAM",
  number: 0,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: nothing2,
  ret: nothing2,
};

/** T = 1, priority low. */
export const t: Procedure<t2.Point2, number> = {
  program,
  name: "T",
  number: 1,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: { encode: t2.encodePoint2, decode: t2.decodePoint2 },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** NOTHING = 2, priority low. */
export const nothing: Procedure<void, number> = {
  program,
  name: "NOTHING",
  number: 2,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: nothing2,
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** Types = 3, priority low. */
export const types2: Procedure<[number, t2.Odd], number> = {
  program,
  name: "Types",
  number: 3,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: {
    encode: (w, v) => {
      w.int32(v[0], "[0]");
      t2.encodeOdd(w, v[1], "[1]");
    },
    decode: (r) => [r.int32("[0]"), t2.decodeOdd(r, "[1]")],
  },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** class = 4, priority low. */
export const class_2: Procedure<number, number> = {
  program,
  name: "class",
  number: 4,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** CONSTRUCTOR = 5, priority low. */
export const constructor_: Procedure<number, number> = {
  program,
  name: "CONSTRUCTOR",
  number: 5,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** get_info = 6, priority low. */
export const getInfo: Procedure<t2.Context, number> = {
  program,
  name: "get_info",
  number: 6,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: { encode: t2.encodeContext, decode: t2.decodeContext },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** GET_INFO = 7, priority low. */
export const getInfo2: Procedure<number, number> = {
  program,
  name: "GET_INFO",
  number: 7,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};

/** w = 8, priority low. */
export const w: Procedure<number, number> = {
  program,
  name: "w",
  number: 8,
  priority: "low",
  acl: [],
  aclFilter: [],
  args: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
  ret: {
    encode: (w, v) => {
      w.int32(v);
    },
    decode: (r) => r.int32(),
  },
};
