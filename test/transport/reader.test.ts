/** Reading into a pool's memory, on sockets that were dialled and on accepted ones, and where Node has no way to do it. */
import { once } from "node:events";
import { connect, createServer, type Server, Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, test, vi } from "vitest";
import { BufferPool, type Lease, type Misuse } from "../../src/buffer/index.ts";
import { type Keep, sockets, type Transport } from "../../src/transport/index.ts";
import { readInto } from "../../src/transport/read-into.ts";
import { SocketTransport } from "../../src/transport/socket.ts";
import { SocketReader } from "../../src/transport/socket-reader.ts";
import { TestAuthority } from "./certificates.ts";

const way = vi.hoisted(() => ({ onread: true }));
vi.mock("../../src/transport/read-into.ts", async (original) => {
  const real = await original<typeof import("../../src/transport/read-into.ts")>();
  return { readInto: (...both: Parameters<typeof real.readInto>) => way.onread && real.readInto(...both) };
});

const open: { close(): unknown }[] = [];
afterEach(async () => {
  way.onread = true;
  for (const one of open.splice(0)) await one.close();
});

const identity = {
  transport: "tcp",
  address: "tcp://127.0.0.1:1",
  secure: false,
  local: true,
  security: { encrypted: false, ssf: 0 },
} as const;

function watchedPool(capacity = 16 << 20) {
  const misuses: Misuse[] = [];
  const pool = new BufferPool({ capacity, debug: true, onMisuse: (misuse) => misuses.push(misuse) });
  return { pool, misuses };
}

/** What is not waiting for use. */
function inUse({ stats: { allocated, free } }: BufferPool): number {
  return allocated - free;
}

async function listening(server: Server): Promise<number> {
  open.push({ close: () => server.close() });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

interface Ends {
  readonly reader: Transport;
  readonly writer: Socket;
}

/** A transport that reads with `pool`, and the plain socket at its other end. */
type Make = (pool: BufferPool) => Promise<Ends>;

const accepted: Make = async (pool) => {
  const { acceptedTcp } = await sockets();
  const server = createServer();
  const port = await listening(server);
  const arrived = once(server, "connection") as Promise<[Socket]>;
  const writer = connect(port, "127.0.0.1");
  const [socket] = await arrived;
  return { reader: acceptedTcp(socket, { pool }), writer };
};

const dialled: Make = async (pool) => {
  const { dialTcp } = await sockets();
  const server = createServer();
  const port = await listening(server);
  const arrived = once(server, "connection") as Promise<[Socket]>;
  const reader = await dialTcp("127.0.0.1", port, { pool });
  const [writer] = await arrived;
  return { reader, writer };
};

const overTls: Make = async (pool) => {
  const { cert, key } = new TestAuthority();
  const server = createTlsServer({ cert, key });
  const port = await listening(server);
  const arrived = once(server, "secureConnection") as Promise<[Socket]>;
  const writer = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  const [socket] = await arrived;
  return { reader: new SocketTransport(socket, identity, { pool }), writer };
};

const withoutOnread: Make = (pool) => {
  way.onread = false;
  return accepted(pool);
};

async function ends(make: Make, pool: BufferPool): Promise<Ends> {
  const both = await make(pool);
  open.push({ close: () => both.reader.close(new Error("the test is over")) }, { close: () => both.writer.destroy() });
  return both;
}

/** Bytes of which each place is known. */
function pattern(length: number, from = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (from + i) % 251;
  return bytes;
}

/** Calls back for each chunk, and waits. */
function reading(transport: Transport, bytes: (chunk: Uint8Array, keep: Keep) => void) {
  const state = { read: 0, over: false };
  let wake = () => {};
  transport.start({
    bytes(chunk, keep) {
      state.read += chunk.length;
      bytes(chunk, keep as Keep);
      wake();
    },
    end() {
      state.over = true;
      wake();
    },
  });
  return {
    state,
    async until(condition: () => boolean) {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

describe.each(Object.entries({ accepted, dialled, overTls, withoutOnread }))("%s", (_, make) => {
  test("read/keep: what was kept stays as it is while more is read, and every slab comes back", async () => {
    const { pool, misuses } = watchedPool();
    const { reader, writer } = await ends(make, pool);
    const total = 3_000_000;
    const kept: { at: number; lease: Lease }[] = [];
    let at = 0;
    const { state, until } = reading(reader, (chunk, keep) => {
      // The ends of each chunk, as a frame's payload would be kept, and only some of them.
      if (chunk.length > 10 && kept.length < 40) {
        kept.push({ at, lease: keep(chunk.subarray(0, 5)) });
        const last = Math.floor(chunk.length / 2);
        kept.push({ at: at + last, lease: keep(chunk.subarray(last)) });
      }
      at += chunk.length;
    });
    const all = pattern(total);
    writer.write(all);
    await until(() => state.read === total);
    expect(kept.length).toBeGreaterThan(0);
    for (const { at, lease } of kept) {
      expect(Buffer.compare(lease.bytes, all.subarray(at, at + lease.bytes.length))).toBe(0);
    }
    expect(pool.stats.leases).toBe(kept.length);
    writer.end();
    await until(() => state.over);
    await reader.close();
    for (const { lease } of kept) lease.release();
    expect(pool.open).toEqual([]);
    expect([inUse(pool), misuses]).toEqual([0, []]);
  });

  test("read/late-start: what comes before anyone reads is not lost, nor is its order", async () => {
    const { pool } = watchedPool();
    const { reader, writer } = await ends(make, pool);
    writer.write(pattern(1000));
    await turns(20);
    const got: Buffer[] = [];
    const { state, until } = reading(reader, (chunk) => got.push(Buffer.from(chunk)));
    writer.write(pattern(99_000, 1000));
    await until(() => state.read === 100_000);
    expect(Buffer.concat(got).equals(pattern(100_000))).toBe(true);
  });

  test("read/pause: nothing comes while it lasts, with something on its way", async () => {
    const { pool } = watchedPool();
    const { reader, writer } = await ends(make, pool);
    let paused = false;
    let early = 0;
    const { state, until } = reading(reader, (chunk) => {
      if (paused) early += chunk.length;
    });
    writer.write(pattern(10));
    await until(() => state.read === 10);
    reader.pause();
    paused = true;
    writer.write(pattern(10));
    await turns(20);
    expect(early).toBe(0);
    paused = false;
    reader.resume();
    await until(() => state.read === 20);
  });

  test("read/close-with-leases: they outlive the connection", async () => {
    const { pool, misuses } = watchedPool();
    const { reader, writer } = await ends(make, pool);
    const leases: Lease[] = [];
    const { until } = reading(reader, (chunk, keep) => leases.push(keep(chunk)));
    writer.write(pattern(100));
    await until(() => leases.length > 0);
    await reader.close(new Error("enough"));
    expect([...(leases[0] as Lease).bytes.subarray(0, 3)]).toEqual([0, 1, 2]);
    for (const lease of leases) lease.release();
    expect([pool.stats.leases, inUse(pool), misuses]).toEqual([0, 0, []]);
  });

  test("read/write-again: bytes may change once `write` or `drained` says so", async () => {
    const { pool } = watchedPool();
    const { reader, writer } = await ends(make, pool);
    const writing = reader;
    reading(writing, () => {});
    const got: Buffer[] = [];
    let length = 0;
    const arrived = new Promise<void>((resolve) => {
      writer.on("data", (chunk: Buffer) => {
        got.push(chunk);
        length += chunk.length;
        if (length === 40 * 100_010) resolve();
      });
    });
    const header = new Uint8Array(10);
    const payload = new Uint8Array(100_000);
    for (let i = 0; i < 40; i++) {
      header.fill(i);
      payload.fill(i);
      if (!writing.write([header, payload])) await writing.drained();
      header.fill(0xff);
      payload.fill(0xff);
    }
    await arrived;
    const all = Buffer.concat(got);
    for (let i = 0; i < 40; i++) {
      expect(all.subarray(i * 100_010, (i + 1) * 100_010).equals(Buffer.alloc(100_010, i))).toBe(true);
    }
    await writing.close();
    expect([pool.stats.leases, inUse(pool)]).toEqual([0, 0]); // what was put together for TLS included
  });

  test("write/turn: 256 KiB in a turn of the event loop, so that no more than that lies before the next call", async () => {
    const { reader, writer } = await ends(make, watchedPool().pool);
    reading(reader, () => {});
    writer.resume();
    let turn = 0;
    const count = () => {
      turn++;
      if (turn < 4) setImmediate(count);
    };
    for (let i = 0; i < 3; i++) {
      turn = 0;
      setImmediate(count);
      expect(reader.write([new Uint8Array(262_144)])).toBe(false);
      await reader.drained();
      expect(turn).toBeGreaterThan(0);
    }
    expect(reader.write([new Uint8Array(0)])).toBe(true);
  });
});

describe.each(Object.entries({ accepted, dialled, overTls }))("%s: memory", (kind, make) => {
  test("read/idle: a connection on which little is read has no memory of its own, before and after a busy time", async () => {
    const { pool } = watchedPool();
    const { reader, writer } = await ends(make, pool);
    const { state, until } = reading(reader, (chunk, keep) => {
      if (chunk.length > 100) keep(chunk).release();
    });
    writer.write(pattern(100));
    await until(() => state.read === 100);
    expect(pool.stats.allocated).toBe(0);
    writer.write(pattern(1_000_000));
    await until(() => state.read === 1_000_100);
    expect(pool.stats.taken).toBeGreaterThan(0);
    writer.write(pattern(100));
    await until(() => state.read === 1_000_200);
    await turns(2);
    expect(inUse(pool)).toBe(0);
  });

  test("read/again: memory that nobody kept, or gave back at once, is read into again", async () => {
    const pool = new BufferPool();
    const { reader, writer } = await ends(make, pool);
    const { state, until } = reading(reader, (chunk, keep) => keep(chunk).release());
    writer.write(new Uint8Array(20_000_000));
    await until(() => state.read === 20_000_000);
    expect(pool.stats.made).toBeLessThan(5);
    expect(pool.stats.leases).toBe(0);
  });

  test("read/starved: without room for what is kept nothing more is read, until there is", async () => {
    const { pool, misuses } = watchedPool(256 << 10);
    const { reader, writer } = await ends(make, pool);
    const leases: Lease[] = [];
    const { state, until } = reading(reader, (chunk, keep) => leases.push(keep(chunk)));
    const total = 20_000_000;
    const all = pattern(total);
    writer.write(all);
    await until(() => pool.stats.waiting > 0);
    const soon = state.read;
    await turns(50);
    // What was decrypted already still comes.
    expect(state.read - soon).toBeLessThanOrEqual(kind === "overTls" ? 128 << 10 : 0);
    expect(pool.stats.overdrawn).toBeLessThanOrEqual(256 << 10);
    expect(state.read).toBeLessThan(1 << 20);
    let at = 0;
    const check = () => {
      for (const lease of leases.splice(0)) {
        expect(Buffer.compare(lease.bytes, all.subarray(at, at + lease.bytes.length))).toBe(0);
        at += lease.bytes.length;
        lease.release();
      }
    };
    while (at < total) {
      check();
      await turns(1);
    }
    writer.end();
    await until(() => state.over);
    await reader.close();
    expect(pool.stats).toMatchObject({ leases: 0, waiting: 0, overdrawn: 0 });
    expect([inUse(pool), misuses]).toEqual([0, []]);
  });

  test("read/starved-close: a connection that waits for room can be closed, and waits no more", async () => {
    const { pool } = watchedPool(64 << 10);
    const { reader, writer } = await ends(make, pool);
    const leases: Lease[] = [];
    const { until } = reading(reader, (chunk, keep) => leases.push(keep(chunk)));
    writer.on("error", () => {});
    writer.write(pattern(20_000_000));
    await until(() => pool.stats.waiting > 0);
    await reader.close(new Error("enough"));
    expect(pool.stats.waiting).toBe(0);
    for (const lease of leases) lease.release();
    expect([pool.stats.leases, inUse(pool)]).toEqual([0, 0]);
  });

  test("read/foreign: only a part of the chunk can be kept", async () => {
    const { pool } = watchedPool();
    const { reader, writer } = await ends(make, pool);
    let refused = 0;
    const { until } = reading(reader, (_, keep) => {
      try {
        keep(new Uint8Array(10)).release();
      } catch {
        refused++;
      }
    });
    writer.write(pattern(10));
    writer.write(pattern(200_000));
    await until(() => refused > 1);
  });
});

test("read/records: full TLS records that come together are put together", async () => {
  const { pool } = watchedPool();
  const { reader, writer } = await ends(overTls, pool);
  let longest = 0;
  const { state, until } = reading(reader, (chunk) => {
    longest = Math.max(longest, chunk.length);
  });
  writer.write(pattern(4_000_000));
  await until(() => state.read === 4_000_000);
  expect(longest).toBeGreaterThan(16_384);
});

test("read/many-idle: five hundred connections that wait hold nothing of the pool", async () => {
  const { pool } = watchedPool();
  const { acceptedTcp } = await sockets();
  let read = 0;
  let wake = () => {};
  const server = createServer((socket) => {
    const transport = acceptedTcp(socket, { pool });
    open.push({ close: () => transport.close(new Error("the test is over")) });
    transport.start({
      bytes: (chunk) => {
        read += chunk.length;
        wake();
      },
      end: () => {},
    });
  });
  const port = await listening(server);
  const clients = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const client = connect(port, "127.0.0.1");
      await once(client, "connect");
      client.write(pattern(100));
      return client;
    }),
  );
  while (read < 50_000) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  expect(pool.stats).toMatchObject({ allocated: 0, leases: 0 });
  for (const client of clients) client.destroy();
});

describe("taking over a socket", () => {
  test("read-into/foreign: a socket without Node's fields stays as it is", () => {
    const reader = new SocketReader(new BufferPool());
    const plain = { _handle: { useUserBuffer: () => expect.fail("called") } } as unknown as Socket;
    expect(readInto(plain, reader)).toBe(false);
    expect(Object.getOwnPropertySymbols(plain)).toEqual([]);
  });

  test("read-into/no-handle: nor does one that is not connected, or that reads into a buffer already", () => {
    const reader = new SocketReader(new BufferPool());
    expect(readInto(new Socket(), reader)).toBe(false);
    const busy = new Socket({ onread: { buffer: new Uint8Array(10), callback: () => true } } as object);
    expect(readInto(busy, reader)).toBe(false);
  });

  test("read-into/works: this version of Node has the fields", async () => {
    const { pool } = watchedPool();
    const server = createServer();
    const port = await listening(server);
    const arrived = once(server, "connection") as Promise<[Socket]>;
    const writer = connect(port, "127.0.0.1");
    const [socket] = await arrived;
    open.push({ close: () => socket.destroy() }, { close: () => writer.destroy() });
    expect(readInto(socket, new SocketReader(pool))).toBe(true);
  });
});
