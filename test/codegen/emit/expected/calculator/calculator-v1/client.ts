// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import type { Caller, CallOptions } from "../../../../../../src/xdr/index.js";
import type * as t from "../types.js";
import * as procedures from "./procedures.js";

/** The CALCULATOR program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export class CalculatorClient<Stream = unknown> {
  readonly #caller: Caller<Stream>;

  constructor(caller: Caller<Stream>) {
    this.#caller = caller;
  }

  /** NULL = 0, priority low. */
  null_(options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.null_, undefined, options);
  }

  /** ADD = 1, priority low. */
  add(args: t.Pair, options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.add, args, options);
  }
}
