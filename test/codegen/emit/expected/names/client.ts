// Generated from names.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import type { Caller, CallOptions } from "../../../../../src/xdr/index.js";
import * as procedures from "./procedures.js";
import type * as t from "./types.js";

/** The NAMES program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export class NamesClient<Stream = unknown> {
  readonly #caller: Caller<Stream>;

  constructor(caller: Caller<Stream>) {
    this.#caller = caller;
  }

  /** PROGRAM = 0, priority low. */
  program2(options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.program2, undefined, options);
  }

  /** T = 1, priority low. */
  t(args: t.Point2, options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.t, args, options);
  }

  /** NOTHING = 2, priority low. */
  nothing(options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.nothing, undefined, options);
  }

  /** Types = 3, priority low. */
  types2(args: [number, t.Odd], options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.types2, args, options);
  }

  /** class = 4, priority low. */
  class_2(args: number, options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.class_2, args, options);
  }

  /** CONSTRUCTOR = 5, priority low. */
  constructor_(args: number, options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.constructor_, args, options);
  }

  /** get_info = 6, priority low. */
  getInfo(args: t.Context, options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.getInfo, args, options);
  }

  /** GET_INFO = 7, priority low. */
  getInfo2(args: number, options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.getInfo2, args, options);
  }

  /** w = 8, priority low. */
  w(args: number, options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.w, args, options);
  }
}
