/**
 * Clients that do their worst, at a daemon in a process of its own: it stays up, another client is served all the
 * while, and its memory stays bounded. The bounds are several times what was seen; what was seen is printed.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sockets } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import {
  CONTINUE,
  ERROR,
  frame,
  type Head,
  join as joined,
  MESSAGE,
  OK,
  PING,
  REPLY,
  STREAM,
  STREAM_HOLE,
  singly,
  str,
  words,
} from "../rpc/wire.ts";
import { ChildDaemon, type Figures } from "./child-daemon.ts";

const MIB = 1 << 20;
const dir = mkdtempSync(join(tmpdir(), "virtwire-load-"));
const path = join(dir, "sock");
/** Where clients have to log in. */
const closedPath = join(dir, "login");
afterAll(() => rmSync(dir, { recursive: true }));

let daemon: ChildDaemon;
let innocent: Innocent;
/** What a daemon needs that has served somebody. */
let before: Figures;

/** A client that calls all the while, one call after the other. */
class Innocent {
  readonly #raw: RawEnd;
  readonly #over: Promise<void>;
  #stop = false;
  calls = 0;
  wrong = 0;

  private constructor(raw: RawEnd) {
    this.#raw = raw;
    this.#over = this.#run();
  }

  static async start(): Promise<Innocent> {
    return new Innocent(new RawEnd(await (await sockets()).dialUnix(path)));
  }

  async #run(): Promise<void> {
    for (; !this.#stop; this.calls++) {
      this.#raw.write(frame({ proc: 157, serial: this.calls }));
      const reply = await this.#raw.expect();
      if (reply.proc !== 157 || reply.serial !== this.calls || reply.status !== OK) this.wrong++;
    }
  }

  /** Resolves when it has had so many answers more. */
  async answers(count: number): Promise<void> {
    const until = this.calls + count;
    while (this.calls < until) await new Promise((resolve) => setImmediate(resolve));
  }

  async end(): Promise<void> {
    this.#stop = true;
    await this.#over;
    await this.#raw.close();
  }
}

beforeAll(async () => {
  daemon = await ChildDaemon.start({
    listen: [`unix:${path}`, { address: `unix:${closedPath}`, auth: "polkit" }],
    limits: { maxClients: 20_000 },
    maxFiles: MAX_FILES,
  });
  innocent = await Innocent.start();
  await innocent.answers(2000);
  before = await daemon.figures();
}, 60_000);

const open: Socket[] = [];
afterEach(async ({ task }) => {
  for (const socket of open.splice(0)) socket.destroy();
  await expect.poll(async () => (await daemon.figures()).served, { timeout: 30_000 }).toBe(1);
  await innocent.answers(50);
  expect(innocent.wrong).toBe(0);
  const after = await daemon.figures();
  expect(after.heap, "what is left of the heap").toBeLessThan(before.heap + 8 * MIB);
  expect(after.leases, "buffers that nobody gave back").toBe(0);
  const mib = (bytes: number) => (bytes / MIB).toFixed(1);
  console.log(`${task.name}: heap ${mib(before.heap)} to ${mib(after.heap)} MiB, process ${mib(after.rss)} MiB`);
}, 60_000);
afterAll(async () => {
  await innocent.end();
  expect(await daemon.end()).toBe(0);
  daemon[Symbol.dispose]();
}, 60_000);

/** Many more than the test opens, as far as the machine permits. */
const MAX_FILES = 12_000;

async function raw(): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, "connect");
      socket.on("error", () => {});
      open.push(socket);
      return socket;
    } catch (error) {
      // As many as the system keeps for a listener wait already.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Bytes that are not protocol, from a fixed seed. */
function* garbage(seed: number): Generator<Uint8Array> {
  let state = seed >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (;;) {
    const bytes = new Uint8Array(1 + (next() % 4096));
    for (let i = 0; i < bytes.length; i++) bytes[i] = next();
    yield bytes;
  }
}

const vol = joined(str("pool"), str("vol"), str("key"));
const download = (serial: number) => frame({ proc: 209, serial }, joined(vol, words(0, 0, 0, 0, 0)));
const upload = (serial: number) => frame({ proc: 208, serial }, joined(vol, words(0, 0, 0, 0, 0)));
const lookup = (serial: number, name: string) => frame({ proc: 23, serial }, str(name));

/** Writes until the pipe is full: what the daemon does not read stays with us. */
function fill(socket: Socket, bytes: Uint8Array, most: number): void {
  for (let sent = 0; sent < most && !socket.destroyed; sent += bytes.length) if (!socket.write(bytes)) break;
}

describe("bytes that are no protocol", () => {
  test("load/garbage: each connection ends, at once or when its length can be nothing", async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const socket = (await raw()).resume();
      const closed = new Promise((resolve) => socket.once("close", resolve));
      const random = garbage(seed * 7919);
      // Random bytes announce a length that is out of range, but for one in a hundred, which ends with its bytes.
      socket.write((random.next() as IteratorYieldResult<Uint8Array>).value);
      socket.end((random.next() as IteratorYieldResult<Uint8Array>).value);
      await closed;
    }
  });

  test("load/half-a-frame: then byte by byte; it is answered when it is whole, and nobody waits for it", async () => {
    const socket = await raw();
    const call = lookup(7, "x".repeat(1000));
    socket.write(call.subarray(0, call.length / 2));
    for (const byte of singly(call.subarray(call.length / 2))) {
      await innocent.answers(1);
      socket.write(byte);
    }
    const [reply] = (await once(socket, "data")) as [Buffer];
    expect(reply.readUInt32BE(20)).toBe(7);
  });

  test("load/announced: a thousand frames of 32 MiB that are announced and never come cost no such memory", async () => {
    for (let i = 0; i < 1000; i++) (await raw()).write(frame({ proc: 23 }, new Uint8Array(1000), 33_554_436));
    await innocent.answers(200);
    const { rss } = await daemon.figures();
    expect(rss).toBeLessThan(before.rss + 64 * MIB);
  });

  test.each([0xffffffff, 0x80000000, 33_554_437, 27, 4, 0])("load/length-%d: the connection ends", async (length) => {
    const socket = (await raw()).resume();
    const closed = once(socket, "close");
    socket.write(words(length));
    if (length >= 5 && length < 28) socket.write(new Uint8Array(length));
    await closed;
  });
});

describe("messages that nobody asked for", () => {
  const head = { proc: 209, serial: 3 };
  const unasked: Record<string, Head> = {
    replies: { proc: 157, type: REPLY },
    "stream data": { ...head, type: STREAM, status: CONTINUE },
    "ends of streams": { ...head, type: STREAM, status: OK },
    "stream errors": { ...head, type: STREAM, status: ERROR },
    holes: { ...head, type: STREAM_HOLE, status: CONTINUE },
    events: { proc: 107, type: MESSAGE },
    "an unknown type": { proc: 1, type: 99 },
  };

  test.each(Object.entries(unasked))("load/unasked: a flood of %s is dropped", async (_, message) => {
    const socket = await raw();
    const flood = joined(...Array.from({ length: 1000 }, () => frame(message, words(0, 0, 0, 1, 0))));
    for (let i = 0; i < 50; i++) socket.write(flood);
    socket.write(frame({ proc: 157, serial: 9 }));
    const [reply] = (await once(socket, "data")) as [Buffer];
    expect([reply.readInt32BE(12), reply.readUInt32BE(20)]).toEqual([157, 9]);
  });

  test("load/pings: a flood whose pongs nobody reads is bounded", async () => {
    const socket = await raw();
    socket.pause();
    const flood = joined(...Array.from({ length: 2000 }, () => PING));
    for (let i = 0; i < 400; i++) fill(socket, flood, flood.length);
    await innocent.answers(1000);
    const { rss, heap } = await daemon.figures();
    expect(heap).toBeLessThan(before.heap + 8 * MIB);
    expect(rss).toBeLessThan(before.rss + 64 * MIB);
  });
});

describe("before the login", () => {
  test("load/before-login: thousands of calls are refused, one by one, and nothing is remembered of them", async () => {
    const end = new RawEnd(await (await sockets()).dialUnix(closedPath));
    for (let round = 0; round < 50; round++) {
      for (let serial = 0; serial < 100; serial++)
        end.write(serial % 2 === 0 ? lookup(serial, "web") : download(serial));
      for (let i = 0; i < 100; i++) {
        const { status, payload } = await end.expect();
        expect(status).toBe(ERROR);
        expect(Buffer.from(payload).toString("latin1")).toContain("authentication required");
      }
    }
    await end.close();
  });

  test("load/anonymous: those that never log in hold up nobody who does not have to", async () => {
    for (let i = 0; i < 100; i++) {
      const socket = connect(closedPath);
      socket.on("error", () => {});
      open.push(socket);
      await once(socket, "connect");
      socket.write(lookup(1, "web"));
    }
    await innocent.answers(200);
    const { served, waiting } = await daemon.figures();
    expect([served, waiting]).toEqual([21, 80]);
    const late = new RawEnd(await (await sockets()).dialUnix(path));
    late.write(lookup(2, "web"));
    expect(await late.expect()).toMatchObject({ serial: 2, status: OK });
    await late.close();
  });
});

describe("streams that are never finished", () => {
  test("load/downloads: a thousand on one connection; above the limit they are refused, and what is sent is bounded", async () => {
    const socket = await raw();
    const replies = new Map<number, number>();
    let held: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (held.length >= 28 && held.length >= held.readUInt32BE(0)) {
        if (held.readInt32BE(16) === REPLY) replies.set(held.readUInt32BE(20), held.readInt32BE(24));
        held = held.subarray(held.readUInt32BE(0));
      }
      if (replies.size === 1000) socket.pause();
    });
    for (let serial = 0; serial < 1000; serial++) socket.write(download(serial));
    await expect.poll(() => replies.size, { timeout: 60_000 }).toBe(1000);
    const refused = [...replies.values()].filter((status) => status === ERROR).length;
    expect(refused).toBe(1000 - 256);
    const { heap, external, rss } = await daemon.figures();
    expect(heap + external).toBeLessThan(before.heap + before.external + 32 * MIB);
    expect(rss).toBeLessThan(before.rss + 128 * MIB);
  });

  test("load/download-unread: one whose reader stops is stopped, and others' calls are answered", async () => {
    for (let i = 0; i < 20; i++) {
      const socket = await raw();
      socket.pause();
      socket.write(download(1));
    }
    await innocent.answers(500);
    const first = await daemon.figures();
    await innocent.answers(500);
    const then = await daemon.figures();
    expect(then.rss).toBeLessThan(before.rss + 128 * MIB);
    expect(then.external).toBeLessThan(first.external + 8 * MIB);
  });

  test("load/uploads: what nobody has taken is bounded, and given back when the client goes", async () => {
    const data = frame({ proc: 208, serial: 1, type: STREAM, status: CONTINUE }, new Uint8Array(65_536));
    for (let i = 0; i < 20; i++) {
      const socket = await raw();
      socket.write(upload(1));
      await once(socket, "data");
      for (let sent = 0; sent < 50; sent++) fill(socket, data, data.length);
    }
    await innocent.answers(200);
    expect((await daemon.figures()).rss).toBeLessThan(before.rss + 128 * MIB);
  });
});

describe("calls", () => {
  test.each(["never", "patient", "soon", ""])(
    "load/disconnect: in the middle of every call, with a handler that answers %s",
    async (name) => {
      for (let i = 0; i < 200; i++) {
        const socket = await raw();
        for (let serial = 0; serial < 5; serial++) socket.write(lookup(serial, name));
        if (i % 2 === 0) await innocent.answers(1);
        socket.destroy();
      }
    },
  );

  test("load/cut: connections that end at every byte of a call", async () => {
    const call = lookup(1, "web");
    for (let at = 0; at <= call.length; at++) (await raw()).end(call.subarray(0, at));
  });

  test("load/throws: mistakes of handlers hurt only their call", async () => {
    const socket = new RawEnd(await (await sockets()).dialUnix(path));
    for (let serial = 0; serial < 1000; serial++) {
      socket.write(lookup(serial, "throws"));
      expect(await socket.expect()).toMatchObject({ serial, status: ERROR });
    }
    expect((await daemon.figures()).errors).toBeGreaterThanOrEqual(1000);
    await socket.close();
  });

  test("load/unread-replies: a client that calls and does not read is not read either", async () => {
    const socket = await raw();
    socket.pause();
    const flood = joined(...Array.from({ length: 1000 }, (_, serial) => lookup(serial, "x".repeat(900))));
    for (let i = 0; i < 50; i++) fill(socket, flood, flood.length);
    await innocent.answers(500);
    expect((await daemon.figures()).rss).toBeLessThan(before.rss + 64 * MIB);
  });
});

describe("connections", () => {
  test("load/connections: thousands at once are served, each costs under 20 kB, and all is given back", async () => {
    const count = await manyAsPermitted();
    const first = await daemon.figures();
    const batch = 250;
    for (let i = 0; i < count; i += batch) await Promise.all(Array.from({ length: batch }, raw));
    for (const socket of open) socket.write(frame({ proc: 66 }));
    await expect
      .poll(async () => (await daemon.figures()).served, { timeout: 60_000, interval: 500 })
      .toBe(open.length + 1);
    const then = await daemon.figures();
    const each = (then.heap + then.external - first.heap - first.external) / open.length;
    console.log(`${open.length} connections: ${Math.round(each)} bytes each`);
    expect(each).toBeLessThan(20_000);
  }, 120_000);

  test("load/no-files: with no descriptor left a new client is not served, those that are there are, and later ones too", async () => {
    const small = join(dir, "small");
    using poor = await ChildDaemon.start({ listen: [`unix:${small}`], maxFiles: 64 });
    const { dialUnix } = await sockets();
    const first = new RawEnd(await dialUnix(small));
    const crowd: Socket[] = [];
    for (let i = 0; i < 200; i++) crowd.push(connect(small).on("error", () => {}));
    const call = async (end: RawEnd) => {
      end.write(frame({ proc: 157 }));
      expect(await end.expect()).toMatchObject({ proc: 157, status: OK });
    };
    for (let i = 0; i < 200; i++) await call(first);
    const { cpu, served, refused } = await poor.figures();
    expect(served).toBeLessThan(64);
    console.log(`64 files: ${served} served, told ${refused} times`);
    for (let i = 0; i < 200; i++) await call(first);
    expect((await poor.figures()).cpu - cpu, "microseconds").toBeLessThan(2_000_000);
    for (const socket of crowd) socket.destroy();
    await expect.poll(async () => (await poor.figures()).served).toBe(1);
    const later = new RawEnd(await dialUnix(small));
    await call(later);
    await later.close();
    await first.close();
    expect(await poor.end()).toBe(0);
  });
});

/** 10,000, or as many descriptors as this process may have: the daemon has its own. */
async function manyAsPermitted(): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const [, soft = "1024"] = /Max open files\s+(\d+)/.exec(limits) ?? [];
  const count = Math.min(10_000, Math.floor((Number(soft) - 500) / 250) * 250);
  if (count < 10_000) console.log(`only ${count} connections: this process may have ${soft} files`);
  return count;
}
