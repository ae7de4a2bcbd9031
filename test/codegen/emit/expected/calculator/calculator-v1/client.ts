// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { type Caller, type CallOptions, clientOf } from "../../../../../../src/xdr/index.js";
import type * as t from "../types.js";
import { calculatorDescription } from "./server.js";

/** The CALCULATOR program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export interface CalculatorClient<_Stream = unknown> {
  /** NULL = 0, priority low. */
  null_(options?: CallOptions): Promise<void>;
  /** ADD = 1, priority low. */
  add(args: t.Pair, options?: CallOptions): Promise<number>;
}
export const CalculatorClient: new <Stream = unknown>(caller: Caller<Stream>) => CalculatorClient<Stream> =
  /* @__PURE__ */ clientOf(calculatorDescription);
