import { getEventListeners } from "node:events";
import { createServer as createNetServer } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { connect, connectTransport } from "../../src/api/index.ts";
import { types as errors } from "../../src/generated/netmessage/index.ts";
import { domainLookupByName, type RemoteHandlers, remoteDescription } from "../../src/generated/remote/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import { type CallContext, createServer, serve } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import { join, str, words } from "../rpc/wire.ts";
import { fakeSystem } from "./fake-system.ts";

const uuid = new Uint8Array(16);
const handlers: RemoteHandlers<CallContext> = {
  authList: () => ({ types: [0] }),
  connectOpen: () => {},
  connectClose: (_, { session }) => session.closeAfterReply(),
  connectSupportsFeature: ({ feature }) => ({ supported: feature === 15 ? 0 : 1 }),
  connectGetUri: () => ({ uri: "test:///chosen" }),
  connectGetLibVersion: () => ({ libVer: 11_003_000n }),
  connectGetVersion: () => ({ hvVer: 2n }),
  connectGetType: () => ({ type: "TEST" }),
  connectGetHostname: () => ({ hostname: "here" }),
  connectGetCapabilities: () => ({ capabilities: "<capabilities/>" }),
  domainLookupByName: ({ name }) => ({ dom: { name, uuid, id: 1 } }),
};

/** A daemon that the test plays, and a connection being opened to it. */
function opening(options: Parameters<typeof connectTransport>[1] = { name: "test:///default" }) {
  const [near, far] = pair();
  const opened = connectTransport(near, options);
  opened.catch(() => {});
  return { daemon: new RawEnd(far), opened };
}

async function expectCall(daemon: RawEnd, proc: number, payload: Uint8Array, answer: Uint8Array = words()) {
  const call = await daemon.expect();
  expect(call).toMatchObject({ prog: 0x20008086, vers: 1, proc, type: 0, status: 0 });
  expect(call.payload).toEqual(payload);
  daemon.reply(call, answer);
  return call;
}

/** Plays the opening sequence to its end. */
async function accept(daemon: RawEnd): Promise<void> {
  await expectCall(daemon, 66, words(), words(1, 0));
  await expectCall(daemon, 60, words(10), words(1));
  await expectCall(daemon, 1, join(words(1), str("test:///default"), words(0)));
  await expectCall(daemon, 60, words(14), words(1));
  await expectCall(daemon, 60, words(15), words(0));
}

describe("opening", () => {
  test("open/sequence: as libvirt's client", async () => {
    const { daemon, opened } = opening();
    await accept(daemon);
    const conn = await opened;
    expect(conn.uri).toBe("test:///default");
    expect(conn.readOnly).toBe(false);
    expect(conn.features).toEqual({ eventCallback: true, closeCallback: false });
    const closing = conn.close();
    await expectCall(daemon, 2, words());
    await closing;
    expect(await conn.closed).toBeUndefined();
  });

  test("open/without-uri: the name is empty, never absent, and the daemon says what it chose", async () => {
    const { daemon, opened } = opening({ readOnly: true });
    await expectCall(daemon, 66, words(), words(1, 0));
    await expectCall(daemon, 60, words(10), words(1));
    await expectCall(daemon, 1, words(1, 0, 1));
    await expectCall(daemon, 110, words(), str("test:///chosen"));
    await expectCall(daemon, 60, words(14), words(0));
    await expectCall(daemon, 60, words(15), words(0));
    const conn = await opened;
    expect([conn.uri, conn.readOnly]).toEqual(["test:///chosen", true]);
    void conn.close();
    await expectCall(daemon, 2, words());
    await conn.close();
  });

  test.each([
    ["an empty list", words(0), 0],
    [
      "an unknown procedure",
      errors.virNetMessageError.encode(virtError(39, 7, "unknown procedure: 66").toMessage()),
      1,
    ],
  ])("open/no-authentication: %s", async (_, payload, status) => {
    const { daemon, opened } = opening();
    daemon.reply(await daemon.expect(), payload, status);
    await expectCall(daemon, 60, words(10), words(1));
    await daemon.close();
    await expect(opened).rejects.toMatchObject({ name: "TransportError" });
  });

  test("open/authentication-unknown: a type that nobody knows", async () => {
    const { daemon, opened } = opening();
    await expectCall(daemon, 66, words(), words(1, 7));
    await expect(opened).rejects.toMatchObject({ code: 45, message: expect.stringContaining("type 7") });
    await daemon.ended;
  });

  test("open/feature-errors-count-as-no", async () => {
    const { daemon, opened } = opening();
    const refusal = errors.virNetMessageError.encode(virtError(1, 7, "no").toMessage());
    await expectCall(daemon, 66, words(), words(1, 0));
    daemon.reply(await daemon.expect(), refusal, 1);
    await expectCall(daemon, 1, join(words(1), str("test:///default"), words(0)));
    daemon.reply(await daemon.expect(), refusal, 1);
    daemon.reply(await daemon.expect(), refusal, 1);
    const conn = await opened;
    expect(conn.features).toEqual({ eventCallback: false, closeCallback: false });
    await daemon.close();
    await conn.close();
  });

  test("open/refused: the daemon's error, and the connection is closed", async () => {
    const { daemon, opened } = opening();
    await expectCall(daemon, 66, words(), words(1, 0));
    await expectCall(daemon, 60, words(10), words(1));
    const refusal = virtError(5, 0, "nosuch:///x");
    daemon.reply(await daemon.expect(), errors.virNetMessageError.encode(refusal.toMessage()), 1);
    await expect(opened).rejects.toMatchObject({
      name: "VirtError",
      code: 5,
      message: "no connection driver available for nosuch:///x",
    });
    await daemon.ended;
  });

  test("open/timeout: a daemon that accepts and stays silent", async () => {
    const { daemon, opened } = opening({ timeout: 1 });
    await expect(opened).rejects.toMatchObject({ name: "TimeoutError", message: "no connection within 1 ms" });
    await daemon.ended;
  });

  test("open/timeout-infinite: is no short time", async () => {
    vi.useFakeTimers();
    try {
      const { daemon, opened } = opening({ name: "test:///default", timeout: Number.POSITIVE_INFINITY });
      await vi.advanceTimersByTimeAsync(60_000);
      await accept(daemon);
      const conn = await opened;
      await daemon.close();
      await conn.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test("open/given-up over TCP: the socket is closed", async () => {
    const silent = createNetServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const end = new AbortController();
    const gone = new Promise((resolve) =>
      silent.once("connection", (socket) => {
        socket.once("close", resolve);
        socket.once("data", () => end.abort());
      }),
    );
    const { port } = silent.address() as { port: number };
    await expect(connect(`test+tcp://127.0.0.1:${port}/default`, { signal: end.signal })).rejects.toMatchObject({
      name: "AbortError",
    });
    await gone;
    await new Promise((resolve) => silent.close(resolve));
  });

  test("open/signal: before and during", async () => {
    const reason = new Error("changed my mind");
    const before = opening({ signal: AbortSignal.abort(reason) });
    await expect(before.opened).rejects.toMatchObject({ name: "AbortError", cause: reason });
    await before.daemon.ended;
    const end = new AbortController();
    const during = opening({ signal: end.signal });
    await expectCall(during.daemon, 66, words(), words(1, 0));
    await during.daemon.expect();
    end.abort(reason);
    await expect(during.opened).rejects.toMatchObject({ name: "AbortError", cause: reason });
    await during.daemon.ended;
  });

  test("open/signal-afterwards: the signal was for the opening alone", async () => {
    const end = new AbortController();
    const { daemon, opened } = opening({ name: "test:///default", signal: end.signal });
    await accept(daemon);
    const conn = await opened;
    expect(getEventListeners(end.signal, "abort")).toHaveLength(0);
    end.abort();
    const call = conn.call(domainLookupByName, { name: "web" });
    await expectCall(daemon, 23, str("web"), join(str("web"), uuid, words(1)));
    expect((await call).dom.name).toBe("web");
    await daemon.close();
    await conn.close();
  });

  test("open/no-daemon: a TransportError, the system's error as cause", async () => {
    await expect(connect("qemu+unix:///system?socket=/nonexistent/sock")).rejects.toMatchObject({
      name: "TransportError",
      code: "connect",
      cause: { code: "ENOENT" },
    });
  });

  test("open/aliases: a name of libvirt.conf stands for a URI, unless it must not", async () => {
    const conf = 'uri_aliases = ["short=qemu+unix:///system?socket=/nonexistent/sock"]';
    const system = fakeSystem({ "/etc/libvirt/libvirt.conf": conf });
    for (const options of [{ system }, { system, aliases: true }]) {
      await expect(connect("short", options)).rejects.toMatchObject({ code: "connect", cause: { code: "ENOENT" } });
    }
    await expect(connect("short", { system, aliases: false })).rejects.toMatchObject({ name: "VirtError", code: 5 });
  });
});

describe("an open connection", () => {
  const serving = () => {
    const server = createServer({ programs: [serve(remoteDescription, handlers)] });
    const [near, far] = pair();
    server.accept(far);
    return { server, opened: connectTransport(near) };
  };

  test("connection/questions: what the daemon says about itself", async () => {
    const { server, opened } = serving();
    await using conn = await opened;
    expect(conn.uri).toBe("test:///chosen");
    expect(await conn.getLibVersion()).toBe(11_003_000);
    expect(await conn.getVersion()).toBe(2);
    expect(await conn.getType()).toBe("TEST");
    expect(await conn.getHostname()).toBe("here");
    expect(await conn.getCapabilities()).toBe("<capabilities/>");
    expect([await conn.supportsFeature(14), await conn.supportsFeature(15)]).toEqual([true, false]);
    expect(conn.identity.transport).toBe("pair");
    await conn.close();
    await server.close();
  });

  test("connection/remote: the generated methods, loaded with the first call, in order", async () => {
    const { server, opened } = serving();
    const conn = await opened;
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const found = await Promise.all(names.map((name) => conn.remote.domainLookupByName({ name })));
    expect(found.map(({ dom }) => dom.name)).toEqual(names);
    expect(await Promise.resolve(conn.remote)).toBe(conn.remote); // no promise, though every property is a method
    await expect((conn.remote as unknown as { nothing(): Promise<void> }).nothing()).rejects.toThrow(TypeError);
    await expect(conn.qemu.domainMonitorCommand({ dom: found[0]!.dom, cmd: "{}", flags: 0 })).rejects.toMatchObject({
      code: 39,
      message: "Cannot find program 536903815 version 1",
    });
    await conn.close();
    await server.close();
  });

  test("connection/as-any-object: what asks it for the methods of all objects calls no procedure", async () => {
    const { server, opened } = serving();
    const conn = await opened;
    expect(`${conn.remote}`).toBe("[object Object]");
    expect(JSON.parse(JSON.stringify(conn))).toMatchObject({ uri: "test:///chosen", remote: {} });
    expect((conn.remote as object).constructor).toBe(Object);
    await conn.close();
    await server.close();
  });

  test("connection/four-in-flight: the fifth call waits", async () => {
    const { daemon, opened } = opening();
    await accept(daemon);
    const conn = await opened;
    const names = ["a", "b", "c", "d", "e"];
    const calls = names.map((name) => conn.call(domainLookupByName, { name }));
    const arrived = [];
    for (let i = 0; i < 4; i++) arrived.push(await daemon.expect());
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(daemon.bytes).toHaveLength(0);
    for (const call of arrived) daemon.reply(call, join(call.payload, uuid, words(1)));
    const fifth = await daemon.expect();
    daemon.reply(fifth, join(fifth.payload, uuid, words(1)));
    expect((await Promise.all(calls)).map(({ dom }) => dom.name)).toEqual(names);
    await daemon.close();
    await conn.close();
  });

  test("close/eof-is-success: a daemon that closes instead of answering CONNECT_CLOSE", async () => {
    const { daemon, opened } = opening();
    await accept(daemon);
    const conn = await opened;
    const closing = conn.close();
    expect((await daemon.expect()).proc).toBe(2);
    await daemon.transport.close();
    await closing;
    expect(await conn.closed).toBeUndefined();
    await conn.close();
  });

  test("close/error-is-success: whatever the daemon answers, it is closed", async () => {
    const { daemon, opened } = opening();
    await accept(daemon);
    const conn = await opened;
    const closing = conn.close();
    const refusal = errors.virNetMessageError.encode(virtError(1, 7, "no").toMessage());
    daemon.reply(await daemon.expect(), refusal, 1);
    await closing;
    expect(await daemon.next()).toBeUndefined();
  });

  test("close/full: behind four calls in flight it just ends", async () => {
    const { daemon, opened } = opening();
    await accept(daemon);
    const conn = await opened;
    const calls = ["a", "b", "c", "d"].map((name) =>
      conn.call(domainLookupByName, { name }).catch((error: unknown) => error),
    );
    for (let i = 0; i < 4; i++) expect((await daemon.expect()).proc).toBe(23);
    await conn.close();
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: "closed" });
    expect(await daemon.next()).toBeUndefined();
  });

  test("close/stuck: a daemon that reads nothing is waited for 5 seconds, no longer", async () => {
    const { daemon, opened } = opening();
    await accept(daemon);
    const conn = await opened;
    daemon.transport.pause();
    const call = conn.call(domainLookupByName, { name: "x".repeat(100_000) }).catch((error: unknown) => error);
    vi.useFakeTimers();
    try {
      const closing = conn.close();
      await vi.advanceTimersByTimeAsync(5000);
      await closing;
      expect(await call).toMatchObject({ name: "TransportError" });
      expect(await conn.closed).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });

  test("close/by-the-daemon: pending calls and closed say why", async () => {
    const { daemon, opened } = opening();
    await accept(daemon);
    const conn = await opened;
    const call = conn.remote.domainLookupByName({ name: "web" });
    const failed = expect(call).rejects.toMatchObject({ name: "TransportError", code: "eof" });
    await daemon.expect();
    await daemon.transport.close();
    await failed;
    expect(await conn.closed).toMatchObject({ code: "eof" });
    await expect(conn.call(domainLookupByName, { name: "x" })).rejects.toMatchObject({ code: "closed" });
    await conn.close();
  });
});
