import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Diagnostic } from "./diagnostics.ts";
import { emitModule, emitRoot, type GeneratedFiles } from "./emit/module.ts";
import { folderOf } from "./emit/types.ts";
import { type Loaded, loadModule } from "./loader.ts";
import type { Module } from "./model.ts";

export interface GenerateOptions {
  /** Where the generated code imports its runtime from. Default `virtwire/xdr`. */
  readonly runtime?: string;
  /** Constants of C headers that the `.x` files use without defining them. */
  readonly externals?: Readonly<Record<string, number>>;
  /** Refuse `<>`: every length has a limit. Default false. */
  readonly requireLimits?: boolean;
}

export interface Generated {
  readonly files: GeneratedFiles;
  readonly warnings: readonly Diagnostic[];
}

/**
 * Reads `.x` files and the ones they include, and returns the TypeScript of all of them.
 * @throws {CodegenError} with every mistake found, placed in its source
 * @throws {RangeError} where two files of the same name would be written to one folder
 */
export function generate(paths: readonly string[], options: GenerateOptions = {}): Generated {
  const { runtime = "virtwire/xdr", ...load } = options;
  const cache = new Map<string, Loaded>();
  const loaded = paths.map((path) => loadModule(path, { ...load, cache }));
  const modules = new Set<Module>();
  const visit = (module: Module): void => {
    for (const imported of module.imports) visit(imported);
    modules.add(module);
  };
  for (const { module } of loaded) visit(module);
  const folders = new Map<string, Module>();
  for (const module of modules) {
    const other = folders.get(folderOf(module));
    if (other) throw new RangeError(`${other.file} and ${module.file} would both be written to ${folderOf(module)}/`);
    folders.set(folderOf(module), module);
  }
  const files = new Map([...modules].flatMap((module) => [...emitModule(module, { runtime })]));
  if (modules.size > 1) files.set("index.ts", emitRoot([...modules]));
  return { files, warnings: [...new Set(loaded.flatMap(({ warnings }) => warnings))] };
}

/** Writes generated files below `out`. A file that already has its text is left alone, so that builds stay incremental. */
export async function writeFiles(files: GeneratedFiles, out: string): Promise<void> {
  for (const [path, text] of files) {
    const target = join(out, path);
    const present = await readFile(target, "utf8").catch(() => undefined);
    if (present === text) continue;
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
}
