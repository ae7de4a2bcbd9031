import type { Module } from "../model.ts";
import { doc, list, SourceFile } from "./source-file.ts";
import type { TypeTable } from "./type-table.ts";
import type { EmitOptions } from "./types.ts";

/** `registry.ts`: every type by its `.x` name. */
export function emitRegistry(module: Module, table: TypeTable, options: EmitOptions): string {
  const file = new SourceFile(module.file);
  const make = file.value("xdrTypes", options.runtime);
  const types = file.namespace("t", "./types.js", false);
  const entries = module.definitions.map(({ name }) => {
    const ts = table.entry(name).name;
    return `  ${list(`${name}: [`, [`${types}.encode${ts}`, `${types}.decode${ts}`], "],", 2)}`;
  });
  file.add(
    ...doc(["Every type by its name in the .x file, with whole payloads in and out."]),
    ...(entries.length === 0
      ? ["export const types = {} as const;"]
      : [`export const types = /* @__PURE__ */ ${make}(() => ({`, ...entries, "}));"]),
  );
  return file.toString();
}
