/** A real guest moved between two real hosts by our command, back and forth. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as remote from "../../src/generated/remote/index.ts";
import { type HostName, Lab, labObstacle, type ProcessResult, runProcess } from "../lab/lab.ts";
import { part } from "./part.ts";

const command = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const obstacle = labObstacle() ?? (existsSync(command) ? undefined : "the package is not built: npm run build");

/** The migration procedures that a managing client may send, and the name that the log test gives each. */
const phases = new Map<number, string>([
  [remote.domainMigrateBegin3.number, "begin"],
  [remote.domainMigrateBegin3Params.number, "begin"],
  [remote.domainMigratePrepare3.number, "prepare"],
  [remote.domainMigratePrepare3Params.number, "prepare"],
  [remote.domainMigratePerform3.number, "perform"],
  [remote.domainMigratePerform3Params.number, "perform"],
  [remote.domainMigrateFinish3.number, "finish"],
  [remote.domainMigrateFinish3Params.number, "finish"],
  [remote.domainMigrateConfirm3.number, "confirm"],
  [remote.domainMigrateConfirm3Params.number, "confirm"],
  [remote.domainMigratePerform.number, "perform of version 1"],
  [remote.domainMigratePrepare.number, "prepare of version 1"],
  [remote.domainMigratePrepare2.number, "prepare of version 2"],
]);

part("virtwire migrate between two libvirtd hosts", obstacle, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha", "beta"], tag: "vwm", net: "10.81.0" });
    await lab.guest("alpha", "web", "--dirty", "4");
  });
  afterAll(async () => await lab?.down());

  /** The migration calls that reached a host, with when they did. */
  async function received(host: HostName): Promise<{ when: string; what: string }[]> {
    const log = await readFile((await lab.host(host)).log, "utf8");
    return [...log.matchAll(/^(\S+ \S+): .*RPC_SERVER_CLIENT_MSG_RX: .* prog=536903814 vers=1 proc=(\d+) type=0 /gm)]
      .map(([, when = "", proc = ""]) => ({ when, what: phases.get(Number(proc)) ?? "" }))
      .filter(({ what }) => what !== "");
  }

  /** The name of the one host on which the guest runs. */
  async function runsOn(): Promise<HostName[]> {
    const hosts: HostName[] = ["alpha", "beta"];
    const found: HostName[] = [];
    for (const host of hosts) {
      const { stdout } = await lab.virsh(await lab.uri(host), "-q", "list", "--name", "--state-running");
      if (stdout.split("\n").includes("web")) found.push(host);
    }
    return found;
  }

  const virtwire = async (guest: string, from: HostName, to: HostName, ...more: string[]): Promise<ProcessResult> => {
    const args = ["migrate", "-c", await lab.uri(from), guest, await lab.uri(to), "--live", ...more];
    return await runProcess(process.execPath, [command, ...args]);
  };

  /** Waits for a tick on that host above a count, which a guest that runs gives within a second or two. */
  async function tickAbove(host: HostName, count: number): Promise<number> {
    const until = Date.now() + 30_000;
    while (Date.now() < until) {
      const last = (await lab.ticks(host, "web")).at(-1) ?? 0;
      if (last > count) return last;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the guest does not tick on ${host}`);
  }

  test("ten times in a row, back and forth, and the guest never notices", { timeout: 300_000 }, async () => {
    for (let round = 0; round < 10; round++) {
      const [from, to] = round % 2 === 0 ? (["alpha", "beta"] as const) : (["beta", "alpha"] as const);
      const before = (await lab.tick(from, "web")).count;
      const seen = { from: (await received(from)).length, to: (await received(to)).length };

      const began = performance.now();
      const run = await virtwire("web", from, to);
      const took = performance.now() - began;
      expect(run.code, run.stderr + run.stdout).toBe(0);

      expect(await runsOn()).toEqual([to]);
      const after = await tickAbove(to, before);
      // It went on from where it was: a restart would begin at 1, a lost guest would not tick at all.
      expect(after).toBeLessThan(before + 30);

      const source = (await received(from)).slice(seen.from);
      const destination = (await received(to)).slice(seen.to);
      expect(source.map(({ what }) => what)).toEqual(["begin", "perform", "confirm"]);
      expect(destination.map(({ what }) => what)).toEqual(["prepare", "finish"]);
      // One clock for both hosts; calls that fall into the same millisecond keep the order of the sequence.
      const calls = [source[0], destination[0], source[1], destination[1], source[2]];
      const times = calls.map((call) => call?.when ?? "");
      expect(times).toEqual([...times].sort());
      console.log(`${round + 1}: ${from} to ${to} in ${Math.round(took)} ms, tick ${before} then ${after}`);
    }

    // Every tick of its life was written once, on one host or the other, and each log only ever goes up.
    const logs = [await lab.ticks("alpha", "web"), await lab.ticks("beta", "web")];
    for (const log of logs) expect(log).toEqual([...log].sort((a, b) => a - b));
    const all = logs.flat();
    expect(new Set(all).size).toBe(all.length);
    console.log(`ticks 1 to ${Math.max(...all)}, ${all.length} of them logged whole`);
  });

  test("with a new name and changed XML, and back", async () => {
    const [source = "alpha"] = await runsOn();
    const target: HostName = source === "alpha" ? "beta" : "alpha";
    const before = (await lab.tick(source, "web")).count;
    const { stdout: xml } = await lab.virsh(await lab.uri(source), "-q", "dumpxml", "--migratable", "web");
    const changed = join(lab.dir, "changed.xml");
    await writeFile(changed, xml.replace("<name>web</name>", "<name>web</name><title>moved</title>"));

    const there = await virtwire("web", source, target, "--xml", changed, "--dname", "web2");
    expect(there.code, there.stderr + there.stdout).toBe(0);
    const to = await lab.uri(target);
    expect((await lab.virsh(to, "-q", "domstate", "web2")).stdout.trim()).toBe("running");
    expect((await lab.virsh(to, "-q", "dumpxml", "web2")).stdout).toContain("<title>moved</title>");
    expect(await tickAbove(target, before)).toBeLessThan(before + 30);

    const back = await virtwire("web2", target, source, "--dname", "web");
    expect(back.code, back.stderr + back.stdout).toBe(0);
    expect(await runsOn()).toEqual([source]);
  });

  test("a migration that the target refuses leaves the guest where it was, and ends non-zero", async () => {
    const [host = "alpha"] = await runsOn();
    const before = (await lab.tick(host, "web")).count;
    // Onto itself: libvirt refuses that at the first or second step.
    const run = await virtwire("web", host, host);
    expect(run.code).not.toBe(0);
    expect(run.stderr).toMatch(/^error: /m);
    expect(await runsOn()).toEqual([host]);
    await tickAbove(host, before);
  });
});
