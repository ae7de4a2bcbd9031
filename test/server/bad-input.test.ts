import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Connection, connectTransport, TransportError } from "../../src/api/index.ts";
import { types } from "../../src/generated/netmessage/index.ts";
import { type RemoteHandlers, remoteDescription } from "../../src/generated/remote/index.ts";
import {
  type CallContext,
  createServer,
  type ListenerSettings,
  type Server,
  type Session,
  serve,
} from "../../src/server/index.ts";
import { pair, sockets } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import {
  CALL_WITH_FDS,
  CONTINUE,
  frame,
  type Head,
  hex,
  join,
  KEEPALIVE,
  MESSAGE,
  PING,
  PONG,
  QEMU,
  REPLY,
  REPLY_WITH_FDS,
  STREAM,
  STREAM_HOLE,
  singly,
  str,
  words,
} from "../rpc/wire.ts";

/** What the server makes of some bytes. An error: the text of the reply, code 39, domain 7. */
type Outcome = { error: string } | { ok: Uint8Array } | "dropped" | "closed" | "pong";

const AUTH_LIST = 66;
const FEATURE = 60;
const LOOKUP_BY_NAME = 23;
const GET_INFO = 16;
const LIST_ALL_DOMAINS = 273;
const SET_SCHEDULER_PARAMETERS = 58;
const LIFECYCLE_EVENT = 107;
const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
const decodeError = { error: "Unable to decode message payload" };
const call = (head: Head, payload?: Uint8Array) => frame({ serial: 7, ...head }, payload);
const dom = (name: Uint8Array = str("web")) => join(name, uuid, words(-1));
const found = dom();
const scheduler = (...parts: Uint8Array[]) => call({ proc: SET_SCHEDULER_PARAMETERS }, join(dom(), ...parts));

const cases: Record<string, [Uint8Array, Outcome]> = {
  "frame/length-0": [words(0), "closed"],
  "frame/length-3": [words(3), "closed"],
  "frame/length-4": [words(4), "closed"],
  "frame/length-5": [join(words(5), new Uint8Array(1)), "closed"],
  "frame/length-27": [join(words(27), new Uint8Array(23)), "closed"],
  "frame/length-above-limit": [words(33_554_437), "closed"],
  "frame/length-all-ones": [words(0xffffffff), "closed"],
  "frame/garbage": [hex`47455420 2f204854 54502f31 2e310d0a`, "closed"],
  "call/unknown-program": [
    call({ prog: 0x12345678, proc: AUTH_LIST }),
    { error: "Cannot find program 305419896 version 1" },
  ],
  "call/unknown-program-signed": [call({ prog: 0x87539319 }), { error: "Cannot find program -2024565991 version 1" }],
  "call/program-not-served-here": [call({ prog: QEMU, proc: 1 }), { error: "Cannot find program 536903815 version 1" }],
  "call/unknown-version": [call({ vers: 2, proc: AUTH_LIST }), { error: "Cannot find program 536903814 version 2" }],
  "call/version-0": [call({ vers: 0, proc: AUTH_LIST }), { error: "Cannot find program 536903814 version 0" }],
  "call/keepalive-program": [call({ prog: KEEPALIVE, proc: 1 }), { error: "Cannot find program 1801807216 version 1" }],
  "call/unknown-procedure": [call({ proc: 9999 }), { error: "unknown procedure: 9999" }],
  "call/procedure-0": [call({ proc: 0 }), { error: "unknown procedure: 0" }],
  "call/procedure-negative": [call({ proc: -5 }), { error: "unknown procedure: -5" }],
  "call/procedure-of-an-event": [call({ proc: LIFECYCLE_EVENT }), { error: "unknown procedure: 107" }],
  "call/status-error": [call({ proc: AUTH_LIST, status: 1 }), { error: "Unexpected message status 1" }],
  "call/status-continue": [call({ proc: AUTH_LIST, status: CONTINUE }), { error: "Unexpected message status 2" }],
  "call/status-unknown": [call({ proc: AUTH_LIST, status: 99 }), { error: "Unexpected message status 99" }],
  "call/status-before-procedure": [call({ proc: 9999, status: 1 }), { error: "Unexpected message status 1" }],
  "call/program-before-status": [
    call({ prog: 1, proc: 9999, status: 1 }),
    { error: "Cannot find program 1 version 1" },
  ],
  "call/payload-empty": [call({ proc: FEATURE }), decodeError],
  "call/payload-short": [call({ proc: FEATURE }, new Uint8Array(3)), decodeError],
  "call/payload-cut-string": [call({ proc: LOOKUP_BY_NAME }, join(words(8), Buffer.from("web"))), decodeError],
  "call/payload-cut-padding": [call({ proc: LOOKUP_BY_NAME }, str("web").subarray(0, 7)), decodeError],
  "call/payload-trailing": [call({ proc: FEATURE }, words(10, 1, 2, 3)), { ok: words(1) }],
  "call/payload-trailing-odd": [call({ proc: FEATURE }, join(words(10), new Uint8Array(3))), { ok: words(1) }],
  "call/payload-where-none": [call({ proc: AUTH_LIST }, words(1, 2, 3)), { ok: words(1, 0) }],
  "call/string-length-all-ones": [call({ proc: LOOKUP_BY_NAME }, words(0xffffffff)), decodeError],
  "call/string-one-above-limit": [
    call({ proc: LOOKUP_BY_NAME }, join(words(4_194_305), new Uint8Array(4_194_308).fill(120))),
    decodeError,
  ],
  "call/string-not-utf8": [call({ proc: LOOKUP_BY_NAME }, hex`00000002 fffe0000`), decodeError],
  "call/string-cut-at-nul": [call({ proc: LOOKUP_BY_NAME }, str("web\0x")), { ok: found }],
  "call/array-length-all-ones": [scheduler(words(0xffffffff)), decodeError],
  "call/array-one-above-limit": [scheduler(words(17), new Uint8Array(65_536)), decodeError],
  "call/array-longer-than-payload": [scheduler(words(16)), decodeError],
  "call/union-unknown-tag": [scheduler(words(1), str("cpu"), words(99, 0)), decodeError],
  "call/padding-not-zero": [call({ proc: LOOKUP_BY_NAME }, hex`00000003 776562ff`), { ok: found }],
  "call/presence-2": [call({ proc: 1 }, join(words(2), str("test:///default"), words(0))), { ok: words() }],
  "call/presence-all-ones": [call({ proc: 1 }, join(words(-1), str("test:///default"), words(0))), { ok: words() }],
  "call/flags-unknown-bits": [
    call({ proc: LIST_ALL_DOMAINS }, words(1, 0xfffffff6)),
    { ok: join(words(1), found, words(1)) },
  ],
  "call/serial-all-ones": [frame({ proc: AUTH_LIST, serial: 0xffffffff }), { ok: words(1, 0) }],
  "call/wrong-uuid-length": [call({ proc: GET_INFO }, join(str("web"), uuid.subarray(4))), decodeError],
  "fds/none": [call({ proc: FEATURE, type: CALL_WITH_FDS }, words(0, 10)), { ok: words(1) }],
  "fds/one": [call({ proc: FEATURE, type: CALL_WITH_FDS }, words(1, 10)), "closed"],
  "fds/32": [call({ proc: FEATURE, type: CALL_WITH_FDS }, words(32, 10)), "closed"],
  "fds/33": [call({ proc: FEATURE, type: CALL_WITH_FDS }, words(33, 10)), "closed"],
  "fds/all-ones": [call({ proc: FEATURE, type: CALL_WITH_FDS }, words(-1, 10)), "closed"],
  "fds/count-cut": [call({ proc: FEATURE, type: CALL_WITH_FDS }, new Uint8Array(3)), "closed"],
  "type/reply": [call({ proc: AUTH_LIST, type: REPLY }), "dropped"],
  "type/reply-error": [call({ proc: AUTH_LIST, type: REPLY, status: 1 }), "dropped"],
  "type/reply-with-fds": [call({ proc: AUTH_LIST, type: REPLY_WITH_FDS }), "dropped"],
  "type/message-known-program": [call({ proc: LIFECYCLE_EVENT, type: MESSAGE }, dom()), "dropped"],
  "type/message-unknown-program": [call({ prog: 1, proc: 1, type: MESSAGE }), "dropped"],
  "type/stream-unknown": [call({ proc: 209, type: STREAM, status: CONTINUE }, new Uint8Array(5)), "dropped"],
  "type/stream-finish-unknown": [call({ proc: 209, type: STREAM }), "dropped"],
  "type/stream-status-unknown": [call({ proc: 209, type: STREAM, status: 99 }), "dropped"],
  "type/hole-unknown": [call({ proc: 209, type: STREAM_HOLE, status: CONTINUE }, words(0, 4096, 0)), "dropped"],
  "type/unknown": [call({ proc: AUTH_LIST, type: 99 }), "dropped"],
  "type/negative": [call({ proc: AUTH_LIST, type: -1 }), "dropped"],
  "type/stream-unknown-program": [call({ prog: 1, type: STREAM, status: CONTINUE }), "dropped"],
  "keepalive/ping": [PING, "pong"],
  "keepalive/ping-odd": [frame({ prog: KEEPALIVE, proc: 1, type: MESSAGE, serial: 9, status: 1 }, words(1)), "pong"],
  "keepalive/pong-unsolicited": [PONG, "dropped"],
  "keepalive/unknown-procedure": [frame({ prog: KEEPALIVE, proc: 3, type: MESSAGE }), "dropped"],
  "keepalive/version-2": [frame({ prog: KEEPALIVE, vers: 2, proc: 1, type: MESSAGE }), "dropped"],
};

const web = { name: "web", uuid, id: -1 };
const handlers: RemoteHandlers<CallContext> = {
  authList: () => ({ types: [0] }),
  connectOpen: () => {},
  connectClose: (_, { session }) => session.closeAfterReply(),
  connectSupportsFeature: () => ({ supported: 1 }),
  domainLookupByName: ({ name }) => ({ dom: { ...web, name } }),
  domainGetInfo: () => ({ state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 0n }),
  connectListAllDomains: () => ({ domains: [web], ret: 1 }),
  domainSetSchedulerParameters: () => {},
};

let server: Server;
let innocent: Connection;
let lastSession: Session | undefined;

function attach(settings?: ListenerSettings): RawEnd {
  const [near, far] = pair();
  lastSession = server.accept(far, settings);
  return new RawEnd(near);
}

beforeEach(async () => {
  server = createServer({ programs: [serve(remoteDescription, handlers)] });
  const [near, far] = pair();
  server.accept(far);
  innocent = await connectTransport(near, { name: "test:///default" });
});
afterEach(async () => {
  expect((await innocent.remote.domainLookupByName({ name: "other" })).dom.name).toBe("other");
  await innocent.close();
  await server.close();
});

async function check(raw: RawEnd, bytes: Uint8Array, outcome: Outcome): Promise<void> {
  if (outcome === "closed") {
    expect(await raw.next()).toBeUndefined();
    return;
  }
  if (outcome === "pong") {
    expect(await raw.expect()).toMatchObject({
      prog: KEEPALIVE,
      vers: 1,
      proc: 2,
      type: MESSAGE,
      serial: 0,
      status: 0,
    });
  } else if (outcome !== "dropped") {
    const reply = await raw.expect();
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const [prog, vers, proc, serial] = [view.getUint32(4), view.getUint32(8), view.getInt32(12), view.getUint32(20)];
    const status = "error" in outcome ? 1 : 0;
    expect(reply).toMatchObject({ prog, vers, proc, type: REPLY, serial, status });
    if ("ok" in outcome) expect(reply.payload).toEqual(outcome.ok);
    else {
      const { error: message } = outcome;
      expect(types.virNetMessageError.decode(reply.payload, { strict: true })).toEqual({
        ...{ code: 39, domain: 7, message, level: 2, dom: null },
        ...{ str1: "%s", str2: message, str3: null, int1: -1, int2: -1, net: null },
      });
    }
  }
  // The connection goes on, and nothing else came.
  raw.write(frame({ proc: AUTH_LIST, serial: 8 }));
  expect(await raw.expect()).toMatchObject({ proc: AUTH_LIST, type: REPLY, serial: 8, status: 0 });
}

describe("bad input to a server", () => {
  test.each(Object.entries(cases))("%s", async (_, [bytes, outcome]) => {
    const raw = attach();
    raw.write(bytes);
    await check(raw, bytes, outcome);
    await raw.close();
  });

  test.each(Object.entries(cases).filter(([, [bytes]]) => bytes.byteLength < 1000))(
    "%s, byte by byte",
    async (_, [bytes, outcome]) => {
      const raw = attach();
      raw.write(...singly(bytes));
      await check(raw, bytes, outcome);
      await raw.close();
    },
  );

  test("frame/cut-anywhere: a connection that ends in the middle of a call ends without a reply", async () => {
    const bytes = call({ proc: LOOKUP_BY_NAME }, str("web"));
    for (let at = 0; at < bytes.byteLength; at++) {
      const raw = attach();
      const closed = new Promise<Error | undefined>((resolve) => lastSession?.onClose(resolve));
      raw.write(bytes.subarray(0, at));
      await raw.transport.close();
      expect(await closed).toBeInstanceOf(TransportError);
      expect(raw.bytes).toHaveLength(0);
    }
    expect(server.sessions).toHaveLength(1);
  });

  test("frame/many-bad-in-one-read: every call of a read gets its own answer, in order", async () => {
    const raw = attach();
    const good = frame({ proc: AUTH_LIST, serial: 100 });
    raw.write(
      join(
        call({ proc: 9999, serial: 1 }),
        call({ type: 99 }),
        PING,
        call({ proc: FEATURE, serial: 2 }),
        call({ prog: 5, serial: 3 }),
        good,
      ),
    );
    const serials: number[] = [];
    for (let i = 0; i < 5; i++) {
      const { prog, serial, type } = await raw.expect();
      serials.push(prog === KEEPALIVE ? -1 : serial);
      expect([REPLY, MESSAGE]).toContain(type);
    }
    expect(serials.filter((serial) => serial >= 0)).toEqual([1, 2, 3, 100]);
    expect(serials).toContain(-1);
    await raw.close();
  });

  test("frame/violation: nothing behind it is answered", async () => {
    const raw = attach();
    raw.write(join(words(0), frame({ proc: AUTH_LIST, serial: 1 })));
    expect(await raw.next()).toBeUndefined();
  });

  test("auth/required: nothing but authentication is answered before it, in the order of the checks", async () => {
    const raw = attach({ auth: "polkit" });
    const refused: [Uint8Array, string][] = [
      [call({ proc: FEATURE }, words(10)), "authentication required"],
      [call({ proc: 2 }), "authentication required"],
      [call({ proc: FEATURE }), "authentication required"], // asked before the arguments are looked at
      [call({ proc: 9999 }), "unknown procedure: 9999"],
      [call({ proc: FEATURE, status: 1 }), "Unexpected message status 1"],
    ];
    for (const [bytes, message] of refused) {
      raw.write(bytes);
      const { payload, status } = await raw.expect();
      expect(status).toBe(1);
      expect(types.virNetMessageError.decode(payload).message).toBe(message);
    }
    raw.write(PING); // keepalive is answered all the same
    await check(raw, PING, "pong");
    await raw.close();
  });
});

describe("bad input over sockets", () => {
  test("end/half-close: a client that only stops sending is gone, its replies are lost", async () => {
    const path = `/tmp/virtwire-half-${process.pid}`;
    let abort = (_: unknown) => {};
    const aborted = new Promise<unknown>((resolve) => {
      abort = resolve;
    });
    const domainLookupByName = (_: unknown, { signal }: CallContext) => {
      signal.addEventListener("abort", () => abort(signal.reason));
      client.end();
      return new Promise<never>(() => {});
    };
    const real = createServer({
      listen: [`unix:${path}`],
      programs: [serve(remoteDescription, { domainLookupByName })],
    });
    await real.listen();
    const client = connect({ path, allowHalfOpen: true });
    let bytes = 0;
    client.on("data", (chunk) => {
      bytes += chunk.byteLength;
    });
    const ended = new Promise((resolve) => client.on("end", resolve));
    client.write(call({ proc: LOOKUP_BY_NAME }, str("web")));
    expect(await aborted).toMatchObject({ name: "TransportError", code: "eof" });
    await ended;
    expect([bytes, real.sessions.length]).toEqual([0, 0]);
    await real.close();
  });

  const some = [
    "frame/length-3",
    "frame/length-above-limit",
    "call/unknown-procedure",
    "call/array-length-all-ones",
    "call/payload-trailing",
    "fds/one",
    "type/unknown",
    "keepalive/ping",
  ];

  test.each(["unix", "tcp"])("over %s", async (scheme) => {
    const { dialUnix, dialTcp } = await sockets();
    const path = `/tmp/virtwire-bad-${process.pid}-${scheme}`;
    const real = createServer({
      listen: [scheme === "unix" ? `unix:${path}` : "tcp://127.0.0.1:0"],
      programs: [serve(remoteDescription, handlers)],
    });
    await real.listen();
    const port = Number(/:(\d+)$/.exec(real.addresses[0] as string)?.[1] ?? 0);
    const dial = () => (scheme === "unix" ? dialUnix(path) : dialTcp("127.0.0.1", port));
    const other = await connectTransport(await dial(), { name: "test:///default" });
    for (const name of some) {
      const [bytes, outcome] = cases[name] as [Uint8Array, Outcome];
      for (const pieces of [[bytes], singly(bytes)]) {
        const raw = new RawEnd(await dial());
        raw.write(...pieces);
        await check(raw, bytes, outcome);
        await raw.close();
      }
    }
    expect((await other.remote.domainLookupByName({ name: "x" })).dom.name).toBe("x");
    await other.close();
    await real.close();
  });
});
