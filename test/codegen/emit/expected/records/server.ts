// Generated from records.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { describeProgram, type Handler } from "../../../../../src/xdr/index.js";
import * as p from "./procedures.js";
import type * as t from "./types.js";

/** Handlers of the HERD program; what is left out is answered as not supported. */
export interface HerdHandlers<Context> {
  /** LIST_COWS = 1, priority low. */
  readonly listCows?: Handler<t.ListCowsArgs, t.ListCowsRet, Context>;
  /** WEIGH = 2, priority low. */
  readonly weigh?: Handler<void, t.WeighRet, Context>;
  /** LIST_CALVES = 3, priority low. */
  readonly listCalves?: Handler<void, t.ListCalvesRet, Context>;
  /** LIST_NAMES = 4, priority low. */
  readonly listNames?: Handler<void, t.ListNamesRet, Context>;
  /** DESCRIBE = 5, priority low. */
  readonly describe?: Handler<void, t.DescribeRet, Context>;
}

/** The HERD program for a dispatcher: its procedures and its events. */
export const herdDescription = /* @__PURE__ */ describeProgram(
  p.program,
  () => ({
    listCows: p.listCows,
    weigh: p.weigh,
    listCalves: p.listCalves,
    listNames: p.listNames,
    describe: p.describe,
  }),
  () => ({}),
);
