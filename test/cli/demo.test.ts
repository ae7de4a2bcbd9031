import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isAlive, type Running, startCli } from "./run-cli.ts";

/** What the demo takes for the system's temporary directory. */
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "virtwire-test-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function startDemo(...args: string[]): Running {
  const running = startCli(["demo", ...args], { TMPDIR: dir });
  running.child.stdin?.end();
  return running;
}

/** The processes of the daemons, as the demo names them. */
function daemons(running: Running): number[] {
  return [...running.stdout().matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid));
}

async function expectNothingLeft(pids: readonly number[]): Promise<void> {
  expect(pids).toHaveLength(2);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(await readdir(dir)).toEqual([]);
}

describe("cli/demo", { timeout: 60_000 }, () => {
  test("moves the guest, shows the five calls, and every check of the verdict holds", async () => {
    const running = startDemo();
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const calls = [...stdout.matchAll(/^ {2}(\d) (\w+) +(alpha|beta) +[\d.]+ ms$/gm)].map(([, ...parts]) => parts);
    expect(calls).toEqual([
      ["1", "begin", "alpha"],
      ["2", "prepare", "beta"],
      ["3", "perform", "alpha"],
      ["4", "finish", "beta"],
      ["5", "confirm", "alpha"],
    ]);
    expect(stdout).toContain("256.0 MiB moved");
    const [before, after] = [...stdout.matchAll(/sha256 ([0-9a-f]{64})/g)].map(([, hash]) => hash);
    expect(after).toBe(before);
    expect([...stdout.matchAll(/^ {2}ok {3}/gm)]).toHaveLength(6);
    expect(stdout).not.toContain("FAIL");
    await expectNothingLeft(daemons(running));
  });

  test("^C while the memory moves: the migration is aborted and nothing is left behind", async () => {
    const running = startDemo("--bandwidth", "16");
    await running.waitFor("2 prepare");
    running.child.kill("SIGINT");
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
    expect(stdout).toMatch(/interrupted\n$/);
    expect(stdout).not.toContain("Verdict");
    await expectNothingLeft(daemons(running));
  });

  test("a daemon that dies on the way: exit code 1, the reason, and nothing left behind", async () => {
    const running = startDemo("--bandwidth", "16");
    await running.waitFor("2 prepare");
    process.kill(daemons(running)[1]!, "SIGKILL");
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(1);
    expect(stdout).not.toContain("Verdict");
    expect(stderr).toMatch(/^error: .+\n$/);
    await expectNothingLeft(daemons(running));
  });
});
