/** Clients that are not ours, in Python and in Go, against our daemon: libvirt's C library, and one without it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { plannedApi } from "../codegen/api/reading.ts";
import { labObstacle, runProcess } from "../lab/lab.ts";
import { part } from "./part.ts";
import { python, setupPython } from "./python.ts";

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Report {
  /** Functions of the C library that succeeded at least once. */
  readonly called: readonly string[];
  /** Functions that never did. */
  readonly failed: readonly string[];
  /** What was heard, its kind first. */
  readonly events: readonly (readonly unknown[])[];
}

part("other clients against our daemon", labObstacle(), () => {
  let folder: string;
  let socket: string;
  let server: Server;
  let hypervisor: ReturnType<typeof createMemoryHypervisor>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "virtwire-"));
    socket = join(folder, "sock");
    hypervisor = createMemoryHypervisor({ inventory: "test" });
    server = createServer({ listen: [`unix:${socket}`], programs: [remoteProgram(hypervisor)] });
    await server.listen();
  });
  afterAll(async () => {
    await server?.close();
    await hypervisor?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  test("libvirt's Python binding: 150 functions and more, and events of every kind of object", async () => {
    await setupPython();
    const uri = `test+unix:///default?socket=${socket}`;
    const done = await runProcess(python, [program("server_clients.py"), uri, folder], { timeout: 120_000 });
    expect(done.stderr).toBe("");
    const { called, failed, events } = JSON.parse(done.stdout) as Report;
    const remote = new Set(plannedApi().functions.flatMap(({ fn }) => (fn.procedure === undefined ? [] : [fn.name])));
    const procedures = called.filter((name) => remote.has(name));
    console.log(`${called.length} functions of the C library, ${procedures.length} of them call the daemon`);
    expect(procedures.length).toBeGreaterThanOrEqual(150);
    expect(failed).toEqual([]);
    const kinds = new Set(events.map(([kind]) => kind));
    expect([...kinds].toSorted()).toEqual(
      ["balloon", "lifecycle", "metadata", "network", "pool", "reboot", "secret", "tunable"].toSorted(),
    );
  });

  test("go-libvirt: lists, defines, starts, hears, uploads and downloads", async () => {
    const binary = join(folder, "go-client");
    const go = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOPROXY: "off", GOFLAGS: "", CGO_ENABLED: "0" };
    const env = { ...process.env, ...go, GOCACHE: join(folder, "cache") };
    await setupGo();
    await promisify(execFile)("go", ["build", "-o", binary, program("server_clients.go")], { env });
    const { code, stdout, stderr } = await runProcess(binary, [socket], { timeout: 60_000 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(`event go 0\nevent go 2\nevent go 5\nevent go 1\nbytes ${8 << 20}\ndone\n`);
  });
});

/** Installs Go and go-libvirt from Debian where they are missing. */
async function setupGo(): Promise<void> {
  const packages = ["golang-go", "golang-github-digitalocean-go-libvirt-dev"];
  const there = await runProcess("dpkg-query", ["-W", ...packages], { timeout: 60_000 });
  if (there.code === 0) return;
  const get = (...args: string[]) =>
    promisify(execFile)("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=600", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      timeout: 600_000,
    });
  const install = () => get("install", "--no-install-recommends", ...packages);
  // Package lists may be absent or too old: they are renewed only then.
  await install().catch(async () => {
    await get("update");
    await install();
  });
}
