/** The real virsh against our daemon. What it prints against libvirtd's own test driver is the reference. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Connection, connect } from "../../src/api/index.ts";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { Lab, labObstacle, type ProcessResult, runProcess } from "../lab/lab.ts";
import { part } from "./part.ts";

const uuid = "10770000-1111-4222-8333-444455556666";
const xml = (type: string): string => `<domain type='${type}'>
  <name>web</name>
  <uuid>${uuid}</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <os><type>hvm</type></os>
</domain>
`;

part("virsh against our daemon", labObstacle(), () => {
  let lab: Lab;
  let folder: string;
  let server: Server;
  let reference: string;
  let held: Connection;
  const ours: Record<"tcp" | "unix", string> = { tcp: "", unix: "" };
  /** Files with a domain for the reference and for us. */
  const files = { reference: "", ours: "" };

  const virsh = async (uri: string, ...args: string[]): Promise<ProcessResult> =>
    await runProcess("virsh", ["-c", uri, ...args], { env: { ...process.env, LC_ALL: "C.UTF-8" }, timeout: 60_000 });

  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], tag: "vwv", net: "10.82.0" });
    folder = await mkdtemp(join(tmpdir(), "virtwire-"));
    reference = await lab.uri("alpha", "test");
    // The test driver's state lives as long as some connection to it does.
    held = await connect(reference);
    await virsh(reference, "destroy", "test");
    await virsh(reference, "undefine", "test");

    const hypervisor = createMemoryHypervisor();
    server = createServer({
      listen: ["tcp://127.0.0.1:0", `unix:${join(folder, "sock")}`],
      programs: [remoteProgram(hypervisor)],
    });
    await server.listen();
    const tcp = server.addresses.find((address) => address.startsWith("tcp:")) ?? "";
    ours.tcp = `test+${tcp}/default`;
    ours.unix = `test+unix:///default?socket=${join(folder, "sock")}`;
    files.reference = join(folder, "reference.xml");
    files.ours = join(folder, "ours.xml");
    await writeFile(files.reference, xml("test"));
    await writeFile(files.ours, xml("test"));
    await writeFile(join(folder, "bad.xml"), "<domain");
  });
  afterAll(async () => {
    await held?.close();
    await server?.close();
    await lab?.down();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  describe.each(["tcp", "unix"] as const)("%s", (access) => {
    beforeEach(async () => {
      // What a test that failed left behind must not fail the next.
      for (const uri of [reference, ours[access]]) {
        for (const verb of ["destroy", "undefine"]) await virsh(uri, verb, "web");
      }
    });

    /** Runs the same on both and expects the same text and exit code. */
    async function alike(...args: string[]): Promise<ProcessResult> {
      const theirs = await virsh(reference, ...args);
      const mine = await virsh(ours[access], ...args);
      expect(mine, args.join(" ")).toEqual(theirs);
      return mine;
    }
    async function define(): Promise<void> {
      const theirs = await virsh(reference, "define", files.reference);
      const mine = await virsh(ours[access], "define", files.ours);
      expect(theirs.code).toBe(0);
      expect(mine).toEqual({ ...theirs, stdout: theirs.stdout.replace(files.reference, files.ours) });
    }

    test("version", async () => {
      const shape =
        /^Compiled against library: libvirt [\d.]+\nUsing library: libvirt [\d.]+\nUsing API: \S+ [\d.]+\nRunning hypervisor: \S+ [\d.]+\n\n$/;
      expect((await virsh(reference, "version")).stdout).toMatch(shape);
      const mine = await virsh(ours[access], "version");
      expect(mine.stdout).toMatch(shape);
      expect(mine).toMatchObject({ code: 0, stderr: "" });
      const daemon = await virsh(ours[access], "version", "--daemon");
      expect(daemon.stdout).toMatch(/^Running against daemon: \d+\.\d+\.\d+$/m);
    });

    test("an empty list, a life, and an empty list again", async () => {
      expect((await alike("list", "--all")).stdout).toBe(" Id   Name   State\n--------------------\n\n");
      await define();
      expect((await alike("list", "--all")).stdout).toContain(" -    web    shut off\n");
      await alike("list");
      await alike("domstate", "web");
      await alike("domid", "web");
      expect((await alike("domuuid", "web")).stdout.trim()).toBe(uuid);
      await alike("domname", uuid);
      expect(await alike("start", "web")).toMatchObject({ code: 0, stdout: "Domain 'web' started\n\n" });
      expect((await alike("domstate", "web")).stdout).toBe("running\n\n");
      await alike("domstate", "--reason", "web");

      const id = (await virsh(ours[access], "-q", "domid", "web")).stdout.trim();
      expect(id).toMatch(/^[1-9]\d*$/);
      const list = await virsh(ours[access], "-q", "list");
      expect(list.stdout.trim()).toMatch(new RegExp(`^${id} +web +running$`));
      expect((await virsh(ours[access], "domname", id)).stdout.trim()).toBe("web");

      expect(await alike("start", "web")).toMatchObject({
        code: 1,
        stdout: "\n",
        stderr: "error: Domain is already active\n",
      });
      expect((await alike("destroy", "web")).stdout).toBe("Domain 'web' destroyed\n\n");
      await alike("domstate", "--reason", "web");
      expect((await alike("destroy", "web")).code).toBe(1);
      expect((await alike("undefine", "web")).stdout).toBe("Domain 'web' has been undefined\n\n");
      await alike("list", "--all");
    });

    test("dominfo", async () => {
      await define();
      for (const running of [false, true]) {
        if (running) await alike("start", "web");
        const fields = (text: string): Record<string, string> =>
          Object.fromEntries(
            text
              .split("\n")
              .map((line) => line.split(/:\s*/, 2))
              .filter(([name]) => name !== ""),
          ) as Record<string, string>;
        const theirs = fields((await virsh(reference, "dominfo", "web")).stdout);
        const mine = await virsh(ours[access], "dominfo", "web");
        expect(mine).toMatchObject({ code: 0, stderr: "" });
        for (const name of [
          "Name",
          "UUID",
          "State",
          "CPU(s)",
          "Max memory",
          "Used memory",
          "Persistent",
          "Autostart",
          "Managed save",
        ]) {
          expect(fields(mine.stdout)[name], name).toBe(theirs[name]);
        }
      }
      await alike("destroy", "web");
      await alike("undefine", "web");
    });

    test("dumpxml gives XML that defines the same guest", async () => {
      await define();
      await alike("start", "web");
      const { code, stdout } = await virsh(ours[access], "dumpxml", "web");
      expect(code).toBe(0);
      // The text is the driver's own; what it says is not.
      expect(stdout).toMatch(/^<domain type=(["'])test\1 id=(["'])\d+\2>/);
      expect(stdout).toContain("<name>web</name>");
      expect(stdout).toContain(`<uuid>${uuid}</uuid>`);
      expect(stdout).toMatch(/<memory unit=(["'])(KiB\1>65536|MiB\1>64)<\/memory>/);
      expect(stdout).toMatch(/<vcpu[^>]*>2<\/vcpu>/);
      const inactive = (await virsh(ours[access], "dumpxml", "--inactive", "web")).stdout;
      expect(inactive).toMatch(/^<domain type=(["'])test\1>/);
      await alike("destroy", "web");
      await alike("undefine", "web");
      const again = join(folder, "again.xml");
      await writeFile(again, inactive);
      expect((await virsh(ours[access], "define", again)).code).toBe(0);
      expect((await virsh(ours[access], "dumpxml", "--inactive", "web")).stdout).toBe(inactive);
      expect((await virsh(ours[access], "undefine", "web")).code).toBe(0);
    });

    test.each(["dominfo", "domstate", "dumpxml", "start", "destroy", "undefine"])(
      "an unknown domain: %s",
      async (verb) => {
        for (const name of ["nope", "99", "6695eb01-f6a4-8304-79aa-97f2502e193e"]) {
          expect(await alike(verb, name)).toEqual({
            code: 1,
            stdout: "\n",
            stderr: `error: failed to get domain '${name}'\n`,
          });
        }
      },
    );

    test("XML that is none, and a second guest of the same name", async () => {
      const bad = await virsh(ours[access], "define", join(folder, "bad.xml"));
      expect(bad.code).toBe(1);
      expect(bad.stderr).toContain(`error: Failed to define domain from ${join(folder, "bad.xml")}\nerror: `);
      await define();
      const other = join(folder, "other.xml");
      await writeFile(other, xml("test").replace(uuid, "10770000-1111-4222-8333-444455557777"));
      expect((await alike("define", other)).code).toBe(1);
      await alike("undefine", "web");
    });

    test("read-only", async () => {
      await define();
      const readOnly = async (uri: string): Promise<ProcessResult> => await virsh(uri, "-r", "start", "web");
      const theirs = await readOnly(reference);
      expect(theirs.code).toBe(1);
      // Over a unix socket libvirt's client would choose the read-only socket by itself, but one is named here.
      const mine = await readOnly(ours[access]);
      expect(mine).toEqual(theirs);
      await alike("undefine", "web");
    });
  });
});
