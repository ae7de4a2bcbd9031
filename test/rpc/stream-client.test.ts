import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { encodeVirNetMessageError } from "../../src/generated/netmessage/index.ts";
import { connectGetLibVersion, storageVolDownload, storageVolUpload } from "../../src/generated/remote/index.ts";
import { AbortError, type PeerOptions, type Stream, VirtError, virtError } from "../../src/rpc/index.ts";
import type { Transport, TransportSink } from "../../src/transport/index.ts";
import { XdrWriter } from "../../src/xdr/index.ts";
import type { RawEnd, RawMessage } from "./raw-end.ts";
import { clientBeforeBytes, openLeases, pattern, readAll, streamFrame, volArgs } from "./stream-ends.ts";
import { CONTINUE, ERROR, everySplit, join, KEEPALIVE, OK, PING, STREAM, STREAM_HOLE, words } from "./wire.ts";

function errorPayload(error: VirtError): Uint8Array {
  const w = new XdrWriter();
  encodeVirNetMessageError(w, error.toMessage());
  return w.finish();
}

const noSpace = virtError(38, 38, "cannot write to stream: No space left on device");
const data = (call: RawMessage, bytes: Uint8Array) => streamFrame(call, STREAM, CONTINUE, bytes);
const end = (call: RawMessage) => streamFrame(call, STREAM, CONTINUE);
const ok = (call: RawMessage) => streamFrame(call, STREAM, OK);
const failure = (call: RawMessage, error = noSpace) => streamFrame(call, STREAM, ERROR, errorPayload(error));
const hole = (call: RawMessage, high: number, low: number, flags = 0) =>
  streamFrame(call, STREAM_HOLE, CONTINUE, words(high, low, flags));

/** An open stream of a client, and its call as the other side saw it. */
async function opened(
  options: PeerOptions = {},
  procedure = storageVolDownload,
  flags = 0,
  wrap?: (transport: Transport) => Transport,
) {
  const ends = clientBeforeBytes(options, wrap);
  const opening = ends.peer.open(procedure, volArgs(flags));
  const call = await ends.server.expect();
  ends.server.reply(call);
  const { stream } = await opening;
  return { ...ends, call, stream };
}

/** That the connection goes on: a call gets its answer. */
async function goesOn({ peer, server }: { peer: Awaited<ReturnType<typeof opened>>["peer"]; server: RawEnd }) {
  const version = peer.call(connectGetLibVersion, undefined);
  for (;;) {
    const call = await server.expect();
    if (call.type !== 0) continue;
    server.reply(call, words(0, 11));
    break;
  }
  expect((await version).libVer).toBe(11n);
}

const ended = async (stream: Stream) => {
  await expect(stream.write(Uint8Array.of(1))).rejects.toThrow();
  expect(stream.signal.aborted).toBe(true);
};

afterEach(() => {
  expect(openLeases()).toBe(0);
  vi.useRealTimers();
});

describe("opening", () => {
  test("stream/data-before-reply: data, its end and a late reply, cut anywhere", async () => {
    const { peer, server } = clientBeforeBytes();
    const first = peer.open(storageVolDownload, volArgs());
    const call = await server.expect();
    const bytes = join(data(call, Uint8Array.of(1, 2, 3)), data(call, Uint8Array.of(4)), end(call));
    for (const piece of [...everySplit(bytes)].at(-1) ?? []) server.write(piece);
    server.reply(call);
    const { stream } = await first;
    expect(await readAll(stream)).toEqual(Uint8Array.of(1, 2, 3, 4));
    const finished = stream.finish();
    expect(await server.expect()).toMatchObject({ type: STREAM, status: OK, proc: 209, serial: 0 });
    server.write(ok(call));
    await finished;
    await peer.close();
  });

  test("stream/refused: the call rejects, data that came before goes back, nothing is sent", async () => {
    const ends = clientBeforeBytes();
    const opening = ends.peer.open(storageVolDownload, volArgs());
    const call = await ends.server.expect();
    ends.server.write(data(call, pattern(5000)));
    ends.server.reply(call, errorPayload(noSpace), 1);
    await expect(opening).rejects.toMatchObject({ code: 38 });
    const version = ends.peer.call(connectGetLibVersion, undefined);
    expect((await ends.server.expect()).proc).toBe(157);
    void version.catch(() => {});
    await ends.peer.close();
  });

  test("stream/error-before-reply: the stream is open and has failed", async () => {
    const { peer, server } = clientBeforeBytes();
    const opening = peer.open(storageVolDownload, volArgs());
    const call = await server.expect();
    server.write(failure(call));
    server.reply(call);
    const { stream } = await opening;
    await expect(readAll(stream)).rejects.toMatchObject({ code: 38 });
    await expect(stream.finish()).rejects.toMatchObject({ code: 38 });
    await stream.abort();
    await peer.close();
  });

  test("stream/given-up-opening: the abort goes out when the reply has come, not before", async () => {
    const ends = clientBeforeBytes();
    const end = new AbortController();
    const opening = ends.peer.open(storageVolDownload, volArgs(), { signal: end.signal });
    const call = await ends.server.expect();
    end.abort(new Error("no more"));
    await expect(opening).rejects.toBeInstanceOf(AbortError);
    ends.server.write(PING);
    expect((await ends.server.expect()).prog).toBe(KEEPALIVE);
    ends.server.write(data(call, pattern(1000)));
    ends.server.reply(call);
    expect(await ends.server.expect()).toMatchObject({ type: STREAM, status: ERROR, serial: call.serial });
    ends.server.write(ok(call));
    await goesOn(ends);
    await ends.peer.close();
  });

  test("stream/reply-undecodable: the call fails, and the stream is aborted", async () => {
    const { peer, server } = clientBeforeBytes();
    const { domainScreenshot } = await import("../../src/generated/remote/index.ts");
    const opening = peer.open(domainScreenshot, {
      dom: { name: "a", uuid: new Uint8Array(16), id: 1 },
      screen: 0,
      flags: 0,
    });
    const call = await server.expect();
    server.reply(call, words(1, 9));
    await expect(opening).rejects.toMatchObject({ name: "XdrError" });
    expect(await server.expect()).toMatchObject({ type: STREAM, status: ERROR });
    server.write(ok(call));
    await peer.close();
  });

  test("stream/signal-goes-on: the signal that opened it aborts it, and is let go of in the end", async () => {
    const { peer, server } = clientBeforeBytes();
    const end = new AbortController();
    for (const isAborted of [false, true]) {
      const opening = peer.open(storageVolDownload, volArgs(), { signal: end.signal });
      const call = await server.expect();
      server.reply(call);
      const { stream } = await opening;
      const finished = isAborted ? undefined : stream.finish();
      if (isAborted) end.abort(new Error("enough"));
      expect(await server.expect()).toMatchObject({ type: STREAM, status: isAborted ? ERROR : OK });
      server.write(ok(call));
      await finished;
      await stream.abort();
      if (isAborted) await expect(readAll(stream)).rejects.toBeInstanceOf(AbortError);
      expect(getEventListeners(end.signal, "abort")).toHaveLength(0);
    }
    await peer.close();
  });
});

describe("the end", () => {
  test("stream/finish-idempotent: a second finish sends nothing", async () => {
    const ends = await opened();
    const finishes = [ends.stream.finish(), ends.stream.finish()];
    expect(await ends.server.expect()).toMatchObject({ type: STREAM, status: OK });
    ends.server.write(ok(ends.call));
    await Promise.all(finishes);
    await ends.stream.finish();
    await goesOn(ends);
    await ended(ends.stream);
    await ends.peer.close();
  });

  test("stream/error-answers-finish, and a second error and a late OK harm nothing", async () => {
    const ends = await opened({}, storageVolUpload);
    const finished = ends.stream.finish();
    await ends.server.expect();
    ends.server.write(failure(ends.call), failure(ends.call), ok(ends.call), data(ends.call, pattern(9)));
    await expect(finished).rejects.toMatchObject({ code: 38 });
    await goesOn(ends);
    expect(ends.dropped).toEqual(["unknown-stream", "unknown-stream", "unknown-stream"]);
    await ends.peer.close();
  });

  test("stream/error-then-finish: nothing is sent, the error comes again", async () => {
    const ends = await opened({}, storageVolUpload);
    ends.server.write(failure(ends.call));
    await expect(readAll(ends.stream)).rejects.toMatchObject({ code: 38 });
    await expect(ends.stream.finish()).rejects.toMatchObject({ code: 38 });
    await ends.stream.abort();
    const version = ends.peer.call(connectGetLibVersion, undefined);
    expect((await ends.server.expect()).proc).toBe(157);
    void version.catch(() => {});
    await ends.peer.close();
  });

  test("stream/abort-racing-with-finish: no abort behind a finish; the late confirmation is dropped", async () => {
    const ends = await opened();
    const finished = ends.stream.finish();
    await ends.server.expect();
    const aborted = ends.stream.abort(new Error("changed my mind"));
    await expect(finished).rejects.toBeInstanceOf(AbortError);
    await aborted;
    ends.server.write(ok(ends.call));
    await goesOn(ends);
    await ends.peer.close();
  });

  test.each([OK, ERROR])("stream/data-after-abort is dropped, and status %i confirms", async (status) => {
    const ends = await opened();
    ends.server.write(data(ends.call, pattern(70_000)));
    const first = await ends.stream[Symbol.asyncIterator]().next();
    first.value?.release();
    const aborted = ends.stream.abort();
    expect(await ends.server.expect()).toMatchObject({ type: STREAM, status: ERROR, payload: new Uint8Array(0) });
    ends.server.write(data(ends.call, pattern(262_120)), data(ends.call, pattern(24)), end(ends.call));
    ends.server.write(status === OK ? ok(ends.call) : failure(ends.call));
    await aborted;
    await expect(readAll(ends.stream)).rejects.toBeInstanceOf(AbortError);
    await goesOn(ends);
    await ends.peer.close();
  });

  test("stream/finish-signal: the wait can be given up", async () => {
    const { stream, server, peer } = await opened();
    const end = new AbortController();
    const finished = stream.finish({ signal: end.signal });
    await server.expect();
    end.abort(new Error("too long"));
    await expect(finished).rejects.toBeInstanceOf(AbortError);
    expect(getEventListeners(end.signal, "abort")).toHaveLength(0);
    await peer.close();
  });

  test("stream/dispose: aborts what was not finished", async () => {
    const { server, call, peer, stream } = await opened();
    const disposed = stream[Symbol.asyncDispose]();
    expect(await server.expect()).toMatchObject({ type: STREAM, status: ERROR });
    server.write(ok(call));
    await disposed;
    await peer.close();
  });

  test("stream/unasked-confirmation: the stream fails, the connection goes on", async () => {
    const ends = await opened();
    ends.server.write(ok(ends.call));
    await expect(readAll(ends.stream)).rejects.toMatchObject({ code: 39 });
    await goesOn(ends);
    await ends.peer.close();
  });

  test("stream/lost: everything that waits fails with what ended the connection", async () => {
    const { server, stream, peer, call } = await opened();
    server.write(data(call, pattern(3000)), data(call, pattern(5)).subarray(0, 30));
    const iterator = stream[Symbol.asyncIterator]();
    (await iterator.next()).value?.release();
    (await iterator.next()).value?.release();
    const waiting = iterator.next();
    await server.transport.close();
    await expect(waiting).rejects.toMatchObject({ name: "TransportError", code: "eof" });
    await expect(stream.finish()).rejects.toMatchObject({ code: "eof" });
    await stream.abort();
    await peer.close();
  });

  test("stream/peer-closes: a close in order fails the stream, too", async () => {
    const { stream, peer, server, call } = await opened();
    server.write(data(call, pattern(3000)));
    const writing = stream.write(pattern(1_000_000));
    const closed = peer.close();
    await expect(writing).rejects.toMatchObject({ code: "closed" });
    await closed;
  });
});

describe("bad input", () => {
  test.each([
    ["length 0", 0, 0, 0],
    ["length -1", -1, -1, 0],
    ["length -2^63", 0x80000000, 0, 0],
    ["flags", 0, 10, 1],
  ])("stream/hole-%s: the stream fails and is aborted, the connection goes on", async (_, high, low, flags) => {
    const ends = await opened({}, storageVolDownload, 1);
    ends.server.write(hole(ends.call, high, low, flags));
    await expect(readAll(ends.stream)).rejects.toBeInstanceOf(VirtError);
    expect(await ends.server.expect()).toMatchObject({ type: STREAM, status: ERROR });
    ends.server.write(ok(ends.call));
    await goesOn(ends);
    await ends.peer.close();
  });

  test.each([
    ["holes", (call: RawMessage) => [hole(call, 0x7fffffff, 0xffffffff), hole(call, 0, 1)]],
    ["data behind a hole", (call: RawMessage) => [hole(call, 0x7fffffff, 0xffffffff), data(call, Uint8Array.of(1))]],
    [
      "data before and a hole",
      (call: RawMessage) => [data(call, Uint8Array.of(1)), hole(call, 0x7fffffff, 0xffffffff)],
    ],
  ])("stream/offset-overflow: %s beyond 2^63 - 1", async (_, frames) => {
    const ends = await opened({}, storageVolDownload, 1);
    ends.server.write(...frames(ends.call));
    expect(await ends.server.expect()).toMatchObject({ type: STREAM, status: ERROR });
    await expect(ends.stream.finish()).rejects.toMatchObject({ code: 82 });
    ends.server.write(ok(ends.call));
    await goesOn(ends);
    await ends.peer.close();
  });

  test("stream/hole-largest: 2^63 - 1 is a hole", async () => {
    const { stream, server, call, peer } = await opened({}, storageVolDownload, 1);
    server.write(hole(call, 0x7fffffff, 0xffffffff), end(call));
    const holes: unknown[] = [];
    for await (const part of stream.parts()) holes.push(part);
    expect(holes).toEqual([{ hole: 2n ** 63n - 1n }]);
    void stream.abort();
    await peer.close();
  });

  test("stream/hole-not-sparse: fails the stream", async () => {
    const ends = await opened();
    ends.server.write(hole(ends.call, 0, 10));
    await expect(readAll(ends.stream)).rejects.toMatchObject({
      message: expect.stringContaining("Unexpected stream hole"),
    });
    expect(await ends.server.expect()).toMatchObject({ type: STREAM, status: ERROR });
    ends.server.write(ok(ends.call));
    await goesOn(ends);
    await ends.peer.close();
  });

  test("stream/hole-cut-short, and a hole for nobody", async () => {
    const ends = await opened({}, storageVolDownload, 1);
    ends.server.write(hole({ ...ends.call, serial: 77 }, 0, 10));
    ends.server.write(streamFrame(ends.call, STREAM_HOLE, CONTINUE, words(0)));
    await expect(readAll(ends.stream)).rejects.toMatchObject({ code: 39 });
    expect(ends.dropped).toEqual(["unknown-stream"]);
    void ends.stream.abort();
    await ends.peer.close();
  });

  test("stream/status-unknown: fails the stream", async () => {
    const ends = await opened();
    ends.server.write(streamFrame(ends.call, STREAM, 9));
    await expect(readAll(ends.stream)).rejects.toMatchObject({ code: 39 });
    void ends.stream.abort();
    await goesOn(ends);
    await ends.peer.close();
  });

  test.each(["prog", "vers", "proc", "serial"] as const)(
    "stream/other-%s: data of another stream is not ours",
    async (key) => {
      const ends = await opened();
      ends.server.write(data({ ...ends.call, [key]: ends.call[key] + 1 }, pattern(900)));
      ends.server.write(data(ends.call, Uint8Array.of(5)), end(ends.call));
      expect(await readAll(ends.stream)).toEqual(Uint8Array.of(5));
      expect(ends.dropped).toEqual(["unknown-stream"]);
      void ends.stream.abort();
      await ends.peer.close();
    },
  );

  test("stream/reply-typed-error: libvirtd's answer to a bad hole fails the stream, not the connection", async () => {
    const ends = await opened({}, storageVolUpload, 1);
    await ends.stream.writeHole(10n);
    expect(await ends.server.expect()).toMatchObject({ type: STREAM_HOLE, payload: words(0, 10, 0) });
    const finished = ends.stream.finish();
    ends.server.reply(ends.call, errorPayload(noSpace), 1);
    await expect(finished).rejects.toMatchObject({ code: 38 });
    ends.server.reply(ends.call, errorPayload(noSpace), 1); // and once more, when nobody knows it
    await goesOn(ends);
    await ends.peer.close();
  });

  test("stream/error-undecodable: fails the stream all the same", async () => {
    const ends = await opened();
    ends.server.write(streamFrame(ends.call, STREAM, ERROR, words(1)));
    await expect(readAll(ends.stream)).rejects.toMatchObject({ code: 39 });
    await ends.peer.close();
  });

  test("stream/too-long: a frame above the limit ends the connection", async () => {
    const ends = await opened();
    ends.server.write(words(33_554_437));
    await expect(readAll(ends.stream)).rejects.toMatchObject({ code: "frame-length" });
    await ends.peer.close();
  });

  test("stream/reply-without-hole: a reply to no call still ends the connection", async () => {
    const ends = await opened();
    ends.server.reply({ ...ends.call, serial: 55 }, errorPayload(noSpace), 1);
    expect(await ends.peer.closed).toMatchObject({ code: "unexpected-reply" });
    await expect(ends.stream.finish()).rejects.toMatchObject({ code: "unexpected-reply" });
  });
});

describe("sending", () => {
  test("stream/chunks: frames of at most 262144 bytes, none empty, finish behind them", async () => {
    const { stream, server, call, peer } = await opened({}, storageVolUpload);
    const bytes = pattern(600_000);
    await stream.write(new Uint8Array(0));
    const writing = stream.write(bytes);
    const finished = stream.finish();
    const got: Uint8Array[] = [];
    for (;;) {
      const message = await server.expect();
      expect(message).toMatchObject({ type: STREAM, proc: 208, serial: call.serial });
      if (message.status === OK) break;
      got.push(message.payload);
    }
    expect(got.map((part) => part.byteLength)).toEqual([262_144, 262_144, 75_712]);
    expect(Buffer.compare(join(...got), bytes)).toBe(0);
    await writing;
    server.write(ok(call));
    await finished;
    await peer.close();
  });

  test("stream/no-hole: not in a stream that is not sparse, nor of no length", async () => {
    const plain = await opened({}, storageVolUpload);
    await expect(plain.stream.writeHole(5n)).rejects.toBeInstanceOf(TypeError);
    void plain.stream.abort();
    await plain.peer.close();
    const sparse = await opened({}, storageVolUpload, 1);
    for (const length of [0n, -1n, 2n ** 63n])
      await expect(sparse.stream.writeHole(length)).rejects.toBeInstanceOf(TypeError);
    void sparse.stream.abort();
    await sparse.peer.close();
  });

  test("stream/hole-sent-too-far: no hole goes beyond what a hyper counts", async () => {
    const { stream, server, peer } = await opened({}, storageVolUpload, 1);
    void stream.writeHole(2n ** 63n - 2n);
    await server.expect();
    await stream.write(Uint8Array.of(1));
    await server.expect();
    await expect(stream.writeHole(1n)).rejects.toThrow("beyond 2^63");
    void stream.abort();
    expect(await server.expect()).toMatchObject({ type: STREAM, status: ERROR });
    await peer.close();
  });

  test("stream/turns: streams take turns, and a call goes before their data", async () => {
    const { peer, server } = clientBeforeBytes();
    const streams: Stream[] = [];
    for (let i = 0; i < 2; i++) {
      const opening = peer.open(storageVolUpload, volArgs());
      server.reply(await server.expect());
      streams.push((await opening).stream);
    }
    const writes = streams.map((stream) => stream.write(new Uint8Array(4 * 262_144)));
    void peer.call(connectGetLibVersion, undefined).catch(() => {});
    const order: string[] = [];
    while (order.length < 9) {
      const { type, serial } = await server.expect();
      order.push(type === STREAM ? `data ${serial}` : "call");
    }
    await Promise.all(writes);
    expect(order.indexOf("call")).toBeLessThanOrEqual(2);
    expect(order.filter((one) => one !== "call")).toEqual([0, 1, 0, 1, 0, 1, 0, 1].map((serial) => `data ${serial}`));
    for (const stream of streams) void stream.abort();
    await peer.close();
  });
});

describe("a consumer that does not take what comes", () => {
  const WINDOW = 65_536;
  const limits = (stallTimeout: number): PeerOptions => ({ streams: { receiveWindow: WINDOW, stallTimeout } });

  test("stream/window: the connection is not read above it, and again when it was taken", async () => {
    const { stream, server, call, peer } = await opened(limits(Number.POSITIVE_INFINITY));
    let sent = 0;
    for (; sent < 40; sent++) {
      if (server.transport.write([data(call, pattern(32_768))])) continue;
      const room = server.transport.drained().then(() => "room");
      const full = new Promise((resolve) => setImmediate(() => setImmediate(() => resolve("full"))));
      if ((await Promise.race([room, full])) === "full") break;
    }
    expect(sent * 32_768).toBeLessThan(8 * WINDOW); // what is on its way included
    const frames = sent + 1;
    server.write(end(call));
    expect((await readAll(stream)).byteLength).toBe(frames * 32_768);
    void stream.abort();
    await peer.close();
  });

  test("stream/room-by-what-was-on-its-way: what comes after the pause may end it", async () => {
    let sink: TransportSink | undefined;
    let paused = false;
    const wrap = (transport: Transport): Transport => ({
      peer: transport.peer,
      start(to) {
        sink = to;
        transport.start(to);
      },
      pause: () => {
        paused = true;
      },
      resume: () => {
        paused = false;
      },
      write: (parts) => transport.write(parts),
      drained: () => transport.drained(),
      close: (reason) => transport.close(reason),
    });
    const { stream, call, peer } = await opened(limits(Number.POSITIVE_INFINITY), storageVolDownload, 0, wrap);
    sink?.bytes(data(call, pattern(2 * WINDOW)));
    expect(paused).toBe(true);
    sink?.bytes(failure(call));
    expect(paused).toBe(false);
    await expect(stream.finish()).rejects.toMatchObject({ code: 38 });
    await peer.close();
  });

  test("stream/many-tiny: pieces of a byte count more than a byte", async () => {
    const { stream, server, call, peer } = await opened(limits(Number.POSITIVE_INFINITY));
    server.write(...Array.from({ length: 1000 }, () => data(call, Uint8Array.of(1))), end(call));
    let paused = false;
    const iterator = stream[Symbol.asyncIterator]();
    for (let i = 0; ; i++) {
      if (i === 0) {
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        paused = openLeases() < 1000;
      }
      const { value, done } = await iterator.next();
      if (done === true) break;
      value.release();
    }
    expect(paused).toBe(true);
    void stream.abort();
    await peer.close();
  });

  test("stream/stalled: it fails when it has kept a call waiting for too long; the call gets its answer", async () => {
    const { stream, server, call, peer } = await opened(limits(20));
    const version = peer.call(connectGetLibVersion, undefined);
    const versionCall = await server.expect();
    for (let i = 0; i < 6; i++) server.write(data(call, pattern(32_768)));
    server.reply(versionCall, words(0, 12));
    expect((await version).libVer).toBe(12n);
    await expect(stream.finish()).rejects.toMatchObject({ name: "TimeoutError" });
    expect(await server.expect()).toMatchObject({ type: STREAM, status: ERROR });
    server.write(ok(call));
    await peer.close();
  });

  test("stream/alive: while it is not read the other side hears that we live, where keepalive is agreed on", async () => {
    const { stream, server, call, peer } = await opened(limits(Number.POSITIVE_INFINITY));
    peer.setKeepAlive(false);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    for (let i = 0; i < 6; i++) server.write(data(call, pattern(32_768)));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await vi.advanceTimersByTimeAsync(2000);
    expect(await server.expect()).toMatchObject({ prog: KEEPALIVE, proc: 2 });
    void stream.abort();
    await peer.close(new Error("over"));
  });
});
