import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Diagnostic } from "./diagnostics.ts";
import { emitModule, emitRoot, type GeneratedFiles } from "./emit/module.ts";
import { folderOf } from "./emit/types.ts";
import { loadModule } from "./loader.ts";
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
 * @throws {CodegenError} with every mistake found, placed in its source.
 */
export async function generate(paths: readonly string[], options: GenerateOptions = {}): Promise<Generated> {
  const { runtime = "virtwire/xdr", ...load } = options;
  const loaded = await Promise.all(paths.map((path) => loadModule(path, load)));
  const byFolder = new Map<string, Module>();
  const visit = (module: Module): void => {
    for (const imported of module.imports) visit(imported);
    if (!byFolder.has(folderOf(module))) byFolder.set(folderOf(module), module);
  };
  for (const { module } of loaded) visit(module);
  const modules = [...byFolder.values()];
  const files = new Map(modules.flatMap((module) => [...emitModule(module, { runtime })]));
  if (modules.length > 1) files.set("index.ts", emitRoot(modules));
  return { files, warnings: loaded.flatMap(({ warnings }) => warnings) };
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
