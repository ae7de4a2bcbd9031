/** The examples of docs/server.md, compiled as a user of the package would and run. They need the build. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileExamples, examplesOf } from "../examples.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
/** Inside the package, so that `virtwire` means this one. */
const folder = join(root, "dist", "server-examples");
const text = readFileSync(join(root, "docs/server.md"), "utf8");
const examples = examplesOf(text);
const children: ChildProcess[] = [];

beforeAll(() => compileExamples(folder, examples), 120_000);
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

test("the examples are those that are run here, and there is no other TypeScript", () => {
  expect(examples.map(({ name }) => name)).toEqual(["minimal", "listeners", "pair"]);
  expect(text.match(/^```ts$/gm)).toHaveLength(examples.length);
});

test("minimal: serves a client of ours, and ends when it is told to", async () => {
  const child = spawn(process.execPath, [join(folder, "minimal.js")], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const { connect } = await import("../../src/api/index.ts");
  const conn = await connect(`test+${line.trim()}/default`);
  expect(await conn.getType()).toBe("example");
  expect(await conn.getHostname()).toBe("one.example");
  await expect(conn.lookupDomainByName("web")).rejects.toMatchObject({
    code: 42,
    message: expect.stringContaining("Domain not found: web"),
  });
  await expect(conn.listAllDomains()).rejects.toMatchObject({ code: 3 });
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  await conn.close();
});

test("pair: a client and a server in one process", async () => {
  const { stdout } = await run(process.execPath, [join(folder, "pair.js")], { timeout: 60_000 });
  expect(stdout).toBe("one\n");
});
