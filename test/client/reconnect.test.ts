import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type ConnectTransportOptions,
  type CoreConnection,
  connect,
  connectTransport,
  type Gap,
  LostCallError,
  type ReconnectOptions,
  TransportError,
  VirtError,
} from "../../src/client/index.ts";
import { types } from "../../src/generated/netmessage/index.ts";
import { domainEventLifecycle, domainLookupByName } from "../../src/generated/remote/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import type { Transport } from "../../src/transport/index.ts";
import type { RawMessage } from "../rpc/raw-end.ts";
import { ERROR, frame, join, MESSAGE, words } from "../rpc/wire.ts";
import {
  AUTH_LIST,
  CLOSE,
  caught,
  dom,
  type FakeDaemon,
  FakeListener,
  type Fault,
  FEATURE,
  found,
  LOOKUP,
  leavesNothing,
  OPEN,
  piped,
  turn,
  until,
} from "./fake-daemon.ts";

afterEach(() => {
  vi.useRealTimers();
});

const lookup = (conn: CoreConnection, name: string, options = {}) => conn.call(domainLookupByName, { name }, options);
const payloadText = ({ payload }: RawMessage) => Buffer.from(payload.subarray(4)).toString().replace(/\0+$/, "");

/** Pauses between attempts that end when the test says so. */
class Sleeps {
  readonly delays: number[] = [];
  #wake: (() => void)[] = [];

  readonly sleep = (milliseconds: number, signal: AbortSignal): Promise<void> => {
    this.delays.push(milliseconds);
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#wake.push(done);
      signal.addEventListener("abort", done);
    });
  };

  get waiting(): boolean {
    return this.#wake.length > 0;
  }

  async wake(): Promise<void> {
    await until(() => this.waiting);
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** A connection that comes back, to daemons that the faults make: one for the first link, one for each attempt. */
async function lossy(
  faults: readonly (Fault | Error | undefined)[],
  options: ReconnectOptions = {},
  more: ConnectTransportOptions = {},
) {
  const sleeps = new Sleeps();
  const daemons: FakeDaemon[] = [];
  const link = (): Transport => {
    const fault = faults[daemons.length];
    const { transport, daemon } = piped(fault instanceof Error ? undefined : fault);
    daemons.push(daemon);
    if (fault instanceof Error) throw fault;
    return transport;
  };
  const reconnect = { dial: async () => link(), sleep: sleeps.sleep, random: () => 0, ...options };
  const conn = await connectTransport(link(), { name: "test:///default", reconnect, ...more });
  return { conn, daemons, sleeps };
}

/** Answers the last question of the opening, and is gone. */
const lastWords: Fault = (call, daemon) => {
  if (call.proc !== FEATURE || call.payload[3] !== 15) return false;
  daemon.raw.reply(call, words(1));
  daemon.hangUp();
  return true;
};
const silent: Fault = ({ proc }) => proc === LOOKUP;

describe("a connection that was lost", () => {
  test("reconnect/calls: what was sent may have run and fails; what waited, and what comes meanwhile, goes out in order", async () => {
    const { conn, daemons, sleeps } = await lossy([silent, undefined], {}, { maxCalls: 2 });
    const sent = ["a", "b"].map((name) => caught(lookup(conn, name)));
    const waited = ["c", "d", "e"].map((name) => lookup(conn, name));
    await until(() => daemons[0]?.count(LOOKUP) === 2);
    daemons[0]?.reset();
    for (const error of await Promise.all(sent)) {
      expect(error).toBeInstanceOf(LostCallError);
      expect(error).toBeInstanceOf(TransportError);
      expect(error).toMatchObject({
        code: "lost",
        mayHaveRun: true,
        message: expect.stringContaining("DOMAIN_LOOKUP_BY_NAME"),
        cause: { name: "TransportError" },
      });
    }
    expect([conn.state, conn.closeReason]).toEqual(["lost", undefined]);
    const meanwhile = ["f", "g"].map((name) => lookup(conn, name));
    await sleeps.wake();
    const names = ["c", "d", "e", "f", "g"];
    expect(await Promise.all([...waited, ...meanwhile])).toEqual(names.map(found));
    expect(daemons[1]?.calls.filter(({ proc }) => proc === LOOKUP).map(payloadText)).toEqual(names);
    expect(daemons[1]?.calls.slice(0, 3).map(({ proc }) => proc)).toEqual([AUTH_LIST, FEATURE, OPEN]);
    expect(conn.state).toBe("open");
    expect(sleeps.delays).toEqual([100]);
    await conn.close();
    expect(daemons[1]?.count(CLOSE)).toBe(1);
    expect(conn.closeReason).toBe(3);
  });

  test("reconnect/not-written: a call in flight that never left this process has not run, and goes out again", async () => {
    const { transport: near, daemon } = piped(silent);
    let full = false;
    const stuck: Transport = {
      peer: near.peer,
      start: (sink) => near.start(sink),
      pause: () => near.pause(),
      resume: () => near.resume(),
      write: (parts) => near.write(parts) && !full,
      drained: () => new Promise(() => {}),
      close: (reason) => near.close(reason),
    };
    const next = piped();
    const dial = async () => next.transport;
    const conn = await connectTransport(stuck, { name: "test:///default", reconnect: { delays: [1], dial } });
    full = true;
    const first = caught(lookup(conn, "first"));
    const second = lookup(conn, "second"); // in flight by count, and yet still here
    await until(() => daemon.count(LOOKUP) === 1);
    daemon.reset();
    expect(await first).toBeInstanceOf(LostCallError);
    expect(await second).toEqual(found("second"));
    expect(next.daemon.count(LOOKUP)).toBe(1);
    await conn.close();
  });

  test("reconnect/half-written: of calls that waited for the pipe, those that it took are not sent again", async () => {
    const { transport: near, daemon } = piped(silent);
    let full = false;
    let drain = () => {};
    const slow: Transport = {
      peer: near.peer,
      start: (sink) => near.start(sink),
      pause: () => near.pause(),
      resume: () => near.resume(),
      write: (parts) => near.write(parts) && !full,
      drained: () => new Promise((resolve) => (drain = resolve)),
      close: (reason) => near.close(reason),
    };
    const next = piped();
    const dial = async () => next.transport;
    const conn = await connectTransport(slow, { name: "test:///default", reconnect: { delays: [1], dial } });
    full = true;
    const names = ["a", "b", "c", "d", "e"].map((name) => name.repeat(40_000)); // two are more than one write takes
    const calls = names.map((name) => caught(lookup(conn, name)));
    await until(() => daemon.count(LOOKUP) === 1);
    drain();
    await until(() => daemon.count(LOOKUP) === 3);
    daemon.reset();
    const lost = expect.objectContaining({ name: "TransportError", mayHaveRun: true });
    expect(await Promise.all(calls)).toEqual([lost, lost, lost, ...names.slice(3).map(found)]);
    expect(next.daemon.count(LOOKUP)).toBe(2);
    await conn.close();
  });

  test("reconnect/events: listeners hear the new link; those who asked learn of the gap first, and may call", async () => {
    const { conn, daemons, sleeps } = await lossy([undefined, undefined]);
    const heard: number[] = [];
    const stop = conn.on(domainEventLifecycle, ({ event }) => heard.push(event));
    const gaps: Gap[] = [];
    const back = conn.onReconnected(async (gap) => {
      gaps.push(gap);
      expect(await lookup(conn, "register")).toEqual(found("register"));
    });
    daemons[0]?.hangUp();
    await until(() => conn.state === "lost");
    const later = lookup(conn, "later");
    await sleeps.wake();
    expect(await later).toEqual(found("later"));
    expect(gaps).toMatchObject([{ reason: { name: "TransportError", code: "eof" }, attempts: 1 }]);
    expect(daemons[1]?.calls.filter(({ proc }) => proc === LOOKUP).map(payloadText)).toEqual(["register", "later"]);
    const event = frame({ proc: 107, type: MESSAGE, serial: 1 }, join(dom("web"), words(5, 0)));
    daemons[1]?.raw.write(event);
    await until(() => heard.length > 0);
    stop();
    back();
    daemons[1]?.raw.write(event);
    await lookup(conn, "after the event");
    expect(heard).toEqual([5]);
    await conn.close();
  });

  test("reconnect/backoff: each attempt waits longer, shortened by chance; a link that lasted begins anew", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const refused = new TransportError("connect", "refused");
    const faults = [undefined, refused, refused, refused, undefined, undefined];
    const { conn, daemons, sleeps } = await lossy(faults, { delays: [10, 20, 40], random: () => 1 });
    daemons[0]?.reset();
    for (let i = 0; i < 4; i++) await sleeps.wake();
    expect(await lookup(conn, "web")).toEqual(found("web"));
    expect(sleeps.delays).toEqual([5, 10, 20, 20]);
    vi.advanceTimersByTime(40);
    daemons[4]?.reset();
    await until(() => conn.state === "lost");
    await sleeps.wake();
    expect(await lookup(conn, "web")).toEqual(found("web"));
    expect(sleeps.delays).toEqual([5, 10, 20, 20, 5]);
    await conn.close();
  });

  test("reconnect/flapping: links that do not last are dialled ever more seldom, and are not given up", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const options = { delays: [10, 20, 40], maxAttempts: 2 };
    const { conn, daemons, sleeps } = await lossy([], options);
    const attempts: number[] = [];
    conn.onReconnected((gap) => void attempts.push(gap.attempts));
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(39);
      daemons[i]?.reset();
      await until(() => conn.state === "lost");
      await sleeps.wake();
      expect(await lookup(conn, "web")).toEqual(found("web"));
    }
    expect(sleeps.delays).toEqual([10, 20, 40, 40, 40]);
    expect(attempts).toEqual([1, 1, 1, 1, 1]);
    await conn.close();
  });

  test("reconnect/keepalive: what was set holds for the next link; senseless numbers are refused and not kept", async () => {
    const { conn, daemons, sleeps } = await lossy([undefined, undefined]);
    expect(() => conn.setKeepAlive(Number.NaN, 5)).toThrow(TypeError);
    daemons[0]?.reset();
    await until(() => conn.state === "lost");
    expect(() => conn.setKeepAlive(5, -1)).toThrow(TypeError);
    await sleeps.wake();
    expect(await lookup(conn, "web")).toEqual(found("web"));
    await conn.close();
  });

  test("reconnect/lost-again: while listeners register, and while the next link is opened", async () => {
    const dies: Fault = ({ proc }, daemon) => {
      if (proc !== LOOKUP && proc !== OPEN) return false;
      daemon.reset();
      return true;
    };
    const diesLater: Fault = ({ proc }, daemon) => {
      if (proc !== LOOKUP) return false;
      daemon.reset();
      return true;
    };
    const { conn, daemons, sleeps } = await lossy([undefined, dies, diesLater, undefined]);
    let registrations = 0;
    conn.onReconnected(async () => {
      registrations++;
      await lookup(conn, "register");
    });
    daemons[0]?.reset();
    await until(() => conn.state === "lost");
    const waiting = lookup(conn, "waiting");
    for (let i = 0; i < 3; i++) await sleeps.wake();
    expect(await waiting).toEqual(found("waiting"));
    expect([registrations, daemons.length]).toEqual([2, 4]);
    expect(sleeps.delays).toEqual([100, 500, 1000]); // nothing was up in between
    await conn.close();
  });

  test("reconnect/bounded: too many calls that wait fail, the others do not", async () => {
    const { conn, daemons, sleeps } = await lossy([undefined, undefined], { maxWaiting: 2 });
    daemons[0]?.reset();
    await until(() => conn.state === "lost");
    const calls = ["a", "b", "c"].map((name) => caught(lookup(conn, name)));
    expect(await calls[2]).toMatchObject({ name: "TransportError", code: "lost" });
    await sleeps.wake();
    expect(await Promise.all(calls.slice(0, 2))).toEqual(["a", "b"].map(found));
    await conn.close();
  });

  test("reconnect/give-up-waiting: signal and time limit hold for calls that wait too", async () => {
    const { conn, daemons, sleeps } = await lossy([undefined, undefined]);
    daemons[0]?.reset();
    await until(() => conn.state === "lost");
    const end = new AbortController();
    const aborted = caught(lookup(conn, "aborted", { signal: end.signal }));
    const late = caught(lookup(conn, "late", { timeout: 1 }));
    const before = caught(lookup(conn, "before", { signal: AbortSignal.abort() }));
    const bad = caught(lookup(conn, "a\0b"));
    end.abort();
    expect(await aborted).toMatchObject({ name: "AbortError" });
    expect(await late).toMatchObject({ name: "TimeoutError" });
    expect(await before).toMatchObject({ name: "AbortError" });
    expect(await bad).toMatchObject({ name: "XdrError", path: "args.name" });
    expect(getEventListeners(end.signal, "abort")).toHaveLength(0);
    await sleeps.wake();
    expect(await lookup(conn, "web")).toEqual(found("web"));
    expect(daemons[1]?.count(LOOKUP)).toBe(1);
    await conn.close();
  });
});

describe("the end", () => {
  const refusal = (error: VirtError): Fault => {
    return (call, { raw }) => {
      if (call.proc !== OPEN) return false;
      raw.reply(call, types.virNetMessageError.encode(error.toMessage()), ERROR);
      return true;
    };
  };
  const endings: Record<string, Fault | Error> = {
    "the daemon refuses to open": refusal(virtError(5, 0, "test:///default")),
    "the daemon wants another login": (call, { raw }) => {
      if (call.proc !== AUTH_LIST) return false;
      raw.reply(call, words(1, 9));
      return true;
    },
    "the host's key has changed": new TransportError("host-key", "the key of the host has changed"),
  };
  test.each(Object.entries(endings))("reconnect/refused: %s", async (_, ending) => {
    const { conn, daemons, sleeps } = await lossy([undefined, ending, undefined]);
    daemons[0]?.hangUp();
    await until(() => conn.state === "lost");
    const call = caught(lookup(conn, "web"));
    await sleeps.wake();
    const error = await conn.closed;
    expect(error).toMatchObject({ name: "TransportError", code: "lost" });
    expect(error?.cause).toBeInstanceOf(ending instanceof Error ? TransportError : VirtError);
    expect(await call).toBe(error);
    expect([conn.state, conn.closeReason, daemons.length]).toEqual(["closed", 0, 2]);
    await expect(lookup(conn, "later")).rejects.toMatchObject({ code: "closed", cause: error });
    await conn.close();
  });

  test("reconnect/attempts: no more than wanted", async () => {
    const refused = new TransportError("connect", "refused");
    const { conn, daemons, sleeps } = await lossy([undefined, refused, refused, undefined], { maxAttempts: 2 });
    daemons[0]?.hangUp();
    await sleeps.wake();
    await sleeps.wake();
    expect(await conn.closed).toMatchObject({ code: "lost", cause: refused });
    expect(daemons).toHaveLength(3);
    await conn.close();
  });

  test("reconnect/close-while-down: ends at once, calls that wait fail, nothing is dialled", async () => {
    const { conn, daemons } = await lossy([undefined, undefined]);
    daemons[0]?.reset();
    await until(() => conn.state === "lost");
    const call = caught(lookup(conn, "web"));
    await conn.close();
    expect(await call).toMatchObject({ name: "TransportError", code: "closed" });
    expect(await conn.closed).toBeUndefined();
    await turn();
    expect([conn.closeReason, daemons.length]).toEqual([3, 1]);
  });

  test("reconnect/close-while-dialling: the attempt is given up, and its link closed", async () => {
    const { conn, daemons, sleeps } = await lossy([undefined, ({ proc }) => proc === OPEN]);
    daemons[0]?.reset();
    await sleeps.wake();
    await until(() => daemons[1]?.count(OPEN) === 1);
    const closing = conn.close();
    expect(conn.state).toBe("closed");
    await closing;
    await daemons[1]?.over;
    expect(await conn.closed).toBeUndefined();
  });

  test("reconnect/close-while-restoring", async () => {
    const { conn, daemons, sleeps } = await lossy([undefined, silent]);
    let over: unknown;
    conn.onReconnected(async () => {
      over = await caught(lookup(conn, "register"));
    });
    daemons[0]?.reset();
    await until(() => conn.state === "lost");
    const call = caught(lookup(conn, "web"));
    await sleeps.wake();
    await until(() => daemons[1]?.count(LOOKUP) === 1);
    await conn.close();
    expect(await call).toMatchObject({ code: "closed" });
    await until(() => over !== undefined);
    expect(over).toBeInstanceOf(TransportError);
    await daemons[1]?.over;
  });

  test("reconnect/lost-before-it-is-used: between the opening and the first look", async () => {
    const { conn, daemons, sleeps } = await lossy([lastWords, undefined]);
    const call = lookup(conn, "web");
    call.catch(() => {});
    await sleeps.wake();
    const result = await caught(call);
    if (!(result instanceof LostCallError)) expect(result).toEqual(found("web"));
    expect(daemons).toHaveLength(2);
    await conn.close();
  });

  test("reconnect/lost-before-it-is-restored: nobody registers on a link that is gone", async () => {
    const { conn, daemons, sleeps } = await lossy([undefined, lastWords, undefined]);
    const gaps: Gap[] = [];
    conn.onReconnected((gap) => void gaps.push(gap));
    daemons[0]?.reset();
    await sleeps.wake();
    await sleeps.wake();
    expect(await lookup(conn, "web")).toEqual(found("web"));
    expect([daemons.length, gaps]).toMatchObject([3, [{ attempts: 2 }]]);
    expect(sleeps.delays).toEqual([100, 500]);
    await conn.close();
  });

  test("reconnect/options: what makes no sense is refused before anything is opened", async () => {
    await expect(connect("test+tcp://localhost/x", { reconnect: { delays: [] } })).rejects.toThrow(TypeError);
    for (const maxCalls of [0, -1, Number.NaN]) {
      await expect(connect("test+tcp://localhost/x", { maxCalls })).rejects.toThrow(TypeError);
    }
    const keepAlive = { interval: 0, count: 5 };
    await expect(connect("test+tcp://localhost/x", { keepAlive })).rejects.toThrow(TypeError);
    const { transport, daemon } = piped();
    await expect(connectTransport(transport, { keepAlive })).rejects.toThrow(TypeError);
    await daemon.over; // the transport was the connection's
    expect(daemon.calls).toEqual([]);
  });
});

describe("over sockets", () => {
  test("reconnect/socket: a daemon that goes away and comes back, and nothing is left behind", async () => {
    await leavesNothing(async () => {
      await using listener = await FakeListener.start(() => undefined);
      const conn = await connect(listener.uri, { reconnect: { delays: [1] } });
      for (let i = 0; i < 5; i++) {
        listener.daemons[i]?.reset();
        await until(() => listener.daemons.length === i + 2);
        expect(await lookup(conn, `guest-${i}`)).toEqual(found(`guest-${i}`));
      }
      await conn.close();
    });
  });
});
