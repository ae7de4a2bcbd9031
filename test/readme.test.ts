/** The README's examples, compiled as a user of the package would and run. They need the build that `npm test` makes. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileExamples, examplesOf } from "./examples.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
/** Inside the package, so that `virtwire` means this one. */
const folder = join(root, "dist", "readme-examples");
const readme = readFileSync(join(root, "README.md"), "utf8");
const examples = examplesOf(readme);

const daemons: ChildProcess[] = [];
/** The URI of a daemon that runs the server example. */
async function daemon(): Promise<string> {
  const child = spawn(process.execPath, [join(folder, "server.js")], { stdio: ["ignore", "pipe", "inherit"] });
  daemons.push(child);
  const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const uri = /^virsh -c (\S+) list --all\n$/.exec(line)?.[1];
  expect(uri, line).toBeDefined();
  return uri as string;
}
async function output(name: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await run(process.execPath, [join(folder, `${name}.js`), ...args], { timeout: 60_000 });
  return stdout.trimEnd().split("\n");
}
const virtwire = async (...args: string[]): Promise<string> =>
  (await run(process.execPath, [join(root, "dist/src/cli/main.js"), ...args], { timeout: 60_000 })).stdout;

beforeAll(() => compileExamples(folder, examples), 120_000);
afterAll(() => {
  for (const child of daemons) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

test("the README has the examples that are run here, and no other TypeScript", () => {
  expect(examples.map(({ name }) => name)).toEqual(["client", "events", "volume", "server", "migrate"]);
  expect(readme.match(/^```ts$/gm)).toHaveLength(examples.length);
});

test("client", async () => {
  const uri = await daemon();
  const xml = join(folder, "web.xml");
  writeFileSync(xml, "<domain type='test'><name>web</name><memory>4096</memory><os><type>hvm</type></os></domain>");
  await virtwire("define", "-c", uri, xml);
  await virtwire("start", "-c", uri, "web");
  const lines = await output("client", uri);
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(/^\S+ on one$/);
  expect(lines[1]).toBe("web running 4096n");
  expect(lines[2]).toBe("Domain not found: no domain with matching name 'nope'");
  expect(lines[3]).toMatch(/^\d+ CPU models$/);
});

test("events", async () => {
  const uri = await daemon();
  const xml = join(folder, "heard.xml");
  writeFileSync(xml, "<domain type='test'><name>web</name><memory>4096</memory><os><type>hvm</type></os></domain>");
  const child = spawn(process.execPath, [join(folder, "events.js"), uri], { stdio: ["ignore", "pipe", "inherit"] });
  daemons.push(child);
  let heard = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  const ended = once(child, "exit");
  // Until it listens: what was before that it cannot hear.
  await expect
    .poll(
      async () => {
        if (heard === "") {
          await virtwire("define", "-c", uri, xml);
          await virtwire("undefine", "-c", uri, "web");
        }
        return child.exitCode;
      },
      { timeout: 30_000 },
    )
    .toBe(0);
  await ended;
  const lines = heard.trimEnd().split("\n");
  expect(lines.at(-1)).toBe("web 1 0");
  expect(["web 0 0", "web 1 0"]).toContain(lines[0]);
});

test("volume: what comes back is what went there", async () => {
  const args = ["daemon", "--listen", "tcp://127.0.0.1:0", "--inventory", "test", "--json"];
  const child = spawn(process.execPath, [join(root, "dist/src/cli/main.js"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  daemons.push(child);
  const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const [address] = (JSON.parse(line) as { addresses: string[] }).addresses;
  const [file, copy] = [join(folder, "original"), join(folder, "copy")];
  const data = Buffer.alloc(3 << 20, "what is sent has to come back ");
  writeFileSync(file, data);
  const lines = await output("volume", `test+${address}/default`, file, copy);
  expect(lines).toEqual([`${data.length} bytes of data sent`]);
  expect(readFileSync(copy).subarray(0, data.length).equals(data)).toBe(true);
});

test("server: ends well when it is told to", async () => {
  await daemon();
  const child = daemons.at(-1) as ChildProcess;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});

test("migrate", async () => {
  const [from, to] = [await daemon(), await daemon()];
  const xml = join(folder, "moving.xml");
  const text = "<domain type='test'><name>web</name><memory unit='MiB'>8</memory><os><type>hvm</type></os></domain>";
  writeFileSync(xml, text);
  await virtwire("define", "-c", from, xml);
  await virtwire("start", "-c", from, "web");
  const lines = await output("migrate", from, to, "web");
  const steps = ["begin", "prepare", "perform", "finish", "confirm"];
  expect(lines.filter((line) => !line.endsWith("%")).slice(0, -1)).toEqual(
    steps.flatMap((step) => [`${step} started`, `${step} done`]),
  );
  expect(lines.at(-1)).toBe("web is on one");
  expect(await virtwire("list", "-c", to)).toContain("web");
});
