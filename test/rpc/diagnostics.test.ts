import { execFileSync } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { connectTransport } from "../../src/client/index.ts";
import { types } from "../../src/generated/netmessage/index.ts";
import { authList, authSaslStart, domainEventLifecycle, domainLookupByName } from "../../src/generated/remote/index.ts";
import { logLine } from "../../src/rpc/diagnostics.ts";
import { Peer, VirtError, virtError } from "../../src/rpc/index.ts";
import { pair } from "../../src/transport/index.ts";
import { piped } from "../client/fake-daemon.ts";
import { RawEnd } from "./raw-end.ts";
import { ERROR, frame, join, MESSAGE, PING, str, words } from "./wire.ts";

const uuid = new Uint8Array(16);
const stop: (() => void)[] = [];
afterEach(() => {
  for (const each of stop.splice(0)) each();
});

/** What is published on channels from now on, as a copy, by the channel's name. */
function listen(...names: string[]): [string, Record<string, unknown>][] {
  const heard: [string, Record<string, unknown>][] = [];
  for (const name of names) {
    const hear = (message: unknown) => heard.push([name, { ...(message as object) }]);
    subscribe(name, hear);
    stop.push(() => unsubscribe(name, hear));
  }
  return heard;
}

describe("diagnostics", () => {
  test("diagnostics/connect: start and end, or error and end, of each attempt", async () => {
    const heard = listen("virtwire:connect:start", "virtwire:connect:error", "virtwire:connect:end");
    const good = piped();
    const conn = await connectTransport(good.transport, { name: "test:///default", readOnly: true });
    const facts = { uri: "test:///default", readOnly: true, attempt: 0 };
    expect(heard.splice(0)).toEqual([
      ["virtwire:connect:start", facts],
      ["virtwire:connect:end", { ...facts, connection: "pair:" }],
    ]);
    await conn.close();
    const bad = piped((_, daemon) => {
      daemon.reset();
      return true;
    });
    const error = await connectTransport(bad.transport).catch((error: unknown) => error);
    expect(heard.map(([name]) => name.slice(17))).toEqual(["start", "error", "end"]);
    expect(heard[1]?.[1]).toMatchObject({ error, connection: "pair:" });
  });

  test("diagnostics/call: who, what and how it ended, and never what was said", async () => {
    const heard = listen("virtwire:call:start", "virtwire:call:error", "virtwire:call:end");
    const [near, far] = pair();
    const [peer, server] = [new Peer(near), new RawEnd(far)];
    const call = peer.call(domainLookupByName, { name: "web" });
    const facts = { connection: "pair:", program: "REMOTE", procedure: "DOMAIN_LOOKUP_BY_NAME", number: 23 };
    expect(heard.splice(0)).toEqual([["virtwire:call:start", facts]]);
    server.reply(await server.expect(), join(str("web"), uuid, words(1)));
    await call;
    expect(heard.splice(0)).toEqual([["virtwire:call:end", facts]]);

    const secret = Buffer.from("user\0password");
    const login = peer.call(authSaslStart, { mech: "PLAIN", nil: 0, data: secret });
    const failed = login.catch((error: unknown) => error);
    const payload = types.virNetMessageError.encode(virtError(45, 7, "no").toMessage());
    server.reply(await server.expect(), payload, ERROR);
    const error = await failed;
    expect(error).toBeInstanceOf(VirtError);
    const sasl = { ...facts, procedure: "AUTH_SASL_START", number: 68 };
    expect(heard.splice(0)).toEqual([
      ["virtwire:call:start", sasl],
      ["virtwire:call:error", { ...sasl, error }],
      ["virtwire:call:end", { ...sasl, error }],
    ]);

    const end = new AbortController();
    const given = peer.call(authList, undefined, { signal: end.signal }).catch((error: unknown) => error);
    end.abort();
    await given;
    server.reply(await server.expect(), words(0)); // late, and no second end
    await peer.close();
    expect(heard.map(([name]) => name)).toEqual(["virtwire:call:start", "virtwire:call:error", "virtwire:call:end"]);
  });

  test("diagnostics/event and close", async () => {
    const heard = listen("virtwire:event", "virtwire:close");
    const { transport, daemon } = piped();
    const conn = await connectTransport(transport, { name: "test:///default" });
    const event = new Promise((resolve) => conn.on(domainEventLifecycle, resolve));
    const payload = join(str("web"), uuid, words(1), words(3, 0));
    daemon.raw.write(frame({ proc: 107, type: MESSAGE, serial: 1 }, payload));
    await event;
    daemon.hangUp();
    const error = await conn.closed;
    expect(heard).toEqual([
      [
        "virtwire:event",
        {
          connection: "pair:",
          program: "REMOTE",
          procedure: "DOMAIN_EVENT_LIFECYCLE",
          number: 107,
          bytes: payload.byteLength,
        },
      ],
      ["virtwire:close", { connection: "pair:", reason: 1, error }],
    ]);
    await conn.close();
  });

  test("diagnostics/message: every message by its header, in both directions, as the debug log shows it", async () => {
    const heard = listen("virtwire:message");
    const [near, far] = pair();
    const [peer, server] = [new Peer(near), new RawEnd(far)];
    const call = peer.call(domainLookupByName, { name: "web" });
    const arrived = await server.expect();
    server.write(PING, frame({ proc: 9999, type: MESSAGE, serial: 3 }));
    server.reply(arrived, join(str("web"), uuid, words(1)));
    await call;
    await peer.close();
    expect(heard.map(([, message]) => logLine(message as never))).toEqual([
      "tx pair: len=36 prog=REMOTE vers=1 proc=DOMAIN_LOOKUP_BY_NAME(23) type=CALL status=OK serial=0",
      "rx pair: len=28 prog=KEEPALIVE vers=1 proc=PING(1) type=MESSAGE status=OK serial=0",
      "tx pair: len=28 prog=KEEPALIVE vers=1 proc=PONG(2) type=MESSAGE status=OK serial=0",
      "rx pair: len=28 prog=REMOTE vers=1 proc=9999 type=MESSAGE status=OK serial=3",
      "rx pair: len=56 prog=REMOTE vers=1 proc=DOMAIN_LOOKUP_BY_NAME(23) type=REPLY status=OK serial=0",
    ]);
    expect(JSON.stringify(heard)).not.toContain("web");
  });

  test("diagnostics/unknown numbers in the log stay numbers", () => {
    const header = { prog: 7, vers: 2, proc: -1, type: 99, serial: 5, status: 9 };
    expect(logLine({ connection: "pair:", direction: "in", header, procedure: undefined, length: 28 })).toBe(
      "rx pair: len=28 prog=7 vers=2 proc=-1 type=99 status=9 serial=5",
    );
  });

  test("diagnostics/log: NODE_DEBUG=virtwire writes it to standard error", () => {
    const program = `
      import { Peer } from "virtwire/rpc";
      import { pair } from "virtwire/transport";
      import { authList } from "virtwire/protocol/remote";
      const [near, far] = pair();
      const peer = new Peer(near);
      peer.call(authList).catch(() => {});
      await peer.close(new Error("enough"));`;
    const cwd = fileURLToPath(new URL("../..", import.meta.url));
    const run = (NODE_DEBUG: string) =>
      execFileSync("/bin/sh", ["-c", 'exec "$0" --input-type=module -e "$1" 2>&1', process.execPath, program], {
        cwd,
        env: { ...process.env, NODE_DEBUG },
        encoding: "utf8",
      });
    expect(run("virtwire")).toMatch(
      /^VIRTWIRE \d+: tx pair: len=28 prog=REMOTE vers=1 proc=AUTH_LIST\(66\) type=CALL status=OK serial=0\n$/,
    );
    expect(run("")).toBe("");
  });
});
