// Generated from records.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import type { Caller, CallOptions } from "../../../../../src/xdr/index.js";
import * as procedures from "./procedures.js";
import type * as t from "./types.js";

/** The HERD program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export class HerdClient<Stream = unknown> {
  readonly #caller: Caller<Stream>;

  constructor(caller: Caller<Stream>) {
    this.#caller = caller;
  }

  /** LIST_COWS = 1, priority low. */
  listCows(args: t.ListCowsArgs, options?: CallOptions): Promise<t.ListCowsRet> {
    return this.#caller.call(procedures.listCows, args, options);
  }

  /** WEIGH = 2, priority low. */
  weigh(options?: CallOptions): Promise<t.WeighRet> {
    return this.#caller.call(procedures.weigh, undefined, options);
  }

  /** LIST_CALVES = 3, priority low. */
  listCalves(options?: CallOptions): Promise<t.ListCalvesRet> {
    return this.#caller.call(procedures.listCalves, undefined, options);
  }

  /** LIST_NAMES = 4, priority low. */
  listNames(options?: CallOptions): Promise<t.ListNamesRet> {
    return this.#caller.call(procedures.listNames, undefined, options);
  }

  /** DESCRIBE = 5, priority low. */
  describe(options?: CallOptions): Promise<t.DescribeRet> {
    return this.#caller.call(procedures.describe, undefined, options);
  }
}
