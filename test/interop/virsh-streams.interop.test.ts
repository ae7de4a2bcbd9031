/** The streams of the real virsh against our daemon: bytes of volumes, with holes and without, and a console. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createMemoryHypervisor, type Hypervisor, hypervisorPrograms } from "../../src/hypervisor/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { labObstacle, type ProcessResult, runProcess } from "../lab/lab.ts";
import { part } from "./part.ts";

const MIB = 1 << 20;

part("virsh's streams against our daemon", labObstacle(), () => {
  let folder: string;
  let uri: string;
  let hypervisor: Hypervisor;
  let server: Server;
  const env = { ...process.env, LC_ALL: "C.UTF-8" };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "virtwire-"));
    const socket = join(folder, "sock");
    uri = `test+unix:///default?socket=${socket}`;
    hypervisor = createMemoryHypervisor({ inventory: "test" });
    server = createServer({ listen: [`unix:${socket}`], programs: hypervisorPrograms(hypervisor) });
    await server.listen();
  });
  afterAll(async () => {
    await server?.close();
    await hypervisor?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const virsh = async (...args: string[]): Promise<ProcessResult> =>
    await runProcess("virsh", ["-c", uri, ...args], { env, timeout: 60_000 });
  async function done(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await virsh(...args);
    expect({ code, stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
    return stdout;
  }

  /** A file of 16 MiB whose bytes are in two pieces, with holes before, between and behind. */
  async function sparseFile(name: string): Promise<string> {
    const path = join(folder, name);
    const file = await open(path, "w");
    await file.truncate(16 * MIB);
    await file.write(Buffer.alloc(MIB, "first"), 0, MIB, 2 * MIB);
    await file.write(Buffer.alloc(MIB, "second"), 0, MIB, 9 * MIB);
    await file.close();
    return path;
  }

  test.each([[[]], [["--sparse"]]])("a volume comes back as it was sent: %j", async (sparse) => {
    const name = `disk${sparse.length}.img`;
    const [up, down] = [await sparseFile("up.img"), join(folder, "down.img")];
    await done("vol-create-as", "default-pool", name, "16M", "--allocation", "0");
    await done("vol-upload", name, up, "--pool", "default-pool", ...sparse);
    // Part of it: what lies before and behind stays.
    await writeFile(join(folder, "word"), "third");
    await done("vol-upload", name, join(folder, "word"), "--pool", "default-pool", "--offset", `${5 * MIB}`);
    await done("vol-download", name, down, "--pool", "default-pool", ...sparse);
    const [sent, back] = [await readFile(up), await readFile(down)];
    sent.write("third", 5 * MIB);
    expect(back.equals(sent)).toBe(true);
    if (sparse.length > 0) {
      expect((await stat(down)).blocks * 512).toBeLessThan(4 * MIB);
      expect(await done("vol-info", name, "--pool", "default-pool")).toMatch(/^Allocation:\s+2\.\d+ MiB$/m);
    }
    const part = ["--offset", `${9 * MIB}`, "--length", "11"];
    await done("vol-download", name, down, "--pool", "default-pool", ...part);
    expect(await readFile(down, "latin1")).toBe("secondsecon");
  });

  test("more than a volume has room for is refused", async () => {
    await writeFile(join(folder, "long"), Buffer.alloc(3 * MIB, 1));
    await done("vol-create-as", "default-pool", "small.img", "1M");
    const { code, stderr } = await virsh("vol-upload", "small.img", join(folder, "long"), "--pool", "default-pool");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: cannot (upload to|send data to|close) volume small\.img\nerror: .+\n/);
    expect(await done("vol-info", "small.img", "--pool", "default-pool")).toMatch(/^Capacity:\s+1\.00 MiB$/m);
  });

  test("a console in a terminal: the guest echoes what is typed, Ctrl-] leaves", async () => {
    const xml = `<domain type='test'><name>talker</name><memory>65536</memory><os><type>hvm</type></os>
      <devices><console type='pty'/></devices></domain>`;
    await writeFile(join(folder, "talker.xml"), xml);
    await done("create", join(folder, "talker.xml"));
    // script(1) gives virsh the terminal that it wants.
    const child = spawn("script", ["-q", "-c", `virsh -c '${uri}' console talker`, "/dev/null"], {
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    try {
      child.stdin.on("error", () => {}); // it has left before the last of what is typed
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      const until = (wanted: RegExp) => vi.waitUntil(() => wanted.test(text), { timeout: 20_000 });
      await until(/Escape character is \^\] /);
      // Bytes typed before virsh has taken the terminal are lost.
      await vi.waitUntil(
        () => {
          child.stdin.write("hello console\r");
          return /hello console[\s\S]*hello console/.test(text);
        },
        { timeout: 20_000, interval: 200 },
      );
      // virsh sees it only where nothing that was typed before comes with it.
      const left = once(child, "exit");
      const again = setInterval(() => child.stdin.write("\u001d"), 200);
      const [code] = await left.finally(() => clearInterval(again));
      expect(code).toBe(0);
    } finally {
      child.kill();
    }
    await done("destroy", "talker");
  });
});
