// Generated from calculator.x by `virtwire codegen`. Do not edit: change the .x file or the generator.

export * from "./procedures.js";
export * from "./client.js";
export * from "./server.js";
