import { getEventListeners } from "node:events";
import type { Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type ConnectOptions,
  type CoreConnection,
  connect,
  connectTransport,
  isNotFound,
  isUnsupported,
  ProtocolError,
  TransportError,
  VirtError,
  XdrError,
} from "../../src/client/index.ts";
import { types } from "../../src/generated/netmessage/index.ts";
import {
  domainEventLifecycle,
  domainFdAssociate,
  domainLookupByName,
  domainSetLaunchSecurityState,
} from "../../src/generated/remote/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import type { RawMessage } from "../rpc/raw-end.ts";
import { CALL, ERROR, frame, join, MESSAGE, PING, QEMU, REPLY, STREAM, singly, str, words } from "../rpc/wire.ts";
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
  GET_URI,
  LIB_VERSION,
  LOOKUP,
  leavesNothing,
  OPEN,
  piped,
  turn,
  until,
  uuid,
} from "./fake-daemon.ts";

const lookup = (conn: CoreConnection, name = "web", options = {}) => conn.call(domainLookupByName, { name }, options);
const errorPayload = (error: VirtError) => types.virNetMessageError.encode(error.toMessage());

afterEach(() => {
  vi.useRealTimers();
});

/** Steps of the opening sequence: procedure, and which call of it. */
const steps = {
  AUTH_LIST: (call: RawMessage) => call.proc === AUTH_LIST,
  "CONNECT_SUPPORTS_FEATURE 10": (call: RawMessage) => call.proc === FEATURE && call.payload[3] === 10,
  CONNECT_OPEN: (call: RawMessage) => call.proc === OPEN,
  "CONNECT_SUPPORTS_FEATURE 14": (call: RawMessage) => call.proc === FEATURE && call.payload[3] === 14,
  "CONNECT_SUPPORTS_FEATURE 15": (call: RawMessage) => call.proc === FEATURE && call.payload[3] === 15,
} as const;

const at = (step: (call: RawMessage) => boolean, run: (call: RawMessage, daemon: FakeDaemon) => void): Fault => {
  return (call, daemon) => {
    if (!step(call)) return false;
    run(call, daemon);
    return true;
  };
};

/** Opens a connection to a faulty daemon at a unix socket, which must fail and leave nothing behind. */
async function opening(fault: Fault | ((socket: Socket) => undefined), options: ConnectOptions = {}): Promise<unknown> {
  let error: unknown;
  await leavesNothing(async () => {
    await using listener = await FakeListener.start((_, socket) =>
      fault.length === 1 ? (fault as (socket: Socket) => undefined)(socket) : (fault as Fault),
    );
    error = await connect(listener.uri, options).then(
      () => expect.unreachable(),
      (error: unknown) => error,
    );
    await Promise.all(listener.daemons.map(({ over }) => over));
  });
  return error;
}

describe("while a connection is being opened", () => {
  test("fault/close-after-accept", async () => {
    const error = await opening((socket: Socket) => void socket.destroy());
    expect(error).toBeInstanceOf(TransportError);
  });

  test.each(Object.entries(steps))("fault/close-during %s", async (_, step) => {
    const error = await opening(at(step, (_, daemon) => daemon.hangUp()));
    expect(error).toMatchObject({ name: "TransportError", code: "eof" });
  });

  test.each(Object.entries(steps))("fault/reset-during %s", async (_, step) => {
    const error = await opening(at(step, (_, daemon) => daemon.reset()));
    expect(error).toBeInstanceOf(TransportError);
  });

  test.each(Object.entries(steps))("fault/silent-from %s: the opening has a time limit", async (_, step) => {
    let silent = false;
    const fault: Fault = (call) => {
      silent ||= step(call);
      return silent;
    };
    // The clock begins to run when the daemon has fallen silent, however busy this machine is.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { transport, daemon } = piped((call, daemon) => {
      const stops = fault(call, daemon);
      if (stops) vi.advanceTimersByTime(30_000);
      return stops;
    });
    await expect(connectTransport(transport, { name: "test:///default" })).rejects.toMatchObject({
      name: "TimeoutError",
      message: "no connection within 30000 ms",
    });
    await daemon.over;
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each(Object.entries(steps))("fault/given-up-during %s", async (_, step) => {
    const end = new AbortController();
    const reason = new Error("changed my mind");
    const error = await opening(
      at(step, () => end.abort(reason)),
      { signal: end.signal },
    );
    expect(error).toMatchObject({ name: "AbortError", cause: reason });
    expect(getEventListeners(end.signal, "abort")).toHaveLength(0);
  });

  test("fault/half-a-reply-then-silence: the opening has a time limit", async () => {
    const error = await opening(
      at(steps.CONNECT_OPEN, (call, daemon) => daemon.raw.write(frame({ ...call, type: REPLY }).subarray(0, 17))),
      { timeout: 100 },
    );
    expect(error).toMatchObject({ name: "TimeoutError" });
  });

  test("fault/not-libvirt: something else listens there", async () => {
    const error = await opening(
      at(steps.AUTH_LIST, (_, daemon) => daemon.raw.write(Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"))),
    );
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ code: "frame-length" });
  });

  test("fault/wrong-version: a reply of another version of the program answers nothing", async () => {
    const error = await opening(
      at(steps.AUTH_LIST, (call, daemon) => daemon.raw.reply({ ...call, vers: 2 }, words(1, 0))),
    );
    expect(error).toMatchObject({ name: "ProtocolError", code: "unexpected-reply" });
  });

  test("fault/wrong-auth: a login that nobody knows", async () => {
    const error = await opening(at(steps.AUTH_LIST, (call, daemon) => daemon.raw.reply(call, words(1, 9))));
    expect(error).toMatchObject({ name: "VirtError", code: 45 });
  });

  test("fault/auth-list-undecodable", async () => {
    const error = await opening(at(steps.AUTH_LIST, (call, daemon) => daemon.raw.reply(call, words(21))));
    expect(error).toBeInstanceOf(XdrError);
    expect(error).toMatchObject({ code: "limit", path: "ret.types" });
  });

  test("fault/open-refused-without-message", async () => {
    const payload = words(5, 0, 0, 2, 0, 0, 0, 0, -1, -1, 0);
    const error = await opening(at(steps.CONNECT_OPEN, (call, daemon) => daemon.raw.reply(call, payload, ERROR)));
    expect(error).toMatchObject({ name: "VirtError", code: 5, message: "Unknown error", level: 2 });
  });

  test("fault/uri-undecodable: the daemon says what it chose, in bytes that are no text", async () => {
    const { transport, daemon } = piped((call, daemon) => {
      if (call.proc !== GET_URI) return false;
      daemon.raw.reply(call, join(words(4), Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc)));
      return true;
    });
    await expect(connectTransport(transport)).rejects.toMatchObject({
      name: "XdrError",
      code: "utf8",
      path: "ret.uri",
    });
    await daemon.over;
  });
});

/** Runs `work` on an open connection to a daemon at a unix socket, and then closes it: nothing may be left behind. */
async function open(
  work: (conn: CoreConnection, daemon: FakeDaemon) => Promise<void>,
  fault: Fault = () => false,
  options: ConnectOptions = {},
): Promise<void> {
  await leavesNothing(async () => {
    await using listener = await FakeListener.start(() => fault);
    const conn = await connect(listener.uri, options);
    const daemon = listener.daemons[0] as FakeDaemon;
    await work(conn, daemon);
    await conn.close();
    await daemon.over;
  });
}

/** What the daemon does instead of answering a lookup. */
const instead = (run: (call: RawMessage, daemon: FakeDaemon) => void): Fault => at(({ proc }) => proc === LOOKUP, run);

/** Ends the connection: what is said instead of a reply, and how calls and connection end. */
const deadly: Record<string, [(call: RawMessage, daemon: FakeDaemon) => void, { name: string; code: string }]> = {
  close: [(_, daemon) => daemon.hangUp(), { name: "TransportError", code: "eof" }],
  "close-in-mid-reply": [
    (call, daemon) => {
      daemon.raw.write(frame({ ...call, type: REPLY }, dom("web")).subarray(0, 40));
      daemon.hangUp();
    },
    { name: "TransportError", code: "eof" },
  ],
  "frame-too-small": [(_, { raw }) => raw.write(words(27)), { name: "ProtocolError", code: "frame-length" }],
  "frame-too-large": [(_, { raw }) => raw.write(words(33_554_437)), { name: "ProtocolError", code: "frame-length" }],
  "frame-length-0": [(_, { raw }) => raw.write(words(0)), { name: "ProtocolError", code: "frame-length" }],
  "duplicate-reply": [
    (call, { raw }) => {
      raw.reply({ ...call, serial: call.serial - 1 }, words());
    },
    { name: "ProtocolError", code: "unexpected-reply" },
  ],
  "unsolicited-reply": [
    (call, { raw }) => raw.reply({ ...call, serial: 99 }, dom("web")),
    { name: "ProtocolError", code: "unexpected-reply" },
  ],
  "reply-of-another-program": [
    (call, { raw }) => raw.reply({ ...call, prog: QEMU }, dom("web")),
    { name: "ProtocolError", code: "unexpected-reply" },
  ],
  "call-to-a-client": [
    (_, { raw }) => raw.write(frame({ proc: LOOKUP, type: CALL }, str("web"))),
    { name: "ProtocolError", code: "unexpected-call" },
  ],
  "unknown-type": [
    (call, { raw }) => raw.write(frame({ ...call, type: 99 })),
    { name: "ProtocolError", code: "unexpected-type" },
  ],
  "too-many-descriptors": [
    (call, { raw }) => raw.write(frame({ ...call, type: 5 }, words(33))),
    { name: "ProtocolError", code: "fd-count" },
  ],
};

/** Fails the call alone: what is said instead of a reply, and how the call ends. */
const harmful: Record<string, [(call: RawMessage, daemon: FakeDaemon) => void, object]> = {
  "reply-of-another-procedure": [
    (call, { raw }) => raw.reply({ ...call, proc: 24 }, dom("web")),
    { name: "VirtError", code: 1, message: "internal error: Unexpected message proc 24 != 23" },
  ],
  "reply-status-2": [
    (call, { raw }) => raw.reply(call, dom("web"), 2),
    { name: "VirtError", code: 39, message: "Unexpected message status 2" },
  ],
  "reply-undecodable": [
    (call, { raw }) => raw.reply(call, words(9, 1)),
    { name: "XdrError", code: "short", path: "ret.dom.name" },
  ],
  "error-undecodable": [(call, { raw }) => raw.reply(call, words(42), ERROR), { name: "XdrError", code: "short" }],
  "error-without-message": [
    (call, { raw }) => raw.reply(call, words(42, 10, 0, 2, 0, 0, 0, 0, -1, -1, 0), ERROR),
    { name: "VirtError", code: 42, message: "Unknown error", str1: null, int1: -1 },
  ],
  "error-code-unknown": [
    (call, { raw }) => raw.reply(call, errorPayload(new VirtError("text", 4711, 4712)), ERROR),
    { name: "VirtError", code: 4711, domain: 4712, message: "text" },
  ],
};

/** Harms nobody: what comes before the reply. */
const harmless: Record<string, Uint8Array> = {
  "event-nobody-listens-to": frame({ proc: 318, type: MESSAGE, serial: 1 }, join(words(7), dom("web"), words(3, 0))),
  "event-undecodable": frame({ proc: 107, type: MESSAGE, serial: 1 }, words(-1)),
  "event-with-a-status": frame({ proc: 107, type: MESSAGE, status: ERROR }, join(dom("web"), words(3, 0))),
  "event-unknown-procedure": frame({ proc: 9999, type: MESSAGE }),
  "event-unknown-program": frame({ prog: 0x12345678, proc: 1, type: MESSAGE }),
  "event-unknown-version": frame({ proc: 107, vers: 2, type: MESSAGE }),
  "stream-unknown": frame({ proc: 209, type: STREAM, serial: 77, status: 2 }, words(1)),
  "stream-ok-unknown": frame({ proc: 209, type: STREAM, serial: 77 }),
  "stream-status-unknown": frame({ proc: 209, type: STREAM, serial: 77, status: 9 }),
  "pong-unsolicited": frame({ prog: 0x6b656570, proc: 2, type: MESSAGE }),
};

describe("on an open connection", () => {
  test.each(Object.entries(deadly))(
    "fault/%s: the connection is over, and every call fails with the reason",
    async (_, [run, reason]) => {
      await open(
        async (conn) => {
          const closed = conn.closed;
          const errors = await Promise.all(["a", "b", "c", "d", "e", "f"].map((name) => caught(lookup(conn, name))));
          expect(errors[0]).toMatchObject(reason);
          expect(new Set(errors).size).toBe(1); // queued ones as well
          expect(await closed).toBe(errors[0]);
          expect(conn.closeReason).toBe(reason.code === "eof" ? 1 : 0);
          expect(conn.state).toBe("closed");
          await expect(lookup(conn)).rejects.toMatchObject({
            name: "TransportError",
            code: "closed",
            cause: errors[0],
          });
        },
        // Once: what the daemon does to the first call is the end of it.
        instead((call, daemon) => {
          if (daemon.count(LOOKUP) === 1) run(call, daemon);
        }),
      );
    },
  );

  test.each(Object.entries(harmful))("fault/%s: the call fails, the connection goes on", async (_, [run, error]) => {
    await open(
      async (conn) => {
        expect(await caught(lookup(conn))).toMatchObject(error);
        expect(await lookup(conn, "next")).toEqual(found("next"));
      },
      (call, daemon) => {
        if (call.proc !== LOOKUP || daemon.count(LOOKUP) > 1) return false;
        run(call, daemon);
        return true;
      },
    );
  });

  test.each(Object.entries(harmless))("fault/%s: nothing happens", async (_, bytes) => {
    await open(
      async (conn) => {
        const heard: unknown[] = [];
        conn.on(domainEventLifecycle, (event) => heard.push(event));
        expect(await lookup(conn)).toEqual(found("web"));
        expect(heard).toEqual([]);
        expect(await lookup(conn, "next")).toEqual(found("next"));
      },
      instead((call, { raw }) => raw.write(bytes, frame({ ...call, type: REPLY }, join(call.payload, uuid, words(1))))),
    );
  });

  test("fault/out-of-order: each reply finds its call", async () => {
    const held: RawMessage[] = [];
    await open(
      async (conn) => {
        const names = ["a", "b", "c", "d"];
        expect(await Promise.all(names.map((name) => lookup(conn, name)))).toEqual(names.map(found));
      },
      instead((call, { raw }) => {
        held.push(call);
        if (held.length === 4) for (const one of held.reverse()) raw.reply(one, join(one.payload, uuid, words(1)));
      }),
    );
  });

  test("fault/slow: a daemon that sends one byte at a time", async () => {
    await open(
      async (conn) => {
        expect(await lookup(conn)).toEqual(found("web"));
      },
      instead((call, { raw }) => {
        const bytes = singly(frame({ ...call, type: REPLY }, dom("web")));
        const next = () => {
          const [byte] = bytes.splice(0, 1);
          if (byte === undefined) return;
          raw.write(byte);
          setImmediate(next);
        };
        next();
      }),
    );
  });

  test("fault/ping-flood: each is answered, calls go on", async () => {
    await open(
      async (conn) => {
        expect(await lookup(conn)).toEqual(found("web"));
      },
      instead((call, { raw }) => {
        raw.write(join(...Array<Uint8Array>(5000).fill(PING)));
        raw.reply(call, dom("web"));
      }),
    );
  });

  test.each([
    ["in the default budget", 4],
    ["all in flight", 10_000],
  ])("fault/10000-calls %s", async (_, maxCalls) => {
    let open4 = 0;
    let most = 0;
    const late: (() => void)[] = [];
    await open(
      async (conn) => {
        const names = Array.from({ length: 10_000 }, (_, i) => `guest-${i}`);
        expect(await Promise.all(names.map((name) => lookup(conn, name)))).toEqual(names.map(found));
        expect(most).toBe(maxCalls);
      },
      instead((call, { raw }) => {
        most = Math.max(most, ++open4);
        late.push(() => {
          open4--;
          raw.reply(call, join(call.payload, uuid, words(1)));
        });
        if (late.length < maxCalls) return;
        for (const reply of late.splice(0).reverse()) reply();
      }),
      { maxCalls },
    );
  });

  test("fault/10000-calls lost: all fail with one error when the connection ends", async () => {
    await open(
      async (conn) => {
        const calls = Array.from({ length: 10_000 }, (_, i) => caught(lookup(conn, `guest-${i}`)));
        const errors = await Promise.all(calls);
        expect(new Set(errors).size).toBe(1);
        expect(errors[0]).toMatchObject({ code: "eof" });
      },
      instead((_, daemon) => daemon.hangUp()),
    );
  });

  test("fault/daemon-too-old: one typed error, without a look at the text", async () => {
    const unknown = virtError(39, 7, "any words at all");
    await open(
      async (conn, daemon) => {
        const args = { dom: found("web").dom, params: [], flags: 0 };
        for (let i = 0; i < 2; i++) {
          const error = await caught(conn.call(domainSetLaunchSecurityState, { ...args }));
          expect(error).toBeInstanceOf(VirtError);
          expect(error).toMatchObject({ code: 39, message: "any words at all" }); // 8.0.0: this daemon has it
        }
        const error = await caught(
          conn.call({ ...domainFdAssociate, since: "9.0.1" }, { dom: args.dom, name: "x", flags: 0 }),
        );
        expect(isUnsupported(error)).toBe(true);
        expect(isNotFound(error)).toBe(false);
        expect(error).toMatchObject({
          code: 3,
          message:
            "this function is not supported by the connection driver: " +
            "DOMAIN_FD_ASSOCIATE needs libvirt 9.0.1, the daemon is 9.0.0",
          cause: { code: 39 },
        });
        expect(daemon.count(LIB_VERSION)).toBe(1); // asked once
      },
      at(
        ({ proc }) => proc === domainSetLaunchSecurityState.number || proc === domainFdAssociate.number,
        (call, { raw }) => raw.reply(call, errorPayload(unknown), ERROR),
      ),
    );
  });

  test("fault/daemon-without-version: the error is the daemon's own", async () => {
    await open(
      async (conn, daemon) => {
        expect(await caught(lookup(conn))).toMatchObject({ code: 39, message: "no" });
        expect(await caught(lookup(conn))).toMatchObject({ code: 39, message: "no" });
        expect(daemon.count(LIB_VERSION)).toBe(2); // no answer yet, so it is asked again
      },
      at(
        ({ proc }) => proc === LOOKUP || proc === LIB_VERSION,
        (call, { raw }) => raw.reply(call, errorPayload(virtError(39, 7, "no")), ERROR),
      ),
    );
  });
});

describe("a daemon that freezes", () => {
  /** Opens over a pipe with faked timers: nothing here waits for a clock. */
  async function frozen(fault: Fault, options = {}) {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const { transport, daemon } = piped(fault);
    const conn = await connectTransport(transport, { name: "test:///default", ...options });
    return { conn, daemon };
  }
  const silent = instead(() => {});

  test("fault/silence: the keepalive of virsh ends it after 35 seconds", async () => {
    const { conn, daemon } = await frozen(silent);
    const ends: unknown[] = [];
    conn.onClose((reason, error) => ends.push(reason, error));
    const calls = ["a", "b", "c", "d", "e"].map((name) => caught(lookup(conn, name)));
    await until(() => daemon.count(LOOKUP) === 4);
    daemon.raw.transport.pause();
    vi.advanceTimersByTime(34_900);
    expect(ends).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(ends).toMatchObject([2, { name: "TransportError", code: "keepalive" }]);
    expect(conn.closeReason).toBe(2);
    for (const error of await Promise.all(calls)) expect(error).toBe(ends[1]);
    expect(await conn.closed).toBe(ends[1]);
    await conn.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("fault/half-a-frame-then-silence", async () => {
    const { conn, daemon } = await frozen(
      instead((call, { raw }) => {
        raw.write(frame({ ...call, type: REPLY }, dom("web")).subarray(0, 30));
        raw.transport.pause();
      }),
    );
    const call = caught(lookup(conn));
    await until(() => daemon.count(LOOKUP) === 1);
    await turn();
    await turn();
    vi.advanceTimersByTime(35_100);
    expect(await call).toMatchObject({ code: "keepalive" });
    await conn.close();
  });

  test("fault/no-keepalive: a daemon that does not have it is never pinged", async () => {
    const { conn, daemon } = await frozen((call, { raw }) => {
      if (call.proc !== FEATURE) return false;
      raw.reply(call, words(0));
      return true;
    });
    expect(conn.setKeepAlive(5, 5)).toBe(false);
    vi.advanceTimersByTime(600_000);
    expect(vi.getTimerCount()).toBe(0);
    expect(await lookup(conn)).toEqual(found("web"));
    daemon.reset();
    await conn.close();
  });

  test("fault/keepalive-off: `false` sends no pings", async () => {
    const { conn, daemon } = await frozen(silent, { keepAlive: false });
    expect(vi.getTimerCount()).toBe(0);
    expect(conn.setKeepAlive(5, 5)).toBe(true);
    expect(vi.getTimerCount()).toBe(1);
    expect(conn.setKeepAlive(0, 0)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    daemon.reset();
    await conn.close();
  });

  test("fault/call-timeout: sent or queued, the call ends in time, and its late reply is dropped", async () => {
    const held: RawMessage[] = [];
    let silent = true;
    const { conn, daemon } = await frozen(
      at(
        ({ proc }) => proc === LOOKUP && silent,
        (call) => held.push(call),
      ),
      { maxCalls: 1, keepAlive: false },
    );
    const sent = caught(lookup(conn, "sent", { timeout: 1000 }));
    const queued = caught(lookup(conn, "queued", { timeout: 1000 }));
    const patient = lookup(conn, "patient", { timeout: Number.POSITIVE_INFINITY });
    await until(() => held.length === 1);
    vi.advanceTimersByTime(1000);
    expect(await sent).toMatchObject({
      name: "TimeoutError",
      message: "DOMAIN_LOOKUP_BY_NAME: no answer within 1000 ms",
    });
    expect(await queued).toMatchObject({ name: "TimeoutError" });
    expect(daemon.count(LOOKUP)).toBe(1); // the budget is still used
    silent = false;
    daemon.raw.reply(held[0] as RawMessage, dom("sent"));
    expect(await patient).toEqual(found("patient"));
    expect(daemon.count(LOOKUP)).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
    await conn.close();
  });

  test("fault/call-timeout-default: for calls that do not say", async () => {
    const { conn, daemon } = await frozen(silent, { callTimeout: 500, keepAlive: false });
    const call = caught(lookup(conn));
    const longer = caught(lookup(conn, "b", { timeout: 800 }));
    await until(() => daemon.count(LOOKUP) === 2);
    vi.advanceTimersByTime(500);
    expect(await call).toMatchObject({ name: "TimeoutError", message: expect.stringContaining("500 ms") });
    vi.advanceTimersByTime(300);
    expect(await longer).toMatchObject({ name: "TimeoutError", message: expect.stringContaining("800 ms") });
    daemon.reset();
    await conn.close();
  });
});

describe("giving calls up", () => {
  test("fault/abort-everywhere: before, queued, sent and afterwards; nothing stays on the signal", async () => {
    const held: RawMessage[] = [];
    const { transport, daemon } = piped(instead((call) => held.push(call)));
    const conn = await connectTransport(transport, { name: "test:///default", maxCalls: 2 });
    const signals = ["before", "sent", "queued", "after"].map(() => new AbortController());
    const [before, sent, queued, after] = signals as [
      AbortController,
      AbortController,
      AbortController,
      AbortController,
    ];
    before.abort();
    expect(await caught(lookup(conn, "before", { signal: before.signal }))).toMatchObject({ name: "AbortError" });
    const first = caught(lookup(conn, "sent", { signal: sent.signal }));
    const second = lookup(conn, "after", { signal: after.signal });
    const third = caught(lookup(conn, "queued", { signal: queued.signal }));
    await until(() => held.length === 2);
    queued.abort();
    sent.abort();
    expect([await first, await third]).toMatchObject([{ name: "AbortError" }, { name: "AbortError" }]);
    daemon.raw.reply(held[1] as RawMessage, dom("after"));
    expect(await second).toEqual(found("after"));
    after.abort();
    daemon.raw.reply(held[0] as RawMessage, dom("late"));
    for (const { signal } of signals) expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(daemon.count(LOOKUP)).toBe(2);
    await conn.close();
  });
});

describe("closing", () => {
  test("fault/close-while-calls-wait: all fail, and so does every later call", async () => {
    await open(
      async (conn, daemon) => {
        const calls = ["a", "b", "c", "d", "e", "f"].map((name) => caught(lookup(conn, name)));
        await until(() => daemon.count(LOOKUP) === 4);
        const closing = conn.close();
        const later = caught(lookup(conn, "later"));
        await closing;
        for (const error of [...(await Promise.all(calls)), await later]) {
          expect(error).toMatchObject({ name: "TransportError", code: "closed" });
        }
        expect([await conn.closed, conn.closeReason]).toEqual([undefined, 3]);
      },
      instead(() => {}),
    );
  });

  test("fault/close-lost: the daemon goes while it is being left", async () => {
    await open(
      async (conn) => {
        const call = caught(lookup(conn));
        await conn.close();
        expect(await call).toBeInstanceOf(TransportError);
        expect([await conn.closed, conn.closeReason]).toEqual([undefined, 3]);
      },
      at(
        ({ proc }) => proc === LOOKUP || proc === CLOSE,
        (call, daemon) => {
          if (call.proc === CLOSE) daemon.reset();
        },
      ),
    );
  });

  test("fault/close-in-a-listener: whoever closes in an event or close listener harms nobody", async () => {
    await open(
      async (conn) => {
        const closed: number[] = [];
        conn.onClose((reason) => {
          closed.push(reason);
          void conn.close();
        });
        const stop = conn.onClose(() => closed.push(-1));
        stop();
        conn.on(domainEventLifecycle, () => void conn.close());
        const call = caught(lookup(conn));
        await conn.closed;
        expect(await call).toBeInstanceOf(TransportError);
        expect(closed).toEqual([3]);
        conn.onClose((reason) => closed.push(reason)); // at once
        expect(closed).toEqual([3, 3]);
      },
      instead((_, { raw }) => raw.write(frame({ proc: 107, type: MESSAGE, serial: 1 }, join(dom("web"), words(3, 0))))),
    );
  });
});
