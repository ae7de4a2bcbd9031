// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { type Caller, type CallOptions, clientOf } from "../../../../../../src/xdr/index.js";
import { calculatorDescription } from "./server.js";

/** The CALCULATOR program as a client calls it: a method a procedure, arguments and results as in the .x file. */
export interface CalculatorClient<_Stream = unknown> {
  /** NULL = 0, priority low. */
  null_(options?: CallOptions): Promise<void>;
  /** ADD = 1, priority low. */
  add(args: [number, number], options?: CallOptions): Promise<number>;
  /** SPELL = 2, priority low. */
  spell(args: bigint, options?: CallOptions): Promise<string>;
  /** DELETE = 3, priority low. */
  delete_(args: string, options?: CallOptions): Promise<void>;
}
export const CalculatorClient: new <Stream = unknown>(caller: Caller<Stream>) => CalculatorClient<Stream> =
  /* @__PURE__ */ clientOf(calculatorDescription);
