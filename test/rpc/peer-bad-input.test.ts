import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { types } from "../../src/generated/netmessage/index.ts";
import { connectListAllDomains, domainEventLifecycle, domainLookupByName } from "../../src/generated/remote/index.ts";
import { type DropReason, Peer, ProtocolError, TransportError, VirtError, virtError } from "../../src/rpc/index.ts";
import { pair } from "../../src/transport/index.ts";
import { XdrError } from "../../src/xdr/index.ts";
import { RawEnd } from "./raw-end.ts";
import {
  CALL,
  CALL_WITH_FDS,
  CONTINUE,
  ERROR,
  frame,
  type Head,
  hex,
  join,
  KEEPALIVE,
  MESSAGE,
  PING,
  PONG,
  REPLY,
  REPLY_WITH_FDS,
  STREAM,
  STREAM_HOLE,
  singly,
  str,
  words,
} from "./wire.ts";

const LOOKUP = 23;
const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
const dom = join(str("web"), uuid, words(-1));
const value = { dom: { name: "web", uuid, id: -1 } };
const lifecycle = join(dom, words(3, 0));

/** An answer to the call that waits, serial 0 of DOMAIN_LOOKUP_BY_NAME. */
const reply = (payload: Uint8Array = dom, head: Head = {}) => frame({ proc: LOOKUP, type: REPLY, ...head }, payload);
const message = (head: Head, payload?: Uint8Array) => frame({ type: MESSAGE, ...head }, payload);
const errorPayload = types.virNetMessageError.encode(virtError(42, 10, "x").toMessage());

/**
 * What a client makes of some bytes while a call waits:
 * - `closed`: the connection ends with a ProtocolError of that code, and the call fails with it;
 * - `call`: the call ends with that, and the connection goes on;
 * - `dropped`: nothing happens.
 */
type Outcome =
  | { closed: string }
  | { call: typeof value }
  | { call: { code: number | string; message?: string } }
  | { dropped: DropReason | undefined };

const cases: Record<string, [Uint8Array, Outcome]> = {
  "frame/length-0": [words(0), { closed: "frame-length" }],
  "frame/length-3": [words(3), { closed: "frame-length" }],
  "frame/length-4": [words(4), { closed: "frame-length" }],
  "frame/length-5": [words(5), { closed: "frame-length" }],
  "frame/length-27": [words(27), { closed: "frame-length" }],
  "frame/length-above-limit": [words(33_554_437), { closed: "frame-length" }],
  "frame/length-all-ones": [words(-1), { closed: "frame-length" }],
  "frame/garbage": [hex`5353482d 322e302d 4f70656e`, { closed: "frame-length" }],

  "reply/good": [reply(), { call: value }],
  "reply/error": [reply(errorPayload, { status: ERROR }), { call: { code: 42, message: "Domain not found: x" } }],
  "reply/unmatched-serial": [reply(dom, { serial: 1 }), { closed: "unexpected-reply" }],
  "reply/unmatched-program": [reply(dom, { prog: 0x20008087 }), { closed: "unexpected-reply" }],
  "reply/unmatched-version": [reply(dom, { vers: 2 }), { closed: "unexpected-reply" }],
  "reply/wrong-procedure": [
    reply(dom, { proc: 24 }),
    { call: { code: 1, message: "internal error: Unexpected message proc 24 != 23" } },
  ],
  "reply/status-continue": [
    reply(dom, { status: CONTINUE }),
    { call: { code: 39, message: "Unexpected message status 2" } },
  ],
  "reply/status-unknown": [reply(dom, { status: 99 }), { call: { code: 39, message: "Unexpected message status 99" } }],
  "reply/payload-empty": [reply(words()), { call: { code: "short" } }],
  "reply/payload-short": [reply(dom.subarray(0, 20)), { call: { code: "short" } }],
  "reply/payload-trailing": [reply(join(dom, words(1, 2))), { call: value }],
  "reply/string-length-all-ones": [reply(words(-1)), { call: { code: "limit" } }],
  "reply/string-above-limit": [reply(words(4_194_305)), { call: { code: "limit" } }],
  "reply/string-not-utf8": [reply(join(hex`00000003 fffefd00`, uuid, words(-1))), { call: { code: "utf8" } }],
  "reply/padding-not-zero": [reply(join(hex`00000003 776562ff`, uuid, words(-1))), { call: value }],
  "reply/error-payload-empty": [reply(words(), { status: ERROR }), { call: { code: "short" } }],
  "reply/error-string-all-ones": [reply(words(42, 10, 1, -1), { status: ERROR }), { call: { code: "limit" } }],
  "reply/error-odd-presence": [
    reply(join(words(42, 10, 7), str("text"), words(2, 0, 0, 0, 0, -1, -1, 0)), { status: ERROR }),
    { call: { code: 42, message: "text" } },
  ],
  "reply/error-unknown-code": [
    reply(join(words(99999, 9999, 0, 77, 0, 0, 0, 0, -1, -1, 0)), { status: ERROR }),
    { call: { code: 99_999, message: "Unknown error" } },
  ],

  "fds/none": [reply(join(words(0), dom), { type: REPLY_WITH_FDS }), { call: value }],
  "fds/two": [
    join(reply(join(words(2), dom), { type: REPLY_WITH_FDS }), new Uint8Array(2)),
    {
      call: {
        code: 3,
        message:
          "this function is not supported by the connection driver: " +
          "DOMAIN_LOOKUP_BY_NAME: the 2 file descriptors of the reply cannot be received",
      },
    },
  ],
  "fds/two-with-error": [
    join(reply(join(words(2), errorPayload), { type: REPLY_WITH_FDS, status: ERROR }), new Uint8Array(2)),
    { call: { code: 42 } },
  ],
  "fds/33": [reply(join(words(33), dom), { type: REPLY_WITH_FDS }), { closed: "fd-count" }],
  "fds/all-ones": [reply(join(words(-1), dom), { type: REPLY_WITH_FDS }), { closed: "fd-count" }],
  "fds/count-cut": [reply(new Uint8Array(3), { type: REPLY_WITH_FDS }), { closed: "fd-count" }],

  "type/call": [frame({ proc: LOOKUP, type: CALL }, str("web")), { closed: "unexpected-call" }],
  "type/call-with-fds": [frame({ proc: LOOKUP, type: CALL_WITH_FDS }, words(0)), { closed: "unexpected-call" }],
  "type/unknown": [reply(dom, { type: 99 }), { closed: "unexpected-type" }],
  "type/negative": [reply(dom, { type: -1 }), { closed: "unexpected-type" }],
  "type/stream-unknown": [
    frame({ proc: 209, type: STREAM, serial: 5, status: CONTINUE }, words(1)),
    { dropped: "unknown-stream" },
  ],
  "type/stream-finish-unknown": [frame({ proc: 209, type: STREAM, serial: 5 }), { dropped: "unknown-stream" }],
  "type/stream-error-unknown": [
    frame({ proc: 209, type: STREAM, serial: 5, status: ERROR }, errorPayload),
    { dropped: "unknown-stream" },
  ],
  "type/stream-status-unknown": [frame({ type: STREAM, status: 99 }), { dropped: "unknown-stream" }],
  "type/hole-unknown": [
    frame({ proc: 209, type: STREAM_HOLE, status: CONTINUE }, words(0, 4096, 0)),
    { dropped: "unknown-stream" },
  ],

  "event/unknown-program": [message({ prog: 0x12345678, proc: 1 }), { dropped: "unknown-message" }],
  "event/unknown-version": [message({ vers: 2, proc: 107 }, lifecycle), { dropped: "unknown-message" }],
  "event/unknown-procedure": [message({ proc: 9999 }), { dropped: "unknown-message" }],
  "event/procedure-negative": [message({ proc: -1 }), { dropped: "unknown-message" }],
  "event/status-error": [message({ proc: 107, status: ERROR }, lifecycle), { dropped: "bad-message" }],
  "event/payload-short": [message({ proc: 107 }, lifecycle.subarray(0, 30)), { dropped: "bad-message" }],
  "event/string-length-all-ones": [message({ proc: 107 }, words(-1)), { dropped: "bad-message" }],
  "keepalive/pong-unsolicited": [PONG, { dropped: undefined }],
  "keepalive/unknown-procedure": [message({ prog: KEEPALIVE, proc: 7 }), { dropped: undefined }],
  "keepalive/version-2": [message({ prog: KEEPALIVE, vers: 2, proc: 1 }), { dropped: undefined }],
};

/** A client with a raw end for its server, and what it dropped. */
function client() {
  const [near, far] = pair();
  const dropped: DropReason[] = [];
  const peer = new Peer(near, { onDrop: (reason) => dropped.push(reason) });
  peer.on(domainEventLifecycle, () => {});
  return { peer, server: new RawEnd(far), dropped };
}

let innocent: ReturnType<typeof client>;
beforeEach(() => {
  innocent = client();
});
afterEach(async () => {
  const other = innocent.peer.call(domainLookupByName, { name: "web" });
  innocent.server.reply(await innocent.server.expect(), dom);
  expect(await other).toEqual(value);
  await innocent.peer.close();
});

async function check(pieces: readonly Uint8Array[], outcome: Outcome): Promise<void> {
  const { peer, server, dropped } = client();
  const call = peer.call(domainLookupByName, { name: "web" });
  const settled = call.catch((error: unknown) => error);
  expect(await server.expect()).toMatchObject({ proc: LOOKUP, serial: 0 });
  server.write(...pieces);
  if ("closed" in outcome) {
    const reason = await peer.closed;
    expect(reason).toBeInstanceOf(ProtocolError);
    expect(reason).toMatchObject({ code: outcome.closed });
    expect(await settled).toBe(reason);
    await server.ended;
    return;
  }
  if ("call" in outcome) {
    const result = await settled;
    if ("dom" in outcome.call) expect(result).toEqual(outcome.call);
    else {
      expect(result).toBeInstanceOf(typeof outcome.call.code === "number" ? VirtError : XdrError);
      expect(result).toMatchObject(outcome.call);
    }
  } else {
    server.write(reply());
    expect(await settled).toEqual(value);
    expect(dropped).toEqual(outcome.dropped === undefined ? [] : [outcome.dropped]);
  }
  // The connection goes on.
  const next = peer.call(connectListAllDomains, { needResults: 1, flags: 0 });
  server.reply(await server.expect(), words(0, 0));
  expect(await next).toEqual({ domains: [], ret: 0 });
  await peer.close();
}

describe("bad input to a client", () => {
  test.each(Object.entries(cases))("%s", (_, [bytes, outcome]) => check([bytes], outcome));

  test.each(Object.entries(cases))("%s, byte by byte", (_, [bytes, outcome]) => check(singly(bytes), outcome));

  test("reply/array-limits: lengths above the limit or the payload fail the call alone", async () => {
    for (const [payload, code] of [
      [words(-1), "limit"],
      [words(16_385), "limit"],
      [words(16_384), "short"],
    ] as const) {
      const { peer, server } = client();
      const call = peer.call(connectListAllDomains, { needResults: 1, flags: 0 });
      server.reply(await server.expect(), payload);
      await expect(call).rejects.toMatchObject({ name: "XdrError", code, path: "ret.domains" });
      await peer.close();
    }
  });

  test("frame/cut-anywhere: the end in the middle of a reply fails the call with the reason", async () => {
    const whole = reply();
    for (let at = 0; at < whole.byteLength; at++) {
      const { peer, server } = client();
      const call = peer.call(domainLookupByName, { name: "web" });
      const settled = call.catch((error: unknown) => error);
      await server.expect();
      server.write(whole.subarray(0, at));
      await server.transport.close();
      const error = await settled;
      expect(error).toBeInstanceOf(TransportError);
      expect(error).toMatchObject({ code: "eof" });
      expect((error as Error).message.includes("in the middle")).toBe(at > 0);
      expect(await peer.closed).toBe(error);
    }
  });

  test("keepalive/ping: answered at once, whatever its serial, status and payload", async () => {
    const { peer, server } = client();
    const odd = frame({ prog: KEEPALIVE, proc: 1, type: MESSAGE, serial: 9, status: 1 }, words(1));
    server.write(join(PING, odd));
    for (let i = 0; i < 2; i++) {
      expect(await server.expect()).toMatchObject({ prog: KEEPALIVE, vers: 1, proc: 2, type: MESSAGE, serial: 0 });
    }
    await peer.close();
  });

  test("event/serial-ignored: any serial, even that of a waiting call, is no reply", async () => {
    const { peer, server } = client();
    const events: unknown[] = [];
    peer.on(domainEventLifecycle, (event) => events.push(event));
    const call = peer.call(domainLookupByName, { name: "web" });
    await server.expect();
    for (const serial of [0, 1, 0xffffffff]) server.write(message({ proc: 107, serial }, lifecycle));
    server.write(message({ proc: 107 }, join(lifecycle, words(1)))); // with bytes left over
    server.write(reply());
    await call;
    expect(events).toEqual(Array(4).fill({ dom: value.dom, event: 3, detail: 0 }));
    await peer.close();
  });
});
