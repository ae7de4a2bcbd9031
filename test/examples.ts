/** Examples of a document, compiled as a user of the package would. They need the build that `npm test` makes. */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

export interface Example {
  readonly name: string;
  readonly source: string;
}

/** What follows `<!-- example: NAME -->`. */
export function examplesOf(document: string): readonly Example[] {
  return [...document.matchAll(/<!-- example: (\w+) -->\n```ts\n(.*?)```/gs)].map(([, name = "", source = ""]) => ({
    name,
    source,
  }));
}

/** Writes and compiles them in a folder, made anew: `NAME.js`. */
export async function compileExamples(folder: string, examples: readonly Example[]): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, source } of examples) writeFileSync(join(folder, `${name}.ts`), source);
  const options =
    "--strict --target es2022 --lib es2023,esnext.disposable --module nodenext --types node --skipLibCheck";
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const files = examples.map(({ name }) => join(folder, `${name}.ts`));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [tsc, "--ignoreConfig", ...options.split(" "), ...files],
    { cwd: root },
  ).catch((error: { stdout: string }) => error);
  expect(stdout).toBe("");
}
