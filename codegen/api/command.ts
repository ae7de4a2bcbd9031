import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { CodegenError } from "../diagnostics.ts";
import { writeFiles } from "../generate.ts";
import { type Loaded, loadModule } from "../loader.ts";
import { emitCoverage, type Results } from "./coverage.ts";
import { emitApi } from "./emit.ts";
import { planApi } from "./plan.ts";
import { parseApi } from "./prototypes.ts";

/**
 * The build's own entry: `node command.js FILE.api FILE.x... --out DIR` writes the classes, `--coverage FILE.md` the
 * table of all functions, with what `--results FILE.json`, if it is there, says of them.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: "string" }, coverage: { type: "string" }, results: { type: "string" } },
});

try {
  const data = positionals.find((path) => path.endsWith(".api"));
  if (data === undefined) throw new Error("FILE.api is missing");
  if (values.out === undefined && values.coverage === undefined) throw new Error("--out DIR is missing");
  const cache = new Map<string, Loaded>();
  const modules = positionals.filter((path) => path.endsWith(".x")).map((path) => loadModule(path, { cache }).module);
  const api = planApi(parseApi(await readFile(data, "utf8"), data), modules);
  if (values.out !== undefined) await writeFiles(emitApi(api, data), values.out);
  if (values.coverage !== undefined) {
    const known =
      values.results === undefined ? undefined : await readFile(values.results, "utf8").catch(() => undefined);
    await mkdir(dirname(values.coverage), { recursive: true });
    await writeFile(values.coverage, emitCoverage(api, known === undefined ? {} : (JSON.parse(known) as Results)));
  }
} catch (error) {
  console.error(error instanceof CodegenError ? error.message : error);
  process.exitCode = 1;
}
