// Generated from structs.x by `virtwire codegen`. Do not edit: change the .x file or the generator.

export * from "./types.js";
export { types } from "./registry.js";
