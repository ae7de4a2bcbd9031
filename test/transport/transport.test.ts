import dns from "node:dns";
import { rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { pair, sockets, type Transport, TransportError } from "../../src/transport/index.ts";
import { leavesNothing } from "./leak.ts";

type LookupCallback = (error: null, addresses: { address: string; family: number }[]) => void;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

function listening(where: { path: string } | { host: string; port: number }): Promise<[Server, Promise<Socket>]> {
  return new Promise((resolve) => {
    const server = createServer({ pauseOnConnect: true });
    servers.push(server);
    const accepted = new Promise<Socket>((done) => server.once("connection", done));
    server.listen(where, () => resolve([server, accepted]));
  });
}

let paths = 0;
const freePath = () => join(tmpdir(), `virtwire-transport-${process.pid}-${paths++}`);

/** Two connected ends of each kind. */
const kinds: Record<string, () => Promise<[Transport, Transport]>> = {
  pair: async () => pair(),
  unix: async () => {
    const { dialUnix, acceptedUnix } = await sockets();
    const path = freePath();
    const [, accepted] = await listening({ path });
    return [await dialUnix(path), acceptedUnix(await accepted, path)];
  },
  tcp: async () => {
    const { dialTcp, acceptedTcp } = await sockets();
    const [server, accepted] = await listening({ host: "127.0.0.1", port: 0 });
    const { port } = server.address() as { port: number };
    return [await dialTcp("127.0.0.1", port), acceptedTcp(await accepted)];
  },
};

const bytes = (text: string) => new TextEncoder().encode(text);

/** Collects what an end reads. */
function collect(transport: Transport) {
  const state = { chunks: [] as Buffer[], over: false, error: undefined as Error | undefined };
  let wake = () => {};
  transport.start({
    bytes: (chunk) => {
      expect(state.over).toBe(false);
      expect(chunk.constructor).toBe(Uint8Array); // a Buffer's `slice` does not copy
      state.chunks.push(Buffer.from(chunk));
      wake();
    },
    end: (error) => {
      expect(state.over).toBe(false);
      state.over = true;
      state.error = error;
      wake();
    },
  });
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const bytes = () => Buffer.concat(state.chunks);
  return { state, until, bytes };
}

describe.each(Object.entries(kinds))("%s", (kind, connectBoth) => {
  test("transport/order: parts arrive in order, in both directions", async () => {
    const [a, b] = await connectBoth();
    const atA = collect(a);
    const atB = collect(b);
    a.write([bytes("one "), bytes("two "), new Uint8Array(0), bytes("three")]);
    b.write([bytes("answer")]);
    await atB.until(() => atB.bytes().byteLength === 13);
    await atA.until(() => atA.bytes().byteLength === 6);
    expect(atB.bytes().toString()).toBe("one two three");
    expect(atA.bytes().toString()).toBe("answer");
    await a.close();
    await atB.until(() => atB.state.over);
    expect(atB.state.error).toBeUndefined();
    expect(atA.state.over).toBe(false); // its own end: not told
    await b.close();
  });

  test("transport/identity", async () => {
    const [a, b] = await connectBoth();
    expect(a.peer.transport).toBe(kind);
    expect(b.peer.transport).toBe(kind);
    expect(a.peer.secure).toBe(kind !== "tcp");
    expect(a.peer.address).toMatch(kind === "tcp" ? /^tcp:\/\/127\.0\.0\.1:\d+$/ : new RegExp(`^${kind}:`));
    await Promise.all([a.close(), b.close()]);
  });

  test("transport/full: write says so, drained tells when there is room, nothing is lost", async () => {
    const [a, b] = await connectBoth();
    const part = new Uint8Array(65_536);
    let written = 0;
    for (;;) {
      written += part.byteLength;
      if (!a.write([part])) break;
      expect(written).toBeLessThan(64 * 1024 * 1024);
    }
    let drained = false;
    const draining = a.drained().then(() => {
      drained = true;
    });
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (kind === "pair") expect(drained).toBe(false);
    const atB = collect(b);
    await draining;
    const closed = a.close();
    await atB.until(() => atB.state.over);
    await closed;
    expect(atB.bytes().byteLength).toBe(written);
    await a.drained();
    await b.close();
  });

  test("transport/pause: nothing comes until resume, the end included", async () => {
    const [a, b] = await connectBoth();
    const atB = collect(b);
    b.pause();
    a.write([bytes("text")]);
    const closing = a.close();
    for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    expect([atB.bytes().byteLength, atB.state.over]).toEqual([0, false]);
    b.resume();
    await atB.until(() => atB.state.over);
    await closing;
    expect(atB.bytes().toString()).toBe("text");
    await b.close();
  });

  test("transport/close-flushes: what was written arrives before the end", async () => {
    const [a, b] = await connectBoth();
    const atB = collect(b);
    collect(a);
    const large = new Uint8Array(3_000_000);
    a.write([large, bytes("end")]);
    const closed = a.close();
    await atB.until(() => atB.state.over);
    expect(atB.bytes().byteLength).toBe(3_000_003);
    await closed;
    await a.close();
    await b.close();
  });

  test("transport/close-both: two ends that close do not wait for each other to read", async () => {
    const [a, b] = await connectBoth();
    for (const end of [a, b]) {
      collect(end);
      end.pause();
      end.write([bytes("never read")]);
    }
    await Promise.all([a.close(), b.close()]);
  });

  test("transport/close-with-reason: at once, whatever waits", async () => {
    const [a, b] = await connectBoth();
    a.write([new Uint8Array(30_000_000)]);
    await a.close(new Error("enough"));
    const atB = collect(b);
    await atB.until(() => atB.state.over);
    expect(atB.bytes().byteLength).toBeLessThan(30_000_000);
    if (atB.state.error !== undefined) expect(atB.state.error).toMatchObject({ name: "TransportError", code: "io" });
    await b.close();
  });

  test("transport/after-close: writing, pausing and closing again do nothing", async () => {
    const [a, b] = await connectBoth();
    collect(a);
    await a.close();
    expect(a.write([bytes("lost")])).toBe(true);
    a.pause();
    a.resume();
    await a.drained();
    await a.close(new Error("again"));
    const atB = collect(b);
    await atB.until(() => atB.state.over);
    expect(atB.bytes().byteLength).toBe(0);
    await b.close();
  });

  test("transport/close-in-bytes: a sink that closes hears nothing more", async () => {
    const [a, b] = await connectBoth();
    let calls = 0;
    b.start({
      bytes: () => {
        calls++;
        void b.close(new Error("enough"));
      },
      end: () => {
        calls += 100;
      },
    });
    const atA = collect(a);
    for (let i = 0; i < 10; i++) a.write([bytes("x")]);
    await atA.until(() => atA.state.over);
    expect(calls).toBe(1);
    await a.close();
  });

  test("transport/end-before-start: told once it is started", async () => {
    const [a, b] = await connectBoth();
    a.write([bytes("last words")]);
    const closing = a.close();
    const atB = collect(b);
    await atB.until(() => atB.state.over);
    await closing;
    expect(atB.bytes().toString()).toBe("last words");
    await b.close();
  });
});

describe("dialling", () => {
  test("dial/refused: a TransportError `connect` with the system's error as cause", async () => {
    const { dialTcp, dialUnix } = await sockets();
    const [server] = await listening({ host: "127.0.0.1", port: 0 });
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const refused = dialTcp("127.0.0.1", port);
    await expect(refused).rejects.toBeInstanceOf(TransportError);
    await expect(refused).rejects.toMatchObject({ code: "connect", cause: { code: "ECONNREFUSED" } });
    const missing = dialUnix(freePath());
    await expect(missing).rejects.toMatchObject({ code: "connect", cause: { code: "ENOENT" } });
  });

  test("dial/several-addresses: what failed at each of them is said", async () => {
    const { dialTcp } = await sockets();
    const lookup = vi.spyOn(dns, "lookup").mockImplementation(((_: string, __: unknown, done: LookupCallback) => {
      const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
      done(null, addresses);
    }) as never);
    try {
      await expect(dialTcp("many.example", 1)).rejects.toMatchObject({
        code: "connect",
        message:
          "cannot connect to tcp://many.example:1: nothing listens there (connect ECONNREFUSED 127.0.0.1:1; connect ECONNREFUSED 127.0.0.2:1)",
      });
    } finally {
      lookup.mockRestore();
    }
  });

  test("dial/signal: rejects with the signal's reason, before and during", async () => {
    const { dialTcp } = await sockets();
    const reason = new Error("changed my mind");
    await expect(dialTcp("127.0.0.1", 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const [server] = await listening({ host: "127.0.0.1", port: 0 });
    const { port } = server.address() as { port: number };
    const end = new AbortController();
    const dialling = dialTcp("127.0.0.1", port, { signal: end.signal });
    end.abort(reason);
    await expect(dialling).rejects.toBe(reason);
  });

  test("dial/meaning: what the system's words mean is said with the path", async () => {
    const { dialUnix } = await sockets();
    const path = freePath();
    await expect(dialUnix(path)).rejects.toMatchObject({
      message: `cannot connect to unix:${path}: there is no such socket (connect ENOENT ${path})`,
    });
    await writeFile(path, "");
    await expect(dialUnix(path)).rejects.toMatchObject({
      message: expect.stringMatching(/nothing listens there|no socket/),
    });
    await rm(path);
    await expect(dialUnix(`/${"x".repeat(200)}`)).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("too long"),
    });
  });

  test.runIf(process.platform === "linux")("dial/abstract: a name behind @, padded as libvirt's", async () => {
    const { dialUnix } = await sockets();
    const name = `virtwire-${process.pid}`;
    const [, accepted] = await listening({ path: `\0${name}`.padEnd(108, "\0") });
    const transport = await dialUnix(`@${name}`);
    expect(transport.peer.address).toBe(`unix:@${name}`);
    (await accepted).destroy();
    await transport.close();
  });

  test("dial/leaves-nothing: refused, given up", async () => {
    const { dialTcp, dialUnix } = await sockets();
    await leavesNothing(async () => {
      await expect(dialTcp("127.0.0.1", 1)).rejects.toThrow();
      await expect(dialUnix(freePath())).rejects.toThrow();
      await expect(dialTcp("127.0.0.1", 1, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    });
  });

  test("dial/ipv6-address", async () => {
    const { tcpAddress } = await sockets();
    expect(tcpAddress("::1", 16_509)).toBe("tcp://[::1]:16509");
    expect(tcpAddress("localhost", 16_509)).toBe("tcp://localhost:16509");
  });
});
