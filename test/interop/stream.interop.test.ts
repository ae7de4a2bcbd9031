/**
 * Streams of real libvirtd and QEMU: volumes up and down with checksums, sparse ones, consoles, screenshots; what goes
 * wrong on the way; and that nothing is left of it, here or there.
 */
import { createHash, randomFillSync } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Connection, connect, type StorageVol, TransportError, VirtError } from "../../src/api/index.ts";
import { sharedPool } from "../../src/buffer/index.ts";
import { VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import {
  encodeVirNetStreamHole,
  VirNetMessageStatus,
  VirNetMessageType,
} from "../../src/generated/netmessage/index.ts";
import { storageVolUpload } from "../../src/generated/remote/index.ts";
import { AbortError, encodeFrame, type Header, readHeader } from "../../src/rpc/index.ts";
import { dataRanges } from "../../src/stream/data-ranges.ts";
import {
  pipeFromFile,
  pipeToFile,
  toDuplex,
  toReadable,
  toReadableStream,
  toWritable,
} from "../../src/stream/index.ts";
import { Lab, labObstacle, runProcess } from "../lab/lab.ts";
import { part } from "./part.ts";

const MIB = 1 << 20;
const SPARSE = 1;

part("streams of a real libvirtd", labObstacle(), () => {
  let lab: Lab;
  let folder: string;
  let unix: string;
  let conn: Connection;

  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], tag: "strmc", net: "10.82.0" });
    await lab.command("up", "--hosts", "beta", "--pool", "1m");
    folder = await mkdtemp(join(tmpdir(), "vw-stream-"));
    unix = await lab.uri("alpha", "unix");
  });
  afterAll(async () => {
    await lab?.down();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    conn = await connect(unix);
  });
  afterEach(async () => {
    await conn.close();
    // Whatever happened, the pool has everything back.
    await vi.waitFor(() => expect(sharedPool.stats.leases).toBe(0));
  });

  /** Runs a program where a host's files and processes are. */
  async function on(host: string, command: string): Promise<string> {
    const [pid = ""] = (await readFile(join(lab.dir, host, "pid"), "utf8")).split(" ");
    const { code, stdout, stderr } = await runProcess("nsenter", ["-t", pid, "-m", "-p", "sh", "-c", command]);
    if (code !== 0) throw new Error(`${command}: ${stderr}`);
    return stdout.trim();
  }

  const descriptors = async () => Number(await on("alpha", "ls /proc/$(pidof libvirtd)/fd | wc -l"));

  let volumes = 0;
  /** A new raw volume of so many bytes in the pool `default`. */
  async function volume(bytes: number, of: Connection = conn): Promise<StorageVol> {
    const pool = await of.lookupStoragePoolByName("default");
    return pool.createStorageVolXML(
      `<volume><name>vol${++volumes}</name><capacity unit='bytes'>${bytes}</capacity><allocation>0</allocation>
       <target><format type='raw'/></target></volume>`,
    );
  }

  async function randomFile(bytes: number): Promise<string> {
    const path = join(folder, "random");
    await writeFile(path, randomFillSync(Buffer.alloc(bytes)));
    return path;
  }

  async function checksum(path: string): Promise<string> {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return hash.digest("hex");
  }

  /** That of a volume's file, at its host. */
  async function checksumOf(vol: StorageVol, host = "alpha"): Promise<string> {
    return (await on(host, `sha256sum ${await vol.getPath()}`)).split(" ")[0] as string;
  }

  /** The connection still serves. */
  const stillServes = async () => expect(await conn.getLibVersion()).toBeGreaterThan(0);

  describe("volumes", () => {
    test.each(["unix", "tcp"] as const)(
      "up and down over %s with the same checksum, virsh's opinion too",
      async (access) => {
        const uri = await lab.uri("alpha", access);
        await using mine = await connect(uri);
        const file = await randomFile(32 * MIB + 12_345);
        const vol = await volume(32 * MIB + 12_345, mine);
        const sum = await checksum(file);
        expect(await pipeFromFile(await vol.upload(0, 0), file)).toEqual({ bytes: 32 * MIB + 12_345, holes: 0 });
        expect(await checksumOf(vol)).toBe(sum);
        const back = join(folder, "back");
        await pipeToFile(await vol.download(0, 0), back);
        expect(await checksum(back)).toBe(sum);
        const { code } = await lab.virsh(uri, "vol-download", "--pool", "default", vol.getName(), back);
        expect([code, await checksum(back)]).toEqual([0, sum]);
        const other = await volume(32 * MIB + 12_345, mine);
        const up = await lab.virsh(uri, "vol-upload", "--pool", "default", other.getName(), file);
        expect([up.code, await checksumOf(other)]).toEqual([0, sum]);
      },
    );

    test("offset and length", async () => {
      const vol = await volume(10_000);
      const up = await vol.upload(1000, 5000);
      await up.write(Buffer.alloc(5000, "x"));
      await up.finish();
      const down = await vol.download(999, 5002);
      const chunks: Buffer[] = [];
      for await (const lease of down) {
        chunks.push(Buffer.from(lease.bytes));
        lease.release();
      }
      await down.finish();
      expect(Buffer.concat(chunks).toString("latin1")).toBe(`\0${"x".repeat(5000)}\0`);
    });

    test("Node's streams and the Web's", async () => {
      const file = await randomFile(5 * MIB);
      const vol = await volume(5 * MIB);
      await pipeline(createReadStream(file), toWritable(await vol.upload(0, 0)));
      expect(await checksumOf(vol)).toBe(await checksum(file));
      const hash = createHash("sha256");
      await pipeline(toReadable(await vol.download(0, 0)), hash);
      expect(hash.digest("hex")).toBe(await checksum(file));
      const web = createHash("sha256");
      for await (const chunk of toReadableStream(await vol.download(0, 0))) web.update(chunk);
      expect(web.digest("hex")).toBe(await checksum(file));
    });

    test("several at once on one connection, and calls beside them", async () => {
      const file = await randomFile(8 * MIB);
      const sum = await checksum(file);
      const vols = [await volume(8 * MIB), await volume(8 * MIB), await volume(8 * MIB)];
      const calls = Array.from({ length: 20 }, () => conn.getLibVersion());
      await Promise.all([...vols.map(async (vol) => pipeFromFile(await vol.upload(0, 0), file)), Promise.all(calls)]);
      for (const vol of vols) expect(await checksumOf(vol)).toBe(sum);
      const backs = await Promise.all(
        vols.map(async (vol, i) => {
          const back = join(folder, `back${i}`);
          await pipeToFile(await vol.download(0, 0), back);
          return checksum(back);
        }),
      );
      expect(backs).toEqual([sum, sum, sum]);
      await stillServes();
    });
  });

  describe("sparse volumes", () => {
    const size = 10_240 * MIB;

    /** 10 GiB, of which 1 MiB is data. */
    async function sparseFile(): Promise<{ readonly path: string; readonly data: Buffer }> {
      const path = join(folder, "sparse");
      const data = randomFillSync(Buffer.alloc(MIB));
      await using file = await open(path, "w");
      await file.write(data, 0, MIB, 5000 * MIB);
      await file.truncate(size);
      return { path, data };
    }

    test("10 GiB with 1 MiB of data goes up and down, and stays sparse at both ends", async () => {
      const { path, data } = await sparseFile();
      const vol = await volume(size);
      const began = performance.now();
      const up = await pipeFromFile(await vol.upload(0, 0, SPARSE), path, { sparse: true });
      const middle = performance.now();
      const back = join(folder, "sparse-back");
      const down = await pipeToFile(await vol.download(0, 0, SPARSE), back);
      const end = performance.now();
      console.log(`sparse 10 GiB: up ${Math.round(middle - began)} ms, down ${Math.round(end - middle)} ms`);
      expect(up).toEqual({ bytes: MIB, holes: size - MIB });
      expect(down).toEqual({ bytes: MIB, holes: size - MIB });
      const info = await vol.getInfo();
      expect(info.capacity).toBe(BigInt(size));
      expect(info.allocation).toBeLessThanOrEqual(BigInt(2 * MIB));
      const { size: backSize, blocks } = await stat(back);
      expect(backSize).toBe(size);
      expect(blocks * 512).toBeLessThanOrEqual(2 * MIB);
      await using file = await open(back, "r");
      const ranges: unknown[] = [];
      for await (const { start, end: to } of dataRanges(file, 0, size)) ranges.push([start, to]);
      expect(ranges).toEqual([[5000 * MIB, 5001 * MIB]]);
      const { buffer } = await file.read(Buffer.alloc(MIB), 0, MIB, 5000 * MIB);
      expect(buffer.equals(data)).toBe(true);
    });

    test("virsh and we read what the other one wrote", async () => {
      const { path } = await sparseFile();
      const small = join(folder, "small");
      await using file = await open(small, "w");
      await file.write(Buffer.alloc(70_000, "x"), 0, 70_000, 5 * MIB);
      await file.truncate(20 * MIB);
      const sum = await checksum(small);
      const [ours, theirs] = [await volume(20 * MIB), await volume(20 * MIB)];
      await pipeFromFile(await ours.upload(0, 0, SPARSE), small, { sparse: true });
      await lab.virsh(unix, "vol-upload", "--sparse", "--pool", "default", theirs.getName(), small);
      expect([await checksumOf(ours), await checksumOf(theirs)]).toEqual([sum, sum]);
      const back = join(folder, "back");
      await lab.virsh(unix, "vol-download", "--sparse", "--pool", "default", ours.getName(), back);
      expect(await checksum(back)).toBe(sum);
      await pipeToFile(await theirs.download(0, 0, SPARSE), back);
      expect(await checksum(back)).toBe(sum);
      expect((await stat(back)).blocks * 512).toBeLessThan(MIB);
      // Who does not ask for holes gets zeros.
      await pipeToFile(await theirs.download(0, 0), back);
      expect(await checksum(back)).toBe(sum);
      await rm(path);
    });
  });

  describe("what goes wrong", () => {
    test("an upload beyond its length: the daemon's error, and the connection goes on", async () => {
      const vol = await volume(MIB);
      const stream = await vol.upload(0, 1000);
      const failed = (async () => {
        await stream.write(Buffer.alloc(5000));
        await stream.finish();
      })();
      await expect(failed).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_SYSTEM_ERROR, int1: 28 });
      await expect(stream.finish()).rejects.toThrow(VirtError); // still, and without asking anybody
      await stillServes();
    });

    test("a full disk: an error, or a confirmation that the checksum refutes; never a hang, never a broken connection", async () => {
      await using full = await connect(await lab.uri("beta", "unix"));
      const file = await randomFile(4 * MIB);
      for (let i = 0; i < 5; i++) {
        const vol = await volume(4 * MIB, full);
        const outcome = await pipeFromFile(await vol.upload(0, 0), file).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(VirtError);
        else expect(await checksumOf(vol, "beta")).not.toBe(await checksum(file));
        expect(await full.getLibVersion()).toBeGreaterThan(0);
        await vol.delete();
      }
    });

    test("a volume whose file is gone: no stream, an error", async () => {
      const vol = await volume(MIB);
      await on("alpha", `rm ${await vol.getPath()}`);
      await expect(vol.download(0, 0)).rejects.toThrow(VirtError);
      await expect(vol.upload(0, 0)).rejects.toThrow(VirtError);
      await stillServes();
    });

    test("a hole in a stream that is not sparse is refused here, before the daemon would cut the connection", async () => {
      const stream = await (await volume(MIB)).upload(0, 0);
      await expect(stream.writeHole(4096n)).rejects.toThrow(TypeError);
      await stream.write(Buffer.alloc(10));
      await stream.finish();
      await stillServes();
    });

    test("a hole that reaches the daemon all the same: the connection is lost, and everything on it learns that", async () => {
      await using relay = await Relay.start(join(folder, "relay"), unix);
      const through = await connect(`qemu+unix:///system?socket=${join(folder, "relay")}`);
      const vol = await volume(MIB, through);
      const stream = await vol.upload(0, 0);
      await stream.write(Buffer.alloc(10));
      relay.hole();
      await expect(stream.finish()).rejects.toThrow(TransportError);
      await through.close();
      await stillServes();
    });

    test("an upload that is broken off, with data on its way", async () => {
      const vol = await volume(64 * MIB);
      const stream = await vol.upload(0, 0);
      const writes = Array.from({ length: 64 }, () => stream.write(Buffer.alloc(MIB)));
      const settled = Promise.allSettled(writes);
      await stream.abort("enough");
      expect((await settled).some(({ status }) => status === "rejected")).toBe(true);
      await expect(stream.finish()).rejects.toThrow(AbortError);
      await stillServes();
    });

    test("a download that is broken off, with data on its way", async () => {
      const vol = await volume(64 * MIB);
      const stream = await vol.download(0, 0);
      for await (const lease of stream) {
        lease.release();
        break;
      }
      await stream.abort("enough");
      await stillServes();
    });

    test("a consumer that throws, a file that cannot be written", async () => {
      const vol = await volume(64 * MIB);
      const consumed = pipeline(toReadable(await vol.download(0, 0)), async (chunks) => {
        for await (const _ of chunks) throw new Error("no more");
      });
      await expect(consumed).rejects.toThrow("no more");
      await using fullDevice = await open("/dev/full", "w");
      const piped = pipeToFile(await vol.download(0, 0), fullDevice);
      await expect(piped).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_SYSTEM_ERROR, int1: 28 });
      await stillServes();
    });

    test("a producer that fails half-way: aborted, not finished", async () => {
      const vol = await volume(8 * MIB);
      async function* producer() {
        yield Buffer.alloc(MIB);
        throw new Error("cannot go on");
      }
      await expect(pipeline(producer, toWritable(await vol.upload(0, 0)))).rejects.toThrow("cannot go on");
      await stillServes();
    });

    test("finish and abort at the same time, and again afterwards", async () => {
      const vol = await volume(MIB);
      for (let i = 0; i < 20; i++) {
        const stream = await vol.upload(0, 0);
        await stream.write(Buffer.alloc(1000));
        const ends = await Promise.allSettled([stream.finish(), stream.abort(), stream.finish()]);
        expect(ends[1]).toMatchObject({ status: "fulfilled" });
        await stream.abort();
      }
      await stillServes();
    });

    test("the daemon is killed in the middle, up and down", async () => {
      const vol = await volume(64 * MIB);
      const up = await vol.upload(0, 0);
      const down = await vol.download(0, 0);
      await up.write(Buffer.alloc(MIB));
      try {
        await lab.command("daemon", "alpha", "kill");
        const uploading = (async () => {
          for (;;) await up.write(Buffer.alloc(MIB));
        })();
        await expect(uploading).rejects.toThrow(TransportError);
        await expect(up.finish()).rejects.toThrow(TransportError);
        const downloading = (async () => {
          for await (const lease of down) lease.release();
        })();
        await expect(downloading).rejects.toThrow(TransportError);
        await down.abort();
      } finally {
        await lab.command("daemon", "alpha", "start");
      }
    });

    test("the daemon freezes in the middle: a signal ends the wait, keepalive ends the connection", async () => {
      const mine = await connect(unix, { keepAlive: { interval: 1, count: 2 } });
      const vol = await volume(64 * MIB, mine);
      const up = await vol.upload(0, 0);
      try {
        await lab.command("daemon", "alpha", "freeze");
        const giveUp = new AbortController();
        const finishing = up.finish({ signal: giveUp.signal });
        giveUp.abort("enough");
        await expect(finishing).rejects.toThrow(AbortError);
        await expect(mine.getLibVersion()).rejects.toMatchObject({ code: "keepalive" });
      } finally {
        await lab.command("daemon", "alpha", "thaw");
        await mine.close();
      }
    });
  });

  describe("descriptors of the daemon are flat", () => {
    const TIMES = 1000;

    test.each([
      ["downloads", async (vol: StorageVol) => void (await pipeToFile(await vol.download(0, 0), "/dev/null"))],
      ["aborted downloads", async (vol: StorageVol) => (await vol.download(0, 0)).abort()],
      ["aborted uploads", async (vol: StorageVol) => (await vol.upload(0, 0)).abort()],
    ])(`over ${TIMES} %s on one connection`, async (_, once_) => {
      const vol = await volume(10_000);
      for (let i = 0; i < 20; i++) await once_(vol);
      const before = await descriptors();
      for (let i = 0; i < TIMES; i++) await once_(vol);
      const after = await descriptors();
      expect(after).toBeLessThanOrEqual(before + 2);
    });
  });

  describe("guests", () => {
    test("the console of a guest, both ways", async () => {
      await lab.guest("alpha", "one");
      const domain = await conn.lookupDomainByName("one");
      const duplex = toDuplex(await domain.openConsole());
      let text = "";
      duplex.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      await vi.waitFor(() => expect(text).toMatch(/tick \d+/), { timeout: 60_000 });
      duplex.write("hello\n");
      await vi.waitFor(() => expect(text).toContain("one: hello"), { timeout: 60_000 });
      duplex.end();
      await once(duplex, "finish");
      duplex.destroy();
      // Another one gets it, so the first has let go.
      const again = await domain.openConsole();
      await again.abort();
      await stillServes();
    });

    test("a second console is refused, unless by force", async () => {
      const domain = await conn.lookupDomainByName("one");
      const first = await domain.openConsole(null, 2); // SAFE
      await expect(domain.openConsole(null, 2)).rejects.toThrow(VirtError);
      const second = await domain.openConsole(null, 1 | 2); // FORCE
      await expect(
        (async () => {
          for await (const lease of first) lease.release();
          await first.finish();
        })().catch((error: unknown) => {
          if (!(error instanceof VirtError)) throw error;
        }),
      ).resolves.toBeUndefined();
      await second.abort();
      await first.abort();
    });

    test("a guest that goes takes its console along", async () => {
      const domain = await conn.lookupDomainByName("one");
      const stream = await domain.openConsole();
      const read = (async () => {
        for await (const lease of stream) lease.release();
      })().catch((error: unknown) => expect(error).toBeInstanceOf(VirtError));
      await domain.destroy();
      await read;
      await stream.abort();
      await stillServes();
    });

    test("a screenshot", async () => {
      await lab.guest("alpha", "seen", "--bare", "--mem", "4", "--video");
      const domain = await conn.lookupDomainByName("seen");
      const { mime, stream } = await domain.screenshot(0);
      expect(mime).toMatch(/^image\/(x-portable-pixmap|png)$/);
      const file = join(folder, "screen");
      const { bytes } = await pipeToFile(stream, file);
      const picture = await readFile(file);
      expect(picture.length).toBe(bytes);
      expect(picture.subarray(0, 2).toString("latin1")).toBe(mime === "image/png" ? "\x89P" : "P6");
      await domain.destroy();
    });
  });
});

/** Between a client and a daemon's socket: passes everything on, and can say something itself to the daemon. */
class Relay implements AsyncDisposable {
  readonly #server = createServer((client) => this.#serve(client));
  readonly #to: string;
  #daemon: Socket | undefined;
  #upload: Header | undefined;

  private constructor(to: string) {
    this.#to = to;
  }

  static async start(path: string, uri: string): Promise<Relay> {
    const relay = new Relay(new URL(uri).searchParams.get("socket") as string);
    relay.#server.listen(path);
    await once(relay.#server, "listening");
    return relay;
  }

  /** Sends a hole into the upload that was opened last. */
  hole(): void {
    const header = this.#upload as Header;
    const { VIR_NET_STREAM_HOLE: type } = VirNetMessageType;
    const head = { ...header, type, status: VirNetMessageStatus.VIR_NET_CONTINUE };
    this.#daemon?.write(encodeFrame(head, encodeVirNetStreamHole, { length: 4096n, flags: 0 }, "hole"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#daemon?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    const daemon = connectSocket(this.#to);
    this.#daemon = daemon;
    for (const socket of [client, daemon]) socket.on("error", () => socket.destroy());
    daemon.pipe(client);
    client.on("close", () => daemon.destroy());
    client.on("data", (data: Buffer) => {
      daemon.write(data);
      if (data.length < 32) return;
      const header = readHeader(new Uint8Array(data.buffer, data.byteOffset + 4, data.length - 4));
      if (header.proc === storageVolUpload.number) this.#upload = header;
    });
  }
}
