import { randomBytes } from "node:crypto";
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/api/index.ts";
import { VirErrorDomain, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { createMemoryHypervisor, type Hypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { runCli } from "./run-cli.ts";

const MIB = 1 << 20;
const POOL = "default-pool";

let folder: string;
let hypervisor: Hypervisor;
let server: Server;
let uri: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "virtwire-test-"));
  hypervisor = createMemoryHypervisor({ hostname: "alpha", inventory: "test" });
  server = createServer({ listen: ["tcp://127.0.0.1:0"], programs: [remoteProgram(hypervisor)] });
  await server.listen();
  uri = `${server.addresses[0]?.replace("tcp://", "virtwire+tcp://")}/system`;
});

afterAll(async () => {
  await server?.close();
  await hypervisor?.close();
  await rm(folder, { recursive: true, force: true });
});

const cli = (...args: string[]) => runCli(["-c", uri, ...args]);
const said = (stdout: string) => ({ code: 0, stdout, stderr: "" });
const file = (name: string) => join(folder, name);

async function volume(name: string, bytes: number): Promise<string> {
  await using conn = await connect(uri);
  const pool = await conn.lookupStoragePoolByName(POOL);
  const vol = await pool.createStorageVolXML(
    `<volume><name>${name}</name><capacity unit='bytes'>${bytes}</capacity><allocation>0</allocation></volume>`,
  );
  return vol.getKey();
}

describe("cli/volumes", () => {
  test("up and down, by name and by key, in virsh's words: none", async () => {
    const bytes = randomBytes(3 * MIB + 17);
    await writeFile(file("in"), bytes);
    const key = await volume("one.img", bytes.length);
    expect(await cli("vol-upload", "one.img", file("in"), "--pool", POOL)).toEqual(said("\n"));
    expect(await cli("vol-download", "--pool", POOL, "one.img", file("out"))).toEqual(said("\n"));
    expect((await readFile(file("out"))).equals(bytes)).toBe(true);
    expect(await cli("vol-download", "--vol", key, file("out2"))).toEqual(said("\n"));
    expect((await readFile(file("out2"))).equals(bytes)).toBe(true);
  });

  test("--offset and --length, -1 for everything", async () => {
    await volume("two.img", 100);
    await writeFile(file("ten"), "0123456789");
    expect(await cli("vol-upload", "two.img", file("ten"), "--pool", POOL, "--offset", "5")).toEqual(said("\n"));
    const down = ["vol-download", "two.img", file("part"), "--pool", POOL, "--offset", "7"];
    expect(await cli(...down, "--length", "4")).toEqual(said("\n"));
    expect(await readFile(file("part"), "utf8")).toBe("2345");
    expect(await cli(...down, "--length", "-1")).toEqual(said("\n"));
    expect((await readFile(file("part"))).subarray(0, 8).toString()).toBe("23456789");
    const { code, stderr } = await cli("vol-upload", "two.img", file("ten"), "--pool", POOL, "--length", "4");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: cannot send data to volume two\.img\nerror: .*No space left on device\n$/);
  });

  test("--sparse keeps holes holes; --json tells how many", async () => {
    const size = 1024 * MIB;
    {
      await using sparse = await open(file("sparse"), "w");
      await sparse.write(Buffer.alloc(MIB, "x"), 0, MIB, 500 * MIB);
      await sparse.truncate(size);
    }
    await volume("sparse.img", size);
    const holes = { bytes: MIB, holes: size - MIB };
    const up = await cli("vol-upload", "sparse.img", file("sparse"), "--pool", POOL, "--sparse", "--json");
    expect(JSON.parse(up.stdout)).toEqual(holes);
    const down = await cli("vol-download", "sparse.img", file("back"), "--pool", POOL, "--sparse", "--json");
    expect(JSON.parse(down.stdout)).toEqual(holes);
    const { size: back, blocks } = await stat(file("back"));
    expect(back).toBe(size);
    expect(blocks * 512).toBeLessThanOrEqual(2 * MIB);
  });

  test("--progress shows how far it is, on standard error", async () => {
    await volume("shown.img", MIB);
    await writeFile(file("shown"), Buffer.alloc(MIB));
    const { code, stdout, stderr } = await cli("vol-upload", "shown.img", file("shown"), "--pool", POOL, "--progress");
    expect([code, stdout]).toEqual([0, "\n"]);
    expect(stderr).toContain("100 %  1.0 MiB of 1.0 MiB");
  });

  const first = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli(...args);
    expect([code, stdout]).toEqual([1, ""]);
    return stderr.split("\n")[0];
  };

  test("what cannot be found, in virsh's words", async () => {
    expect(await first("vol-upload", "nope", file("in"))).toBe(
      "error: failed to get vol 'nope', specifying --pool might help",
    );
    expect(await first("vol-upload", "nope", file("in"), "--pool", POOL)).toBe("error: failed to get vol 'nope'");
    expect(await first("vol-upload", "nope", file("in"), "--pool", "x")).toBe("error: failed to get pool 'x'");
  });

  test("what cannot be opened, in virsh's words", async () => {
    await volume("three.img", 10);
    expect(await first("vol-upload", "three.img", file("nothing"), "--pool", POOL)).toBe(
      `error: cannot read ${file("nothing")}`,
    );
    expect(await first("vol-download", "three.img", "/nonexistent/x", "--pool", POOL)).toBe(
      "error: cannot create /nonexistent/x",
    );
  });

  test("a download that fails half-way leaves no half of a file, and a file that was there stays", async () => {
    await volume("four.img", 10);
    const failure = virtError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, VirErrorDomain.VIR_FROM_STORAGE, "bad block");
    const storageVolDownload: Hypervisor["procedures"]["storageVolDownload"] = (_, context) =>
      context.stream(async (stream) => {
        await stream.write(Buffer.alloc(1000));
        throw failure;
      });
    const failing: Hypervisor = {
      ...hypervisor,
      accepts: () => true,
      supportsFeature: () => false,
      procedures: { ...hypervisor.procedures, storageVolDownload },
    };
    const other = createServer({ listen: ["tcp://127.0.0.1:0"], programs: [remoteProgram(failing)] });
    await other.listen();
    try {
      const bad = `${other.addresses[0]?.replace("tcp://", "virtwire+tcp://")}/system`;
      await writeFile(file("there"), "old");
      for (const name of ["half", "there"]) {
        const args = ["-c", bad, "vol-download", "four.img", file(name), "--pool", POOL];
        expect((await runCli(args)).stderr).toBe(
          "error: cannot receive data from volume four.img\nerror: operation failed: bad block\n",
        );
      }
      expect(await readdir(folder)).not.toContain("half");
      expect(await readdir(folder)).toContain("there");
    } finally {
      await other.close();
    }
  });

  test("operands that are missing or no numbers", async () => {
    expect(await first("vol-upload", "three.img")).toBe("error: command 'vol-upload' requires <file> option");
    expect(await first("vol-upload")).toBe("error: command 'vol-upload' requires <vol> option");
    expect(await first("vol-upload", "a", "b", "--offset", "x")).toMatch(/--offset <number>.*invalid/);
  });
});

describe("cli/screenshot", () => {
  test("to a file, with its type", async () => {
    const { code, stdout } = await cli("screenshot", "test", file("screen"));
    expect([code, stdout.replace(/image\/[\w-]+/, "TYPE")]).toEqual([
      0,
      `Screenshot saved to ${file("screen")}, with type of TYPE\n`,
    ]);
    expect((await stat(file("screen"))).size).toBeGreaterThan(100);
    const json = JSON.parse((await cli("screenshot", "--domain", "test", file("screen"), "--json")).stdout);
    expect(json).toMatchObject({ file: file("screen"), bytes: (await stat(file("screen"))).size });
  });

  test("a file that cannot be created", async () => {
    const { code, stderr } = await cli("screenshot", "test", "/nonexistent/x");
    expect([code, stderr]).toEqual([1, "error: cannot create file /nonexistent/x\n"]);
  });
});

describe("cli/console", () => {
  test("needs a terminal and a running guest", async () => {
    const noTerminal = "error: Cannot run interactive console without a controlling TTY\n";
    expect(await cli("console", "test")).toEqual({ code: 1, stdout: "", stderr: noTerminal });
    expect((await cli("console", "nobody")).stderr).toMatch(/^error: failed to get domain 'nobody'\n/);
    expect((await cli("console", "test", "-e", "^^^")).stderr).toContain("One character is needed");
  });
});
