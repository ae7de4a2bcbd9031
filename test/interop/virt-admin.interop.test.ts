/** The real virt-admin against our daemon's admin socket; what it prints about a libvirtd is the reference. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, connect } from "../../src/api/index.ts";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { adminProgram, createServer, DaemonLog, type Server } from "../../src/server/index.ts";
import { Lab, labObstacle, type ProcessResult, runProcess } from "../lab/lab.ts";
import { part } from "./part.ts";

part("virt-admin against our daemon", labObstacle(), () => {
  let lab: Lab;
  let folder: string;
  let theirs: string;
  let ours: string;
  let main: Server;
  let admin: Server;
  let hypervisor: ReturnType<typeof createMemoryHypervisor>;
  const held: Connection[] = [];
  const timeouts: number[] = [];

  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], tag: "vwa", net: "10.89.0" });
    folder = await mkdtemp(join(tmpdir(), "virtwire-"));
    const { unix } = await lab.host("alpha");
    theirs = `libvirtd+unix:///system?socket=${join(dirname(unix), "libvirt-admin-sock")}`;
    ours = `libvirtd+unix:///system?socket=${join(folder, "admin")}`;
    hypervisor = createMemoryHypervisor({ inventory: "test" });
    main = createServer({
      name: "libvirtd",
      listen: [`unix:${join(folder, "sock")}`],
      programs: [remoteProgram(hypervisor)],
    });
    admin = createServer({
      name: "admin",
      listen: [`unix:${join(folder, "admin")}`],
      limits: { maxAnonymousClients: 0, maxQueuedClients: 20 },
      programs: [
        adminProgram({
          servers: () => [main, admin],
          log: new DaemonLog({ outputs: `1:file:${join(folder, "log")}`, filters: "1:remote 4:event" }),
          setTimeout: (seconds) => timeouts.push(seconds),
        }),
      ],
    });
    await main.listen();
    await admin.listen();
    for (const socket of [unix, join(folder, "sock")]) {
      held.push(await connect(`test+unix:///default?socket=${socket}`));
    }
  });
  afterAll(async () => {
    await Promise.all(held.map((connection) => connection.close()));
    await main?.close();
    await admin?.close();
    await hypervisor?.close();
    await lab?.down();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const run = async (uri: string, ...args: string[]): Promise<ProcessResult> =>
    await runProcess("virt-admin", ["-c", uri, ...args], {
      env: { ...process.env, LC_ALL: "C.UTF-8" },
      timeout: 60_000,
    });
  /** Both, with numbers, times and widths out of the way. */
  async function alike(...args: string[]): Promise<{ readonly theirs: string; readonly ours: string }> {
    return { theirs: shape(await run(theirs, ...args)), ours: shape(await run(ours, ...args)) };
  }
  const shape = ({ code, stdout, stderr }: ProcessResult): string =>
    `${code}\n${`${stdout}\n${stderr}`
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}/g, "TIME")
      .replace(/\d+/g, "N")
      .replace(/-{3,}/g, "---")
      .replace(/[ \t]+/g, " ")}`;
  /** The number of the daemon's only client. */
  async function clientOf(uri: string): Promise<string> {
    const [, , line = ""] = (await run(uri, "client-list", "libvirtd")).stdout.split("\n");
    return /^\s*(\d+)/.exec(line)?.[1] ?? "";
  }

  test.each([
    ["version"],
    ["server-threadpool-info", "libvirtd"],
    ["server-threadpool-info", "admin"],
    ["server-threadpool-info", "nosuch"],
    ["server-threadpool-set", "libvirtd", "--max-workers", "30", "--min-workers", "7", "--priority-workers", "9"],
    ["server-threadpool-set", "libvirtd", "--max-workers", "1", "--min-workers", "7"],
    ["server-clients-info", "libvirtd"],
    ["server-clients-set", "libvirtd", "--max-clients", "60", "--max-unauth-clients", "30"],
    ["server-clients-set", "libvirtd", "--max-clients", "6", "--max-unauth-clients", "30"],
    ["client-info", "libvirtd", "9999"],
    ["client-disconnect", "libvirtd", "9999"],
    ["daemon-log-filters", "--filters", "1:remote 3:qemu"],
    ["daemon-log-filters"],
    ["daemon-log-filters", "--filters", "nonsense"],
    ["daemon-log-outputs", "--outputs", "nonsense"],
    ["daemon-log-outputs", "--outputs", "1:nowhere"],
    ["server-update-tls", "libvirtd"],
  ])("%s %s", async (...args) => {
    const shapes = await alike(...args);
    expect(shapes.ours).toBe(shapes.theirs);
  });

  test("server-list", async () => {
    // libvirtd's order is that of a hash table with a random seed.
    const sorted = (text: string) => text.split("\n").toSorted();
    const shapes = await alike("server-list");
    expect(sorted(shapes.ours)).toEqual(sorted(shapes.theirs));
  });

  test("what was set is in force", async () => {
    expect(main.limits).toMatchObject({ minWorkers: 7, maxWorkers: 30, priorityWorkers: 9 });
    expect(main.limits).toMatchObject({ maxClients: 60, maxAnonymousClients: 30 });
    expect((await run(ours, "server-clients-info", "libvirtd")).stdout).toMatch(/nclients_max\s*: 60/);
  });

  test("uri", async () => {
    expect((await run(ours, "uri")).stdout.trim()).toBe(ours);
  });

  test("clients: listed, looked at, sent away", async () => {
    const list = await alike("client-list", "libvirtd");
    expect(list.ours).toBe(list.theirs);
    expect(list.ours).toMatch(/^0\n Id Transport Connected since\n---\n N unix TIME\n/);
    const [theirId, id] = [await clientOf(theirs), await clientOf(ours)];
    const info = await run(ours, "client-info", "libvirtd", id);
    // From where the lab's daemon runs, this process cannot be seen: it has the number -1 or 0 there.
    const theirInfo = shape(await run(theirs, "client-info", "libvirtd", theirId));
    expect(shape(info)).toBe(theirInfo.replace("unix_process_id: -N", "unix_process_id: N"));
    expect(info.stdout).toMatch(new RegExp(`^unix_process_id\\s*: ${process.pid}$`, "m"));
    expect(info.stdout).toMatch(/^unix_user_name\s*: root$/m);
    const sent = await run(ours, "client-disconnect", "libvirtd", id);
    expect(sent).toMatchObject({ code: 0, stdout: `Client '${id}' disconnected\n` });
    expect(shape(sent)).toBe(shape(await run(theirs, "client-disconnect", "libvirtd", theirId)));
    expect(main.sessions.map((session) => session.id)).not.toContain(Number(id));
  });

  test("logging outputs and the daemon's timeout", async () => {
    const file = join(folder, "other-log");
    expect(await run(ours, "daemon-log-outputs", "--outputs", `1:file:${file}`)).toMatchObject({ code: 0, stderr: "" });
    expect((await run(ours, "daemon-log-outputs")).stdout).toContain(`1:file:${file}`);
    expect(await readFile(file, "utf8")).toBe("");
    expect(await run(ours, "daemon-timeout", "--timeout", "30")).toMatchObject({ code: 0, stderr: "" });
    expect(timeouts).toEqual([30]);
  });
});
