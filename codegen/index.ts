// For users: `.x` files in, TypeScript out.
export { CodegenError, type Diagnostic, renderDiagnostic } from "./diagnostics.ts";
export { type Generated, type GenerateOptions, generate, writeFiles } from "./generate.ts";
export { loadModule, parseModule } from "./loader.ts";
// What a parsed file means, for tools that print something else than TypeScript.
export type * from "./model.ts";
