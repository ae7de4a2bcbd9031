// Generated from records.x by `virtwire codegen`. Do not edit: change the .x file or the generator.

export * from "./types.js";
export { types } from "./registry.js";
export * from "./procedures.js";
export * from "./records.js";
export * from "./client.js";
export * from "./server.js";
