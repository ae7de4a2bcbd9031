/** How our connections behave when real libvirtd freezes, dies, comes back, or is too old. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CoreConnection, connect, isUnsupported, LostCallError, TransportError } from "../../src/client/index.ts";
import {
  connectGetLibVersion,
  connectListAllDomains,
  domainLookupByName,
  remoteDescription,
} from "../../src/generated/remote/index.ts";
import { Lab, labObstacle } from "../lab/lab.ts";
import { part } from "./part.ts";

const version = (conn: CoreConnection, options = {}) => conn.call(connectGetLibVersion, undefined, options);
const caught = (promise: Promise<unknown>) => promise.catch((error: unknown) => error);
const daemon = (lab: Lab, verb: string) => lab.command("daemon", "alpha", verb);

part("connections to libvirtd", labObstacle(), () => {
  let lab: Lab;
  let uri: string;
  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], tag: "vwcn", net: "10.86.0", up: ["--set", "keepalive_interval=1"] });
    uri = await lab.uri("alpha", "unix");
  });
  afterAll(async () => await lab?.down());

  test("connection/too-old: every procedure that is younger than the daemon is one typed error", async () => {
    await using conn = await connect(uri);
    const { libVer } = await version(conn);
    const young = Object.values(remoteDescription.procedures).filter(({ since = "0" }) => {
      const [major = 0, minor = 0, release = 0] = since.split(".").map(Number);
      return major * 1_000_000 + minor * 1000 + release > Number(libVer);
    });
    const empty = { encode: () => {}, decode: () => {} };
    for (const procedure of young) {
      const error = await caught(conn.call({ ...procedure, args: empty, ret: empty }, undefined));
      expect(isUnsupported(error)).toBe(true);
      expect(error).toMatchObject({ code: 3, message: expect.stringContaining(`needs libvirt ${procedure.since}`) });
    }
    if (libVer === 9_000_000n) expect(young).toHaveLength(8); // 444 to 453, two of which are events
  });

  test("connection/busy: 10,000 calls at once while the daemon pings each second", async () => {
    await using conn = await connect(uri);
    const calls = Array.from({ length: 10_000 }, (_, i) =>
      i % 2 === 0 ? version(conn) : caught(conn.call(domainLookupByName, { name: `nobody-${i}` })),
    );
    const answers = await Promise.all(calls);
    expect(answers.filter((answer) => answer instanceof Error && "code" in answer && answer.code === 42)).toHaveLength(
      5000,
    );
  });

  test("connection/idle: the daemon's pings are answered, ours too", async () => {
    await using conn = await connect(uri, { keepAlive: { interval: 0.2, count: 2 } });
    const closed = conn.closed;
    // libvirtd drops a client that does not answer for 6 of these seconds; another connection tells the time.
    await using clock = await connect(uri, { keepAlive: false });
    const end = performance.now() + 8000;
    while (performance.now() < end) await clock.call(connectListAllDomains, { needResults: 1, flags: 0 });
    expect(conn.state).toBe("open");
    expect((await version(conn)).libVer).toBeGreaterThan(0n);
    await conn.close();
    expect(await closed).toBeUndefined();
  });

  test("connection/frozen: keepalive ends it, a call's time limit ends the call, and nobody can be opened", async () => {
    const conn = await connect(uri, { keepAlive: { interval: 1, count: 1 } });
    await daemon(lab, "freeze");
    try {
      const [impatient, call] = [caught(version(conn, { timeout: 100 })), caught(version(conn))];
      expect(await impatient).toMatchObject({ name: "TimeoutError" });
      const error = await call;
      expect(error).toMatchObject({ name: "TransportError", code: "keepalive" });
      expect([await conn.closed, conn.closeReason]).toEqual([error, 2]);
      expect(await caught(connect(uri, { timeout: 500 }))).toMatchObject({ name: "TimeoutError" });
    } finally {
      await daemon(lab, "thaw");
    }
    await conn.close();
    await (await connect(uri)).close();
  });

  test("connection/reconnect: a daemon that is killed and started again", async () => {
    const conn = await connect(uri, { reconnect: { delays: [50, 200] } });
    const back = new Promise<void>((resolve) => conn.onReconnected(() => resolve()));
    await daemon(lab, "freeze");
    const sent = caught(version(conn));
    await daemon(lab, "kill");
    expect(await sent).toBeInstanceOf(LostCallError);
    expect(conn.state).toBe("lost");
    const waiting = version(conn);
    await daemon(lab, "start");
    expect((await waiting).libVer).toBeGreaterThan(0n);
    await back;
    await conn.close();
    expect(conn.closeReason).toBe(3);
  });

  test("connection/killed: without reconnect it is over, and says why", async () => {
    const conn = await connect(uri);
    await daemon(lab, "kill");
    expect(await conn.closed).toBeInstanceOf(TransportError);
    expect([0, 1]).toContain(conn.closeReason);
    expect(await caught(version(conn))).toMatchObject({ code: "closed" });
    await conn.close();
    await daemon(lab, "start");
  });
});
