// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { describeProgram, type Handler } from "../../../../../src/xdr/index.js";
import * as p from "./procedures.js";
import type * as t from "./types.js";

/** Handlers of the NAMES program; what is left out is answered as not supported. */
export interface NamesHandlers<Context> {
  /** PROGRAM = 0, priority low. */
  readonly program2?: Handler<void, void, Context>;
  /** T = 1, priority low. */
  readonly t?: Handler<t.Point2, number, Context>;
  /** NOTHING = 2, priority low. */
  readonly nothing?: Handler<void, number, Context>;
  /** Types = 3, priority low. */
  readonly types2?: Handler<[number, t.Odd], number, Context>;
  /** class = 4, priority low. */
  readonly class_2?: Handler<number, number, Context>;
  /** CONSTRUCTOR = 5, priority low. */
  readonly constructor_?: Handler<number, number, Context>;
  /** get_info = 6, priority low. */
  readonly getInfo?: Handler<t.Context, number, Context>;
  /** GET_INFO = 7, priority low. */
  readonly getInfo2?: Handler<number, number, Context>;
  /** w = 8, priority low. */
  readonly w?: Handler<number, number, Context>;
}

/** The NAMES program for a dispatcher: its procedures and its events. */
export const namesDescription = /* @__PURE__ */ describeProgram(
  p.program,
  () => ({
    program2: p.program2,
    t: p.t,
    nothing: p.nothing,
    types2: p.types2,
    class_2: p.class_2,
    constructor_: p.constructor_,
    getInfo: p.getInfo,
    getInfo2: p.getInfo2,
    w: p.w,
  }),
  () => ({}),
);
