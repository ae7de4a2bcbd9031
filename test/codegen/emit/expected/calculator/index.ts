// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.

export * from "./types.js";
export { types } from "./registry.js";
export * as calculatorV1 from "./calculator-v1/index.js";
export * as calculatorV2 from "./calculator-v2/index.js";
