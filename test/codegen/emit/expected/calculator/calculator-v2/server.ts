// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { describeProgram, type Handler } from "../../../../../../src/xdr/index.js";
import * as p from "./procedures.js";

/** Handlers of the CALCULATOR program; what is left out is answered as not supported. */
export interface CalculatorHandlers<Context> {
  /** NULL = 0, priority low. */
  readonly null_?: Handler<void, void, Context>;
  /** ADD = 1, priority low. */
  readonly add?: Handler<[number, number], number, Context>;
  /** SPELL = 2, priority low. */
  readonly spell?: Handler<bigint, string, Context>;
  /** DELETE = 3, priority low. */
  readonly delete_?: Handler<string, void, Context>;
}

/** The CALCULATOR program for a dispatcher: its procedures and its events. */
export const calculatorDescription = /* @__PURE__ */ describeProgram(
  p.program,
  () => ({
    null_: p.null_,
    add: p.add,
    spell: p.spell,
    delete_: p.delete_,
  }),
  () => ({}),
);
