import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CodegenError, type Diagnostic } from "./diagnostics.ts";
import { emitModule, emitRoot, type GeneratedFiles } from "./emit/module.ts";
import { visible } from "./emit/names.ts";
import { folderOf } from "./emit/types.ts";
import { type Loaded, loadModule } from "./loader.ts";
import type { Location, Module, Type } from "./model.ts";

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
 * @throws {CodegenError} with every mistake found, placed in its source; or where a file's name cannot be, or twice, a folder's
 */
export function generate(paths: readonly string[], options: GenerateOptions = {}): Generated {
  const { runtime = "virtwire/xdr", ...load } = options;
  const cache = new Map<string, Loaded>();
  const loaded = paths.map((path) => loadModule(path, { ...load, cache }));
  const modules = new Set<Module>();
  for (const { module } of loaded) visible(module, modules);
  const folders = new Map<string, Module>();
  for (const module of modules) {
    const folder = folderOf(module);
    // The name becomes a folder's and stands in import lines; and some file systems do not tell a from A.
    if (!/^\w[\w.+-]*$/.test(folder)) throw refused(module, "cannot name a folder after this file");
    const other = folders.get(folder.toLowerCase());
    if (other) throw refused(module, `${other.file} would be written to the folder ${folder}/ too`);
    folders.set(folder.toLowerCase(), module);
  }
  for (const module of modules) refusePointersToPointers(module);
  const files = new Map([...modules].flatMap((module) => [...emitModule(module, { runtime })]));
  if (modules.size > 1) files.set("index.ts", emitRoot([...modules]));
  return { files, warnings: [...new Set(loaded.flatMap(({ warnings }) => warnings))] };
}

/** `T | null` has one way to say that nothing is there; optional data inside optional data has two. */
function refusePointersToPointers(module: Module): void {
  const typedefs = new Map<string, Type>();
  for (const each of visible(module)) {
    for (const definition of each.definitions) {
      if (definition.kind === "typedef") typedefs.set(definition.name, definition.type);
    }
  }
  const resolve = (type: Type): Type => {
    const target = type.kind === "ref" ? typedefs.get(type.name) : undefined;
    return target === undefined ? type : resolve(target);
  };
  const wrong = (type: Type): boolean => type.kind === "optional" && resolve(type.element).kind === "optional";
  for (const definition of module.definitions) {
    const places: readonly { readonly type: Type; readonly at: Location }[] =
      definition.kind === "struct"
        ? definition.fields
        : definition.kind === "union"
          ? [...definition.cases, definition.default ?? {}].flatMap(({ field }) => field ?? [])
          : definition.kind === "typedef"
            ? [definition]
            : [];
    const place = places.find(({ type }) => wrong(type));
    if (place) throw refused(module, "a pointer to a pointer has no TypeScript type", place.at);
  }
}

function refused({ file }: Module, message: string, at: Location = { file, line: 1, column: 1 }): CodegenError {
  return new CodegenError([{ severity: "error", message, at, length: 0, excerpt: "" }]);
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
