import type { Module } from "../model.ts";
import { camelCase, Names, procedureNames, typeNames, writable } from "./names.ts";
import { emitClient, emitProcedures, emitServer } from "./program.ts";
import { emitRecords } from "./records.ts";
import { emitRegistry } from "./registry.ts";
import { doc, SourceFile } from "./source-file.ts";
import { TypeTable } from "./type-table.ts";
import { type EmitOptions, emitTypes, folderOf } from "./types.ts";

/** Generated files: text by path, relative to the output folder, with `/` between folders. */
export type GeneratedFiles = ReadonlyMap<string, string>;

/**
 * The TypeScript of one module. A program's files lie beside the types; where a `.x` file has several programs or
 * versions, each gets a folder (`mountprog-v1/`).
 */
export function emitModule(given: Module, options: EmitOptions): GeneratedFiles {
  const module = writable(given);
  const files = new Map<string, string>();
  const folder = folderOf(module);
  const table = new TypeTable(module);
  const index = new SourceFile(module.file);
  files.set(`${folder}/types.ts`, emitTypes(module, table, options));
  files.set(`${folder}/registry.ts`, emitRegistry(module, table, options));
  const exports = ['export * from "./types.js";', 'export { types } from "./registry.js";'];
  const folders = new Names();
  const namespaces = new Names([...module.constants.map(({ name }) => name), ...typeNames(module).values(), "types"]);
  for (const program of module.programs) {
    const alone = module.programs.length === 1;
    const name = folders.free(`${program.name.toLowerCase().replaceAll("_", "-")}-v${program.version}`);
    const at = alone ? folder : `${folder}/${name}`;
    const up = alone ? "" : "../";
    const inside = { runtime: options.runtime.startsWith(".") ? up + options.runtime : options.runtime, up };
    const context = { program, names: procedureNames(program, module), module, table, options: inside };
    files.set(`${at}/procedures.ts`, emitProcedures(context));
    files.set(`${at}/client.ts`, emitClient(context));
    files.set(`${at}/server.ts`, emitServer(context));
    const records = emitRecords(context);
    if (records !== undefined) files.set(`${at}/records.ts`, records);
    const parts = ["procedures", ...(records === undefined ? [] : ["records"]), "client", "server"].map(
      (part) => `export * from "./${part}.js";`,
    );
    if (alone) {
      exports.push(...parts);
    } else {
      const own = new SourceFile(module.file);
      own.add(...parts);
      files.set(`${at}/index.ts`, own.toString());
      const namespace = namespaces.free(`${camelCase(program.name)}V${program.version}`);
      exports.push(`export * as ${namespace} from "./${name}/index.js";`);
    }
  }
  index.add(...exports);
  files.set(`${folder}/index.ts`, index.toString());
  return files;
}

/** `index.ts` over several modules: each as a namespace. */
export function emitRoot(modules: readonly Module[]): string {
  const file = new SourceFile(`${modules.map(folderOf).join(".x, ")}.x`);
  const names = new Names();
  const lines = modules.map((module) => {
    const name = names.free(camelCase(folderOf(module).replaceAll(/[^A-Za-z0-9]+/g, "_")));
    return `export * as ${name} from "./${folderOf(module)}/index.js";`;
  });
  file.add(
    ...doc(["Each .x file as a namespace. Import a single one from its own folder to load only that."]),
    ...lines,
  );
  return file.toString();
}
