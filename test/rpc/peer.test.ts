import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { domainEventLifecycle, domainGetInfo, domainLookupByName } from "../../src/generated/remote/index.ts";
import {
  AbortError,
  type DropReason,
  encodeFrame,
  Peer,
  type PeerOptions,
  ProtocolError,
  TransportError,
} from "../../src/rpc/index.ts";
import { pair, type Transport } from "../../src/transport/index.ts";
import { XdrError } from "../../src/xdr/index.ts";
import { RawEnd } from "./raw-end.ts";
import { frame, join, KEEPALIVE, MESSAGE, PING, REPLY, str, words } from "./wire.ts";

const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
const named = (name: string) => ({ dom: { name, uuid, id: -1 } });
const dom = (name: string) => join(str(name), uuid, words(-1));

function client(options: PeerOptions = {}) {
  const [near, far] = pair();
  const dropped: DropReason[] = [];
  const peer = new Peer(near, { ...options, onDrop: (reason) => dropped.push(reason) });
  const lookup = (name: string, signal?: AbortSignal) =>
    peer.call(domainLookupByName, { name }, signal === undefined ? {} : { signal });
  return { peer, server: new RawEnd(far), dropped, lookup };
}

/** Runs `work` and gives what was thrown meanwhile where nobody caught it. */
async function uncaughtDuring(work: () => Promise<void>): Promise<unknown[]> {
  const uncaught: unknown[] = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => uncaught.push(error));
  try {
    await work();
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of before) process.on("uncaughtException", listener);
  }
  return uncaught;
}

afterEach(() => {
  vi.useRealTimers();
});

/** A side that serves, and answers as `answer` says. */
function service(options: PeerOptions) {
  const [near, far] = pair();
  return { peer: new Peer(far, options), raw: new RawEnd(near) };
}

describe("calls", () => {
  test("call/serials-from-0: one counter for all programs", async () => {
    const { server, lookup, peer } = client();
    const calls = [lookup("a"), lookup("b"), lookup("c")];
    for (let serial = 0; serial < 3; serial++) {
      const call = await server.expect();
      expect(call).toMatchObject({ prog: 0x20008086, vers: 1, proc: 23, type: 0, serial, status: 0 });
      server.reply(call, dom("x"));
    }
    await Promise.all(calls);
    await peer.close();
  });

  test("call/out-of-order: each reply finds its call", async () => {
    const { server, lookup, peer } = client();
    const calls = ["a", "b", "c", "d", "e"].map((name) => lookup(name));
    const arrived = await Promise.all(calls.map(() => server.expect()));
    for (const call of [3, 1, 4, 0, 2].map((i) => arrived[i]!))
      server.reply(call, call.payload.length ? join(call.payload, uuid, words(-1)) : dom(""));
    expect(await Promise.all(calls)).toEqual(["a", "b", "c", "d", "e"].map(named));
    await peer.close();
  });

  test("call/duplicate-reply: the second reply to a call breaks the protocol", async () => {
    const { server, lookup, peer } = client();
    const call = lookup("a");
    const arrived = await server.expect();
    server.reply(arrived, dom("a"));
    server.reply(arrived, dom("a"));
    expect(await call).toEqual(named("a"));
    expect(await peer.closed).toMatchObject({ code: "unexpected-reply", details: { serial: 0 } });
  });

  test("call/reply-before-end: replies that arrived count, even when the connection ends right behind them", async () => {
    const { server, lookup, peer } = client();
    const call = lookup("a");
    const arrived = await server.expect();
    server.reply(arrived, dom("a"));
    await server.transport.close();
    expect(await call).toEqual(named("a"));
    expect(await peer.closed).toMatchObject({ code: "eof" });
  });

  test("call/bad-arguments: an XdrError with the field, nothing sent, no serial used", async () => {
    const { server, lookup, peer } = client();
    const bad = lookup("a\0b");
    await expect(bad).rejects.toBeInstanceOf(XdrError);
    await expect(bad).rejects.toMatchObject({ code: "nul", path: "args.name" });
    const good = lookup("a");
    const call = await server.expect();
    expect(call.serial).toBe(0);
    server.reply(call, dom("a"));
    await good;
    await peer.close();
  });

  test("call/after-close: fails with the reason as cause", async () => {
    const { server, lookup, peer } = client();
    const reason = new Error("had enough");
    await peer.close(reason);
    await expect(lookup("a")).rejects.toMatchObject({ name: "TransportError", code: "closed", cause: reason });
    await server.ended;
  });

  test("call/in-flight-limit: the rest wait in order, and go when one ends", async () => {
    const { server, lookup, peer } = client({ maxCalls: 2 });
    const calls = ["a", "b", "c", "d"].map((name) => lookup(name));
    const first = await server.expect();
    const second = await server.expect();
    expect(peer.inFlight).toBe(2);
    server.write(PING); // its answer shows that nothing else was sent
    expect((await server.expect()).prog).toBe(KEEPALIVE);
    server.reply(second, dom("b"));
    const third = await server.expect();
    expect(third.payload).toEqual(str("c"));
    server.reply(first, dom("a"));
    const fourth = await server.expect();
    expect([third.serial, fourth.serial]).toEqual([2, 3]);
    server.reply(fourth, dom("d"));
    server.reply(third, dom("c"));
    expect(await Promise.all(calls)).toEqual(["a", "b", "c", "d"].map(named));
    await peer.close();
  });
});

describe("giving up", () => {
  test("abort/before: nothing is sent", async () => {
    const { server, lookup, peer } = client();
    const reason = new Error("changed my mind");
    await expect(lookup("a", AbortSignal.abort(reason))).rejects.toMatchObject({ name: "AbortError", cause: reason });
    await peer.close();
    expect(await server.next()).toBeUndefined();
  });

  test("abort/during: the late reply is dropped silently, the connection goes on", async () => {
    const { server, lookup, peer, dropped } = client();
    const end = new AbortController();
    const call = lookup("a", end.signal);
    const arrived = await server.expect();
    end.abort();
    await expect(call).rejects.toBeInstanceOf(AbortError);
    server.reply(arrived, dom("a"));
    const next = lookup("b");
    server.reply(await server.expect(), dom("b"));
    expect(await next).toEqual(named("b"));
    expect(dropped).toEqual(["late-reply"]);
    await peer.close();
  });

  test("abort/queued: a call that waits its turn is never sent", async () => {
    const { server, lookup, peer } = client({ maxCalls: 1 });
    const end = new AbortController();
    const first = lookup("a");
    const second = lookup("b", end.signal);
    const third = lookup("c");
    end.abort();
    await expect(second).rejects.toBeInstanceOf(AbortError);
    server.reply(await server.expect(), dom("a"));
    const arrived = await server.expect();
    expect(arrived).toMatchObject({ payload: str("c"), serial: 1 });
    server.reply(arrived, dom("c"));
    expect(await Promise.all([first, third])).toEqual([named("a"), named("c")]);
    await peer.close();
  });

  test("abort/in-flight-counts: the other side still works on it", async () => {
    const { server, lookup, peer } = client({ maxCalls: 1 });
    const end = new AbortController();
    const first = lookup("a", end.signal);
    const arrived = await server.expect();
    end.abort();
    await expect(first).rejects.toBeInstanceOf(AbortError);
    const second = lookup("b");
    expect(peer.inFlight).toBe(1);
    server.reply(arrived, dom("a"));
    server.reply(await server.expect(), dom("b"));
    expect(await second).toEqual(named("b"));
    await peer.close();
  });

  test("abort/lets-go: however a call ends, nothing of it stays on the caller's signal", async () => {
    const { signal } = new AbortController();
    const { server, lookup, peer } = client({ maxCalls: 3 });
    const calls = ["good", "error", "wrong", "pending", "waiting"].map((name) => lookup(name, signal));
    const settled = Promise.allSettled(calls);
    const [good, error, wrong] = [await server.expect(), await server.expect(), await server.expect()];
    expect(getEventListeners(signal, "abort")).toHaveLength(5);
    server.reply(good, dom("good"));
    server.reply(error, words(), 1);
    server.reply({ ...wrong, proc: 1 });
    await Promise.allSettled(calls.slice(0, 3));
    expect(getEventListeners(signal, "abort")).toHaveLength(2);
    await peer.close();
    expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", ...Array(4).fill("rejected")]);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("abort/after: a signal that fires when the call has ended does nothing", async () => {
    const { server, lookup, peer } = client();
    const end = new AbortController();
    const call = lookup("a", end.signal);
    server.reply(await server.expect(), dom("a"));
    expect(await call).toEqual(named("a"));
    end.abort();
    await peer.close();
  });
});

describe("the end", () => {
  test("close/pending-calls: all fail with one error, its cause kept", async () => {
    const { server, lookup, peer } = client({ maxCalls: 2 });
    const calls = ["a", "b", "c", "d"].map((name) => lookup(name).catch((error: unknown) => error));
    await server.expect();
    const cause = new Error("the test closes");
    await server.transport.close(cause);
    const errors = await Promise.all(calls);
    expect(new Set(errors).size).toBe(1);
    expect(errors[0]).toBeInstanceOf(TransportError);
    expect(errors[0]).toMatchObject({ code: "io", cause });
    expect(await peer.closed).toBe(errors[0]);
  });

  test("close/here: pending calls fail, what was queued goes out, closed resolves without a reason", async () => {
    const { server, lookup, peer } = client();
    const call = lookup("a");
    const closing = peer.close();
    await expect(call).rejects.toMatchObject({ code: "closed" });
    expect((await server.expect()).payload).toEqual(str("a"));
    expect(await server.next()).toBeUndefined();
    await closing;
    expect(await peer.closed).toBeUndefined();
    await peer.close();
  });

  test("close/twice: the first reason stands", async () => {
    const { peer } = client();
    const reason = new Error("first");
    await Promise.all([peer.close(reason), peer.close(new Error("second")), peer.close()]);
    expect(await peer.closed).toBe(reason);
  });

  test("close/listeners: called once, at once when it is over already", async () => {
    const { peer } = client();
    const heard: unknown[] = [];
    peer.onClose((reason) => heard.push(reason));
    const reason = new Error("over");
    await peer.close(reason);
    peer.onClose((again) => heard.push(again));
    expect(heard).toEqual([reason, reason]);
  });

  test("close/listener-throws: the others are called all the same, and pending calls fail", async () => {
    const mistake = new Error("a mistake in a listener");
    const uncaught = await uncaughtDuring(async () => {
      const { peer, server, lookup } = client();
      const heard: unknown[] = [];
      peer.onClose(() => {
        throw mistake;
      });
      peer.onClose((reason) => heard.push(reason));
      const call = lookup("a").catch((error: unknown) => error);
      await server.expect();
      await server.transport.close();
      const reason = await peer.closed;
      expect(reason).toMatchObject({ code: "eof" });
      expect(await call).toBe(reason);
      expect(heard).toEqual([reason]);
    });
    expect(uncaught).toEqual([mistake]);
  });

  test("close/listener-taken-back: not called", async () => {
    const { peer } = client();
    const heard: string[] = [];
    const forget = peer.onClose(() => heard.push("first"));
    peer.onClose(() => heard.push("second"));
    forget();
    await peer.close();
    expect(heard).toEqual(["second"]);
  });

  test("drop/listener-throws: the connection goes on", async () => {
    const mistake = new Error("a mistake in a listener");
    const uncaught = await uncaughtDuring(async () => {
      const [near, far] = pair();
      const onDrop = () => {
        throw mistake;
      };
      const peer = new Peer(near, { onDrop });
      const server = new RawEnd(far);
      server.write(frame({ proc: 107, type: MESSAGE }));
      const call = peer.call(domainLookupByName, { name: "a" });
      server.reply(await server.expect(), dom("a"));
      expect(await call).toEqual(named("a"));
      await peer.close();
    });
    expect(uncaught).toEqual([mistake]);
  });

  test("close/dispose: await using closes", async () => {
    const { server, peer } = client();
    await peer[Symbol.asyncDispose]();
    expect(await server.next()).toBeUndefined();
  });

  test("close/linger: a side that never reads does not hold up the end", async () => {
    const [near, far] = pair();
    far.pause();
    const peer = new Peer(near, { linger: 1 });
    peer.call(domainLookupByName, { name: "x".repeat(100_000) }).catch(() => {});
    await peer.close();
    expect(await peer.closed).toMatchObject({ code: "io" });
  });
});

describe("lingering", () => {
  const big = "x".repeat(100_000);

  test("linger/until-closed: close resolves when the transport is closed, not before", async () => {
    const [near] = pair();
    let closed = () => {};
    const over = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const slow: Transport = {
      peer: near.peer,
      start: (sink) => near.start(sink),
      pause: () => near.pause(),
      resume: () => near.resume(),
      write: (parts) => near.write(parts),
      drained: () => near.drained(),
      close: () => over,
    };
    const peer = new Peer(slow, { linger: 1 });
    peer.call(domainLookupByName, { name: big }).catch(() => {});
    let resolved = false;
    const closing = peer.close().then(() => {
      resolved = true;
    });
    expect(await peer.closed).toMatchObject({ code: "io" });
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(resolved).toBe(false);
    closed();
    await closing;
  });

  test("linger/infinite: is no short time", async () => {
    vi.useFakeTimers();
    const [near, far] = pair();
    const peer = new Peer(near, { linger: Number.POSITIVE_INFINITY });
    peer.call(domainLookupByName, { name: big }).catch(() => {});
    const closing = peer.close();
    vi.advanceTimersByTime(60_000);
    const server = new RawEnd(far);
    expect((await server.expect()).payload).toEqual(str(big));
    await closing;
    expect(await peer.closed).toBeUndefined();
  });
});

describe("events", () => {
  const event = { dom: named("web").dom, event: 3, detail: 0 };

  test("event/out: serial 1, as libvirtd sends it", async () => {
    const { peer, raw } = service({ answer: () => new Uint8Array(0) });
    expect(peer.send(domainEventLifecycle, event)).toBe(true);
    const message = await raw.expect();
    expect(message).toMatchObject({ prog: 0x20008086, vers: 1, proc: 107, type: MESSAGE, serial: 1, status: 0 });
    expect(message.payload).toEqual(join(dom("web"), words(3, 0)));
    await peer.close();
    expect(peer.send(domainEventLifecycle, event)).toBe(false);
  });

  test("event/listeners: all hear it, until they stop; one that throws harms nobody", async () => {
    const mistake = new Error("a mistake in a listener");
    const uncaught = await uncaughtDuring(async () => {
      const { peer, server, lookup } = client();
      const heard: string[] = [];
      const stop = peer.on(domainEventLifecycle, () => heard.push("first"));
      peer.on(domainEventLifecycle, () => {
        throw mistake;
      });
      peer.on(domainEventLifecycle, ({ event }) => heard.push(`third ${event}`));
      server.write(frame({ proc: 107, type: MESSAGE }, join(dom("web"), words(3, 0))));
      const call = lookup("a");
      server.reply(await server.expect(), dom("a"));
      await call;
      stop();
      stop();
      server.write(frame({ proc: 107, type: MESSAGE }, join(dom("web"), words(4, 0))));
      const again = lookup("a");
      server.reply(await server.expect(), dom("a"));
      await again;
      expect(heard).toEqual(["first", "third 3", "third 4"]);
      await peer.close();
    });
    expect(uncaught).toEqual([mistake, mistake]);
  });

  test("event/ended-by-another: a listener that is ended while a message is delivered does not hear it", async () => {
    const { peer, server, lookup } = client();
    const heard: string[] = [];
    peer.on(domainEventLifecycle, () => {
      heard.push("first");
      stop();
    });
    const stop = peer.on(domainEventLifecycle, () => heard.push("second"));
    server.write(frame({ proc: 107, type: MESSAGE }, join(dom("web"), words(3, 0))));
    const call = lookup("a");
    server.reply(await server.expect(), dom("a"));
    await call;
    expect(heard).toEqual(["first"]);
    await peer.close();
  });

  test("event/slow-reader: events for a side that does not read are bounded; above, the connection is closed", async () => {
    const [near, far] = pair();
    const raw = new RawEnd(near, false); // reads nothing
    const peer = new Peer(far, { answer: () => new Uint8Array(0), maxQueuedEvents: 100_000 });
    let sent = 0;
    while (peer.send(domainEventLifecycle, event)) sent++;
    expect(await peer.closed).toBeInstanceOf(ProtocolError);
    expect(await peer.closed).toMatchObject({ code: "send-queue" });
    expect(sent * 60).toBeLessThan(400_000);
    raw.start();
    expect(await raw.ended).toBeInstanceOf(TransportError);
  });

  test("event/own-memory: those that wait for a slow reader keep no memory but their own", async () => {
    const [near, far] = pair();
    const raw = new RawEnd(near);
    const written: Uint8Array[] = [];
    let read = () => {};
    const full = new Promise<void>((resolve) => {
      read = resolve;
    });
    const transport: Transport = {
      peer: far.peer,
      start: (sink) => far.start(sink),
      pause: () => far.pause(),
      resume: () => far.resume(),
      write: (parts) => {
        written.push(...parts);
        return written.length > 1 && far.write(parts);
      },
      drained: () => full,
      close: (reason) => far.close(reason),
    };
    const peer = new Peer(transport, { answer: () => new Uint8Array(0) });
    for (let i = 0; i < 3; i++) expect(peer.send(domainEventLifecycle, event)).toBe(true);
    expect(written).toHaveLength(1);
    read();
    for (let i = 0; i < 2; i++) await raw.expect();
    for (const { buffer, byteLength } of written.slice(1)) expect(buffer.byteLength).toBe(byteLength);
    await peer.close();
  });

  test("event/behind-a-large-reply: what waits before it does not count", async () => {
    const [near, far] = pair();
    const answer = () => frame({ proc: 16, type: REPLY }, new Uint8Array(200_000));
    const peer = new Peer(far, { answer, maxQueuedEvents: 100_000 });
    near.write([join(frame({ proc: 16 }), frame({ proc: 16 }))]);
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(peer.send(domainEventLifecycle, event)).toBe(true);
    const raw = new RawEnd(near);
    for (const type of [REPLY, REPLY, MESSAGE]) expect((await raw.expect()).type).toBe(type);
    for (let i = 0; i < 3000; i++) {
      expect(peer.send(domainEventLifecycle, event)).toBe(true); // each is read, so that none waits
      await raw.expect();
    }
    await peer.close();
  });
});

describe("calls of the other side", () => {
  const call = (serial: number) => frame({ proc: 16, serial }, join(dom("web")));
  const answerTo = (serial: number) =>
    encodeFrame(
      { prog: 0x20008086, vers: 1, proc: 16, type: REPLY, serial, status: 0 },
      domainGetInfo.ret.encode,
      { state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 0n },
      "ret",
    );

  /** A side whose calls are answered when the test says so. */
  function slow(options: PeerOptions = {}) {
    const started: number[] = [];
    const finish = new Map<number, () => void>();
    const both = service({
      ...options,
      answer: ({ serial }) => {
        started.push(serial);
        return new Promise((resolve) => finish.set(serial, () => resolve(answerTo(serial))));
      },
    });
    return { ...both, started, end: (serial: number) => finish.get(serial)?.() };
  }

  test("requests/limit: with five in progress nothing more is read until one ends", async () => {
    const { peer, raw, started, end } = slow();
    raw.write(join(...[0, 1, 2, 3, 4, 5, 6].map(call), PING));
    while (started.length < 5) await new Promise<void>((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(started).toEqual([0, 1, 2, 3, 4]);
    end(2);
    expect((await raw.expect()).serial).toBe(2);
    expect(started).toEqual([0, 1, 2, 3, 4, 5]);
    end(0);
    expect((await raw.expect()).serial).toBe(0);
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const serial of [6, 5, 4]) {
      end(serial);
      const messages = [await raw.expect()];
      if (messages[0]?.prog === KEEPALIVE) messages.push(await raw.expect());
      expect(messages.at(-1)?.serial).toBe(serial);
    }
    await peer.close();
  });

  test("requests/limit-holds-the-transport: further chunks are not taken either", async () => {
    const { peer, raw, started, end } = slow({ maxRequests: 1 });
    raw.write(call(0));
    while (started.length < 1) await new Promise<void>((resolve) => setImmediate(resolve));
    const big = frame({ proc: 16, serial: 1 }, new Uint8Array(100_000));
    expect(raw.transport.write([big])).toBe(false); // full, because nobody reads
    end(0);
    await raw.transport.drained();
    expect((await raw.expect()).serial).toBe(0);
    end(1);
    expect((await raw.expect()).serial).toBe(1);
    await peer.close();
  });

  test("requests/answered-at-once: any number of calls in one read", async () => {
    const { peer, raw } = service({ answer: ({ serial }) => answerTo(serial) });
    const serials = Array.from({ length: 100 }, (_, i) => i);
    raw.write(join(...serials.map(call)));
    for (const serial of serials) expect((await raw.expect()).serial).toBe(serial);
    await peer.close();
  });

  test("requests/duplicate-serials: both are answered", async () => {
    const { peer, raw } = service({ answer: ({ serial }) => answerTo(serial) });
    raw.write(join(call(3), call(3)));
    expect([(await raw.expect()).serial, (await raw.expect()).serial]).toEqual([3, 3]);
    await peer.close();
  });

  test("requests/slow-reader: a reply that is not read keeps its place, so that no more calls are taken", async () => {
    const [near, far] = pair();
    let answered = 0;
    const reply = (serial: number) => frame({ proc: 16, type: REPLY, serial }, new Uint8Array(70_000));
    const peer = new Peer(far, {
      maxRequests: 2,
      answer: ({ serial }) => {
        answered++;
        return reply(serial);
      },
    });
    for (let serial = 0; serial < 10; serial++) near.write([call(serial)]);
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(answered).toBe(2);
    const raw = new RawEnd(near);
    for (let serial = 0; serial < 10; serial++) expect((await raw.expect()).serial).toBe(serial);
    await peer.close();
  });

  test("requests/drain: what was read is answered, what was not is not", async () => {
    const { peer, raw, started, end } = slow({ maxRequests: 2 });
    raw.write(join(call(0), call(1), call(2)));
    while (started.length < 2) await new Promise<void>((resolve) => setImmediate(resolve));
    let drained = false;
    const draining = peer.drain().then(() => {
      drained = true;
    });
    end(1);
    expect((await raw.expect()).serial).toBe(1);
    expect(drained).toBe(false);
    end(0);
    expect((await raw.expect()).serial).toBe(0);
    await draining;
    await peer.close();
    expect(await raw.next()).toBeUndefined();
    expect(started).toEqual([0, 1]);
  });

  test("requests/answer-after-the-end: dropped without harm", async () => {
    const { peer, raw, started, end } = slow();
    raw.write(call(0));
    while (started.length < 1) await new Promise<void>((resolve) => setImmediate(resolve));
    await raw.close();
    await peer.closed;
    end(0);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(await peer.closed).toBeInstanceOf(TransportError);
  });

  test("keepalive/priority: a pong overtakes replies that wait, but never splits one", async () => {
    const [near, far] = pair();
    const written: number[] = [];
    const spy: Transport = {
      peer: far.peer,
      start: (sink) => far.start(sink),
      pause: () => far.pause(),
      resume: () => far.resume(),
      write: (parts) => {
        for (const part of parts) written.push(part.byteLength);
        return far.write(parts);
      },
      drained: () => far.drained(),
      close: (reason) => far.close(reason),
    };
    const peer = new Peer(spy, {
      answer: ({ serial }) => frame({ proc: 16, type: REPLY, serial }, new Uint8Array(100_000)),
    });
    near.write([join(call(0), call(1))]);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(written).toEqual([100_028]);
    near.write([PING]);
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    const raw = new RawEnd(near);
    expect((await raw.expect()).serial).toBe(0);
    const second = await raw.expect();
    const third = await raw.expect();
    expect([second.prog === KEEPALIVE, third.serial]).toEqual([true, 1]);
    await peer.close();
  });

  test("keepalive/flood: pings of a side that does not read cost no memory", async () => {
    const [near, far] = pair();
    const peer = new Peer(far, { answer: () => new Uint8Array(0) });
    const flood = join(...Array<Uint8Array>(20_000).fill(PING));
    near.write([flood]);
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    const raw = new RawEnd(near);
    for (let i = 0; i < 20_000; i++) await raw.expect();
    await peer.close();
    expect(await raw.next()).toBeUndefined();
  });
});
