/** From a `.x` file and what it imports to a {@link Module}. */

import { readFileSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import { check } from "./checker.ts";
import { CodegenError, type Diagnostic, quote, Report, Source } from "./diagnostics.ts";
import type { Module } from "./model.ts";
import { parse } from "./parser.ts";

export interface LoadOptions {
  /** Constants that the file takes from C headers, such as `VIR_UUID_BUFLEN`. Default: none. */
  readonly externals?: Readonly<Record<string, number>>;
  /** Makes `<>`, which lets the peer choose any length up to 2^32 - 1, an error. Default: false. */
  readonly requireLimits?: boolean;
}

export interface ParseOptions extends LoadOptions {
  /** The name that diagnostics show. */
  readonly file: string;
  /** Finds an imported file by the name in `%#include "NAME"`. Default: there is none. */
  readonly resolve?: (name: string, from: string) => SourceFile | undefined;
  /** Modules read before, by file: give the same map to several calls, and each file is read once. */
  readonly cache?: Map<string, Loaded>;
}

export interface SourceFile {
  readonly file: string;
  readonly source: string;
}

export interface Loaded {
  readonly module: Module;
  /** Of this file and of what it imports. */
  readonly warnings: readonly Diagnostic[];
}

/** How deep imports may go. */
const MAX_IMPORTS = 100;

/**
 * Reads one `.x` text. `%#include "FILE.x"` imports FILE.x, which must exist. `%#include "FILE.h"` imports FILE.x where that exists,
 * since rpcgen makes the one from the other; it is C's business otherwise.
 *
 * @throws {CodegenError} with everything that is wrong, and nothing else.
 */
export function parseModule(source: string, options: ParseOptions): Loaded {
  return read({ file: options.file, source }, options, [], options.cache ?? new Map());
}

/**
 * Reads a `.x` file from the disk, and what it imports from the folders beside it.
 *
 * @throws {CodegenError} also when a file cannot be read.
 */
export function loadModule(path: string, options: LoadOptions & Pick<ParseOptions, "cache"> = {}): Loaded {
  const file = normalize(path);
  const known = options.cache?.get(file);
  if (known !== undefined) return known;
  return parseModule(readSource(file), { ...options, file, resolve: resolveBeside });
}

function read(
  { file, source }: SourceFile,
  options: ParseOptions,
  importers: readonly string[],
  cache: Map<string, Loaded>,
): Loaded {
  const report = new Report(new Source(file, source));
  const tree = parse(report);

  const path = [...importers, file];
  const imports = new Map<string, Loaded>();
  for (const { path: name, span } of tree.includes) {
    const header = !name.endsWith(".x");
    if (header && !name.endsWith(".h")) continue;
    const found = options.resolve?.(header ? name.replace(/h$/, "x") : name, file);
    if (found === undefined) {
      if (!header) report.error(span, `cannot find ${quote(name)}`);
    } else if (path.includes(found.file)) {
      // A header may name itself by a detour: C guards against that.
      if (!header)
        report.error(span, `import cycle: ${[...path.slice(path.indexOf(found.file)), found.file].join(" → ")}`);
    } else if (path.length >= MAX_IMPORTS) {
      report.error(span, `imports nested deeper than ${MAX_IMPORTS}`);
    } else {
      imports.set(found.file, cache.get(found.file) ?? read(found, options, path, cache));
    }
  }

  const { externals = {}, requireLimits = false } = options;
  const module = check(tree, report, {
    imports: [...imports.values()].map((loaded) => loaded.module),
    externals,
    requireLimits,
  });
  report.throwIfErrors();
  const warnings = [...imports.values()].flatMap((loaded) => loaded.warnings);
  const loaded = { module, warnings: [...new Set([...warnings, ...report.warnings])] };
  cache.set(file, loaded);
  return loaded;
}

/** `<rpcsvc/nis.h>` is beside the file that names it as well as below it. */
function resolveBeside(name: string, from: string): SourceFile | undefined {
  for (const path of [name, basename(name)]) {
    const file = isAbsolute(path) ? normalize(path) : join(dirname(from), path);
    if (isFile(file)) return { file, source: readSource(file) };
  }
  return undefined;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // not there, not allowed, or no path at all
  }
}

function readSource(file: string): string {
  try {
    return new TextDecoder().decode(readFileSync(file));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const at = { file, line: 1, column: 1 };
    throw new CodegenError([
      { severity: "error", message: `cannot read the file: ${why}`, at, length: 1, excerpt: "" },
    ]);
  }
}
