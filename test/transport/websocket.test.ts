import { createServer, type Server } from "node:http";
import { createServer as createTls } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { dialWebSocket, type Transport, TransportError, type WebSocketOptions } from "../../src/transport/index.ts";
import { overWebSocket, type WebSocketLike } from "../../src/transport/websocket.ts";
import { TestAuthority } from "./certificates.ts";
import { leavesNothing } from "./leak.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server that does `next` with each client. Resolves with its URL. */
async function listen(next: (socket: WebSocket) => void, http: Server = createServer()): Promise<string> {
  const server = new WebSocketServer({ server: http, path: "/libvirt" });
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    next(socket);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  ends.push(async () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    await new Promise((resolve) => http.close(resolve));
  });
  return `${"setSecureContext" in http ? "wss" : "ws"}://127.0.0.1:${(http.address() as AddressInfo).port}/libvirt`;
}

const echo = (socket: WebSocket) => {
  socket.on("message", (data: Buffer) => socket.send(data));
};

function read(transport: Transport, enough = Number.POSITIVE_INFINITY) {
  const chunks: Uint8Array[] = [];
  let length = 0;
  return new Promise<{ bytes: Buffer; error: Error | undefined }>((resolve) => {
    const done = (error?: Error) => resolve({ bytes: Buffer.concat(chunks), error });
    transport.start({
      bytes: (chunk) => {
        expect(chunk.constructor).toBe(Uint8Array);
        chunks.push(chunk.slice());
        length += chunk.byteLength;
        if (length >= enough) done();
      },
      end: done,
    });
  });
}

/** A websocket that has what a browser's has, and no more. */
function browserSocket(url: string): WebSocketLike {
  const socket = new WebSocket(url);
  const hidden = new Set<string | symbol>(["pause", "resume", "terminate", "on"]);
  return new Proxy(socket, {
    get: (target, name) => {
      if (hidden.has(name)) return undefined;
      const value = Reflect.get(target, name) as unknown;
      if (name === "send") return (data: Uint8Array) => target.send(data);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  }) as unknown as WebSocketLike;
}

const kinds: Record<string, (options: WebSocketOptions, signal?: AbortSignal) => Promise<Transport>> = {
  node: (options, signal) => dialWebSocket(options, signal ? { signal } : {}),
  browser: (options, signal) => overWebSocket(browserSocket(options.url), options, signal ? { signal } : {}),
};

describe.each(Object.entries(kinds))("in a %s", (_, dial) => {
  test("websocket/pipe: parts of a write arrive in order, as bytes", async () => {
    const url = await listen(echo);
    await leavesNothing(async () => {
      const transport = await dial({ url });
      expect(transport.peer).toEqual({
        transport: "ws",
        address: url,
        secure: false,
        local: false,
        security: { encrypted: false, ssf: 0 },
      });
      const reading = read(transport, 12);
      transport.write([Buffer.from("one "), new Uint8Array(0), Buffer.from("two ")]);
      transport.write([Buffer.from("six.")]);
      expect((await reading).bytes.toString()).toBe("one two six.");
      await transport.close();
      await transport.close();
      expect(transport.write([Buffer.from("late")])).toBe(true);
      await transport.drained();
    });
  });

  test("websocket/first message in the same turn as the answer, and before start", async () => {
    const url = await listen((socket) => socket.send(Buffer.from("first")));
    const transport = await dial({ url });
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect((await read(transport, 5)).bytes.toString()).toBe("first");
    await transport.close();
  });

  test("websocket/full: write says so, drained tells when there is room, close sends the rest", async () => {
    let got = 0;
    let onEnd = () => {};
    const over = new Promise<void>((resolve) => {
      onEnd = resolve;
    });
    let server: WebSocket | undefined;
    const url = await listen((socket) => {
      server = socket;
      socket.pause();
      socket.on("message", (data: Buffer) => {
        got += data.byteLength;
      });
      socket.on("close", () => onEnd());
    });
    const transport = await dial({ url });
    const part = new Uint8Array(1_000_000);
    let written = 0;
    do written += part.byteLength;
    while (transport.write([part]) || written < 20_000_000);
    const drained = transport.drained();
    server?.resume();
    await drained;
    transport.write([part]);
    await transport.close();
    await over;
    expect(got).toBe(written + part.byteLength);
  });

  test("websocket/pause: nothing comes until resume, the end included", async () => {
    const url = await listen((socket) => {
      for (let i = 0; i < 100; i++) socket.send(Buffer.from("0123456789"));
      socket.close(1000);
    });
    const transport = await dial({ url });
    let got = 0;
    let over = false;
    const ended = new Promise<Error | undefined>((resolve) => {
      transport.start({
        bytes: (chunk) => {
          got += chunk.byteLength;
          if (got === 30) transport.pause();
        },
        end: (error) => {
          over = true;
          resolve(error);
        },
      });
    });
    while (got < 30) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect([got, over]).toEqual([30, false]);
    transport.resume();
    expect(await ended).toBeUndefined();
    expect(got).toBe(1000);
    await transport.close();
  });

  test("websocket/end: an agreed close ends the pipe, another one breaks it", async () => {
    const good = await dial({ url: await listen((socket) => socket.close(1001)) });
    expect((await read(good)).error).toBeUndefined();
    const bad = await dial({ url: await listen((socket) => socket.close(1011, "out of memory")) });
    expect((await read(bad)).error).toMatchObject({
      name: "TransportError",
      code: "io",
      message: "the websocket was closed with code 1011: out of memory",
    });
    const cut = await dial({ url: await listen((socket) => socket.terminate()) });
    expect((await read(cut)).error).toMatchObject({ code: "io", message: expect.stringContaining("code 1006") });
  });

  test("websocket/text: a typed error", async () => {
    const url = await listen((socket) => socket.send("hello"));
    await leavesNothing(async () => {
      const transport = await dial({ url });
      const { error } = await read(transport);
      expect(error).toMatchObject({
        name: "TransportError",
        code: "message",
        message: expect.stringContaining("text"),
      });
      await transport.close();
    });
  });

  test("websocket/too large: a typed error; the largest is taken", async () => {
    const url = await listen((socket) => {
      socket.send(new Uint8Array(1000));
      socket.send(new Uint8Array(1001));
    });
    await leavesNothing(async () => {
      const transport = await dial({ url, maxMessage: 1000 });
      const { bytes, error } = await read(transport);
      expect(bytes.byteLength).toBe(1000);
      expect(error).toMatchObject({
        name: "TransportError",
        code: "message",
        message: expect.stringContaining("1000 bytes"),
      });
      await transport.close();
    });
  });

  test("websocket/refused: nobody there, no websocket there", async () => {
    const http = createServer((_request, response) => response.writeHead(403).end());
    const url = await listen(echo, http);
    await leavesNothing(async () => {
      await expect(dial({ url: url.replace("/libvirt", "/other") })).rejects.toBeInstanceOf(TransportError);
      await expect(dial({ url: url.replace("/libvirt", "/other") })).rejects.toMatchObject({ code: "connect" });
      await expect(dial({ url: "ws://127.0.0.1:1/" })).rejects.toMatchObject({
        code: "connect",
        message: expect.stringContaining("cannot connect to ws://127.0.0.1:1/: "),
      });
    });
  });

  test("websocket/signal: before and during", async () => {
    const reason = new Error("enough");
    const url = await listen(echo);
    await leavesNothing(async () => {
      await expect(dial({ url }, AbortSignal.abort(reason))).rejects.toBe(reason);
      const end = new AbortController();
      const dialling = dial({ url }, end.signal);
      end.abort(reason);
      await expect(dialling).rejects.toBe(reason);
    });
  });

  test("websocket/close with a reason, and of a peer that never answers", async () => {
    const deaf: WebSocket[] = [];
    const url = await listen((socket) => {
      socket.pause();
      deaf.push(socket);
    });
    await leavesNothing(async () => {
      const transport = await dial({ url });
      await transport.close(new Error("enough"));
      await (await dial({ url })).close();
      for (const socket of deaf) socket.terminate();
    });
  });
});

describe("a browser's websocket, which cannot be told to wait", () => {
  const maxUnread = 1000;

  test("websocket/unread: more than may wait ends it with a typed error, before start and while paused", async () => {
    const url = await listen((socket) => {
      for (let i = 0; i < 10; i++) socket.send(new Uint8Array(100));
    });
    await leavesNothing(async () => {
      const socket = browserSocket(url);
      const transport = await overWebSocket(socket, { url, maxUnread });
      while (socket.readyState !== WebSocket.CLOSED) await new Promise((resolve) => setImmediate(resolve));
      const { bytes, error } = await read(transport);
      expect(bytes.byteLength).toBe(0);
      expect(error).toMatchObject({ name: "TransportError", code: "overflow", message: /more than 1000 bytes/ });
      await transport.close();

      const other = await overWebSocket(browserSocket(url), { url, maxUnread });
      const end = await new Promise<Error | undefined>((resolve) => {
        other.start({ bytes: () => other.pause(), end: resolve });
      });
      expect(end).toMatchObject({ code: "overflow" });
      await other.close();
    });
  });

  test("websocket/unread: what may wait is kept in order, and what was read counts no more", async () => {
    const url = await listen((socket) => {
      socket.on("message", () => {
        for (let i = 0; i < 3; i++) socket.send(Uint8Array.of(i));
      });
    });
    const transport = await overWebSocket(browserSocket(url), { url, maxUnread });
    const got: number[] = [];
    transport.start({
      bytes: ([byte = -1]) => {
        got.push(byte);
        transport.pause(); // after each
      },
      end: () => got.push(99),
    });
    for (let round = 1; round <= 20; round++) {
      transport.write([Uint8Array.of(0)]);
      while (got.length < 3 * round) {
        await new Promise((resolve) => setImmediate(resolve));
        transport.resume();
      }
    }
    expect(got).toEqual(Array.from({ length: 60 }, (_, i) => i % 3));
    await transport.close();
  });
});

test("websocket/secrets: no password and no token in an error", async () => {
  for (const url of ["ws://me:secret@127.0.0.1:1/?token=secret", "ws://me:secret@/", "http://me:secret@h/"]) {
    const error = await dialWebSocket({ url }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransportError);
    expect((error as Error).message).not.toContain("secret");
  }
});

test("websocket/url that is none", async () => {
  for (const url of ["http://127.0.0.1/", "127.0.0.1", "ws://"]) {
    await expect(dialWebSocket({ url })).rejects.toMatchObject({ name: "TransportError", code: "option" });
  }
});

test("websocket/node options: header and subprotocol", async () => {
  const seen: unknown[] = [];
  const http = createServer();
  http.on("upgrade", ({ headers }) => seen.push(headers.authorization, headers["sec-websocket-protocol"]));
  const url = await listen(echo, http);
  const transport = await dialWebSocket({ url, headers: { authorization: "Bearer x" }, protocols: ["binary"] });
  await transport.close();
  expect(seen).toEqual(["Bearer x", "binary"]);
});

test("websocket/tls: the certificate counts, and is known", async () => {
  const authority = new TestAuthority();
  const { cert, key } = authority.issue({ name: "server", altNames: ["IP:127.0.0.1"], purposes: ["server"] });
  const url = await listen(echo, createTls({ cert, key }));
  const transport = await dialWebSocket({ url, ca: authority.cert });
  expect(transport.peer).toMatchObject({
    transport: "wss",
    secure: true,
    security: { encrypted: true, ssf: 256 },
    tls: { protocol: "TLSv1.3", subject: "CN=server", issuer: "CN=test CA", verified: true },
  });
  await transport.close();
  await leavesNothing(async () => {
    await expect(dialWebSocket({ url })).rejects.toMatchObject({
      code: "connect",
      cause: { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" },
    });
  });
  const unverified = await dialWebSocket({ url, verify: false });
  expect(unverified.peer.tls?.verified).toBe(false);
  await unverified.close();
});

test("websocket/address: without the password that the URL has", async () => {
  const url = await listen(echo);
  const transport = await dialWebSocket({ url: url.replace("//", "//me:secret@") });
  expect(transport.peer.address).toBe(url);
  await transport.close();
});
