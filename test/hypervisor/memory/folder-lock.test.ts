import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockFolder } from "../../../src/hypervisor/memory/state/folder-lock.ts";

let folder: string;
let outside: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lock-"));
  outside = mkdtempSync(join(tmpdir(), "lock-module-"));
});
afterEach(() => {
  for (const each of [folder, outside]) rmSync(each, { recursive: true });
});

/** Starts processes that take the folder and keep it until their input ends; what each says first. */
async function takers(
  count: number,
): Promise<{ child: ChildProcessByStdio<Writable, Readable, null>; said: string }[]> {
  const entry = new URL("../../../src/hypervisor/memory/state/folder-lock.ts", import.meta.url);
  const outfile = join(outside, "lock.mjs");
  await build({ entryPoints: [fileURLToPath(entry)], bundle: true, platform: "node", format: "esm", outfile });
  const script = `const { lockFolder } = await import(${JSON.stringify(outfile)});
    try { lockFolder(${JSON.stringify(folder)}); console.log("taken"); } catch (error) { console.log(error.message); }
    process.stdin.resume();`;
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["pipe", "pipe", "inherit"] }),
  );
  return Promise.all(
    children.map(async (child) => {
      const [said] = await once(child.stdout, "data");
      return { child, said: String(said).trim() };
    }),
  );
}

async function end(children: Awaited<ReturnType<typeof takers>>): Promise<void> {
  for (const { child } of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "close");
  }
}

test("a folder is one user's until it is released", () => {
  const release = lockFolder(folder);
  expect(() => lockFolder(folder)).toThrow(
    expect.objectContaining({
      name: "StateError",
      message: `${folder} is in use: this process, ${process.pid}, keeps its state there`,
    }),
  );
  release();
  const again = lockFolder(folder);
  release(); // not its own any more
  expect(() => lockFolder(folder)).toThrow("is in use");
  again();
  expect(readdirSync(folder)).toHaveLength(1);
});

test("another process is named; when it is killed, the folder is free", async () => {
  const [taker] = await takers(1);
  expect(taker?.said).toBe("taken");
  expect(() => lockFolder(folder)).toThrow(`is in use: process ${taker?.child.pid} keeps its state there`);
  await end([taker!]);
  lockFolder(folder)();
});

test("of many that find a folder whose user was killed, one has it", async () => {
  const [first] = await takers(1);
  await end([first!]);
  const children = await takers(6);
  try {
    const winners = children.filter(({ said }) => said === "taken");
    expect(winners).toHaveLength(1);
    for (const { said } of children) {
      expect([
        winners[0]?.said,
        `${folder} is in use: process ${winners[0]?.child.pid} keeps its state there`,
      ]).toContain(said);
    }
  } finally {
    await end(children);
  }
}, 30_000);

test.runIf(process.platform === "linux")(
  "a process that has the number of the one before, or of one before the machine started, is another",
  () => {
    for (const change of [{ started: "1" }, { boot: "another" }]) {
      lockFolder(folder);
      const path = join(folder, readdirSync(folder)[0]!);
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
      lockFolder(folder)();
    }
  },
);

test("what cannot be read is named", () => {
  const path = join(folder, "lock.7");
  for (const text of ["{", "{}", '{"pid":-1}', "\0\0"]) {
    writeFileSync(path, text);
    expect(() => lockFolder(folder)).toThrow(`${path} is damaged: remove it where no process uses the folder`);
  }
  writeFileSync(path, "");
  lockFolder(folder);
  expect(readdirSync(folder)).toEqual(["lock.8"]);
  expect(() => lockFolder(join(folder, "none"))).toThrow(`${join(folder, "none")} cannot be locked: ENOENT`);
});
