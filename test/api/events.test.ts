import { describe, expect, test } from "vitest";
import { type Connection, connectTransport, Domain } from "../../src/api/index.ts";
import { VirDomainEventID, VirErrorDomain, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { domainMonitorEvent, type QemuHandlers, qemuDescription } from "../../src/generated/qemu/index.ts";
import * as r from "../../src/generated/remote/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import { type CallContext, createServer, serve } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";

const web = { name: "web", uuid: new Uint8Array(16).fill(1), id: 1 };
const db = { name: "db", uuid: new Uint8Array(16).fill(2), id: 2 };

/** A daemon that remembers what is registered, and sends what a test says. */
class Daemon {
  readonly log: string[] = [];
  readonly sessions: CallContext["session"][] = [];
  #nextID = 0;
  /** Sent right before the reply to the next registration, with its id. */
  early: ((session: CallContext["session"], callbackID: number) => void) | undefined;
  readonly #modern: boolean;

  constructor({ modern = true } = {}) {
    this.#modern = modern;
  }

  readonly remote: r.RemoteHandlers<CallContext> = {
    authList: () => ({ types: [0] }),
    connectOpen: (_, { session }) => void this.sessions.push(session),
    connectClose: (_, { session }) => session.closeAfterReply(),
    connectSupportsFeature: () => ({ supported: this.#modern ? 1 : 0 }),
    connectDomainEventCallbackRegisterAny: ({ eventID, dom }, { session }) =>
      this.#register(`domain ${eventID} ${dom?.name ?? "all"}`, session),
    connectDomainEventCallbackDeregisterAny: ({ callbackID }) => void this.log.push(`-domain ${callbackID}`),
    connectDomainEventRegisterAny: ({ eventID }) => void this.log.push(`+old ${eventID}`),
    connectDomainEventDeregisterAny: ({ eventID }) => void this.log.push(`-old ${eventID}`),
    connectNetworkEventRegisterAny: ({ eventID }, { session }) => this.#register(`network ${eventID}`, session),
    connectNetworkEventDeregisterAny: ({ callbackID }) => void this.log.push(`-network ${callbackID}`),
    connectStoragePoolEventRegisterAny: ({ eventID }, { session }) => this.#register(`pool ${eventID}`, session),
    connectStoragePoolEventDeregisterAny: ({ callbackID }) => void this.log.push(`-pool ${callbackID}`),
    connectNodeDeviceEventRegisterAny: ({ eventID }, { session }) => this.#register(`device ${eventID}`, session),
    connectNodeDeviceEventDeregisterAny: ({ callbackID }) => void this.log.push(`-device ${callbackID}`),
    connectSecretEventRegisterAny: ({ eventID }, { session }) => this.#register(`secret ${eventID}`, session),
    connectSecretEventDeregisterAny: ({ callbackID }) => void this.log.push(`-secret ${callbackID}`),
    connectRegisterCloseCallback: () => void this.log.push("+close"),
    connectUnregisterCloseCallback: () => void this.log.push("-close"),
    domainLookupByName: ({ name }) => ({ dom: { ...web, name } }),
  };

  readonly qemu: QemuHandlers<CallContext> = {
    connectDomainMonitorEventRegister: ({ event, flags }, { session }) =>
      this.#register(`monitor ${event} ${flags}`, session),
    connectDomainMonitorEventDeregister: ({ callbackID }) => void this.log.push(`-monitor ${callbackID}`),
  };

  get session(): CallContext["session"] {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error("nobody is connected");
    return session;
  }

  /** Ids begin at 0 again. */
  restart(): void {
    this.#nextID = 0;
  }

  #register(what: string, session: CallContext["session"]): { callbackID: number } {
    this.log.push(`+${what}`);
    const callbackID = this.#nextID++;
    this.early?.(session, callbackID);
    this.early = undefined;
    return { callbackID };
  }
}

async function connected(daemon: Daemon, more: r.RemoteHandlers<CallContext> = {}): Promise<Connection> {
  const server = createServer({
    programs: [serve(r.remoteDescription, { ...daemon.remote, ...more }), serve(qemuDescription, daemon.qemu)],
  });
  const [near, far] = pair();
  server.accept(far);
  return connectTransport(near, { name: "test:///default" });
}

/** A connection that comes back when `sleep` has resolved. */
async function lasting(daemon: Daemon, sleep: () => Promise<void>): Promise<Connection> {
  const server = createServer({ programs: [serve(r.remoteDescription, daemon.remote)] });
  const dial = async () => {
    daemon.restart();
    const [near, far] = pair();
    server.accept(far);
    return near;
  };
  return connectTransport(await dial(), { name: "test:///default", reconnect: { dial, sleep } });
}

const lifecycle = (callbackID: number, dom: r.NonnullDomain, event: number) => ({
  callbackID,
  msg: { dom, event, detail: 0 },
});

describe("events of guests", () => {
  test("iterable: events come as objects of the API, and leaving the loop deregisters", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    const events = await conn.domainEvents("lifecycle");
    daemon.session.send(r.domainEventCallbackLifecycle, lifecycle(0, web, 2));
    for await (const event of events) {
      if (event.kind === "gap") throw new Error("a gap");
      expect(event.domain).toBeInstanceOf(Domain);
      expect(event.domain.getName()).toBe("web");
      expect(event).toMatchObject({ kind: "lifecycle", event: 2, detail: 0 });
      break;
    }
    expect(daemon.log).toEqual(["+domain 0 all", "-domain 0"]);
  });

  test("before-the-reply: an event that comes before the reply to its own registration is not lost", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    daemon.early = (session, id) => session.send(r.domainEventCallbackLifecycle, lifecycle(id, db, 4));
    await using events = await conn.domainEvents("lifecycle");
    expect((await events.next()).value).toMatchObject({ kind: "lifecycle", event: 4 });
  });

  test("flat: reason beside the nested message, typed parameters as a record, all in one object", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    await using wakeups = await conn.domainEvents("pmwakeup", { domain: new Domain(conn, web) });
    await using tunables = await conn.domainEvents("tunable");
    daemon.session.send(r.domainEventCallbackPmwakeup, { callbackID: 0, reason: 3, msg: { dom: web } });
    const params = [{ field: "cputune.cpu_shares", value: { type: 4, value: 2048n } }] as r.TypedParam[];
    daemon.session.send(r.domainEventCallbackTunable, { callbackID: 1, dom: web, params });
    const wakeup = (await wakeups.next()).value;
    expect(wakeup).toMatchObject({ kind: "pmwakeup", reason: 3 });
    expect(Object.keys(wakeup)).toEqual(["kind", "domain", "reason"]);
    const tunable = (await tunables.next()).value;
    expect(tunable).toMatchObject({ kind: "tunable", params: { "cputune.cpu_shares": 2048n } });
    expect(daemon.log).toEqual(["+domain 11 web", "+domain 17 all"]);
  });

  test("listener: may call the API and wait for it, and the C API's ids begin at 0", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      void conn.domainEventRegisterAny(null, "reboot", async (event) => {
        if (event.kind === "gap") return;
        const again = await conn.lookupDomainByName(event.domain.getName());
        seen.push(again.getName());
        if (seen.length === 2) resolve();
      });
    });
    await expect.poll(() => daemon.log).toEqual(["+domain 1 all"]);
    daemon.session.send(r.domainEventCallbackReboot, { callbackID: 0, msg: { dom: web } });
    daemon.session.send(r.domainEventCallbackReboot, { callbackID: 0, msg: { dom: db } });
    await done;
    expect(seen).toEqual(["web", "db"]);
    await conn.domainEventDeregisterAny(0);
    expect(daemon.log).toEqual(["+domain 1 all", "-domain 0"]);
    await expect(conn.domainEventDeregisterAny(0)).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_INVALID_ARG });
  });

  test("throws: a listener's mistake hurts no other", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    const mistakes: unknown[] = [];
    const onUncaught = (error: unknown) => void mistakes.push(error);
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", onUncaught);
    try {
      await conn.domainEventRegisterAny(null, "lifecycle", () => {
        throw new Error("mistake");
      });
      await using events = await conn.domainEvents("lifecycle");
      daemon.session.send(r.domainEventCallbackLifecycle, lifecycle(0, web, 0));
      expect((await events.next()).value).toMatchObject({ kind: "lifecycle" });
      await expect.poll(() => mistakes.length).toBe(1);
    } finally {
      process.removeListener("uncaughtException", onUncaught);
      for (const listener of before) process.on("uncaughtException", listener);
    }
  });

  test("old daemon: registers by event id, and filters by guest here", async () => {
    const daemon = new Daemon({ modern: false });
    await using conn = await connected(daemon);
    await using all = await conn.domainEvents("lifecycle");
    await using one = await conn.domainEvents("lifecycle", { domain: new Domain(conn, db) });
    daemon.session.send(r.domainEventLifecycle, { dom: web, event: 0, detail: 0 });
    daemon.session.send(r.domainEventLifecycle, { dom: db, event: 1, detail: 0 });
    expect((await one.next()).value).toMatchObject({ event: 1 });
    expect((await all.next()).value).toMatchObject({ event: 0 });
    await one.close();
    await all.close();
    await using wakeups = await conn.domainEvents("pmwakeup");
    daemon.session.send(r.domainEventPmwakeup, { dom: web });
    expect((await wakeups.next()).value).toMatchObject({ kind: "pmwakeup", reason: 0 });
    expect(daemon.log).toEqual(["+old 0", "-old 0", "+old 11"]);
    await expect(conn.domainEvents("tunable")).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_NO_SUPPORT });
  });

  test("numbers: virDomainEventID or a name; an unknown one is refused", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    await conn.domainEventRegisterAny(null, VirDomainEventID.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, () => {});
    expect(daemon.log).toEqual(["+domain 16 all"]);
    await expect(conn.domainEventRegisterAny(null, 99, () => {})).rejects.toMatchObject({
      code: VirErrorNumber.VIR_ERR_NO_SUPPORT,
    });
  });

  test.each([
    [9_000_000n, VirErrorNumber.VIR_ERR_NO_SUPPORT, "DOMAIN_EVENT_NIC_MAC_CHANGE needs libvirt 11.2.0"],
    [11_002_000n, VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "unsupported event ID 27"],
    [undefined, VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "unsupported event ID 27"],
  ])("age: what a daemon of release %s calls an internal error is %i", async (libVer, code, text) => {
    await using conn = await connected(new Daemon(), {
      connectDomainEventCallbackRegisterAny: ({ eventID }) => {
        const detail = `unsupported event ID ${eventID}`;
        throw virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail);
      },
      ...(libVer === undefined ? {} : { connectGetLibVersion: () => ({ libVer }) }),
    });
    await expect(conn.domainEvents("nicMacChange")).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
  });

  test("ends: the stream rejects when the daemon goes, and is over when we close", async () => {
    const daemon = new Daemon();
    const conn = await connected(daemon);
    const events = await conn.domainEvents("lifecycle");
    const read = events.next();
    daemon.session.close();
    await expect(read).rejects.toMatchObject({ name: "TransportError" });

    const again = await connected(daemon);
    const quiet = await again.domainEvents("lifecycle");
    const last = quiet.next();
    await again.close();
    expect((await last).done).toBe(true);
  });

  test("closing: a stream of a connection that is gone has nothing to take back", async () => {
    const daemon = new Daemon();
    const conn = await connected(daemon);
    const events = await conn.domainEvents("lifecycle");
    const id = await conn.domainEventRegisterAny(null, "reboot", () => {});
    daemon.session.close();
    await conn.closed;
    await events.close();
    await conn.domainEventDeregisterAny(id);
    expect(daemon.log).toEqual(["+domain 0 all", "+domain 1 all"]);
  });

  test("reconnect: streams go on behind a gap, and ids of the lost connection are not used on the next", async () => {
    const daemon = new Daemon();
    let wake = () => {};
    await using conn = await lasting(daemon, () => new Promise((resolve) => (wake = resolve)));
    await conn.registerCloseCallback(() => {});
    const first = await conn.domainEvents("reboot");
    await using second = await conn.domainEvents("lifecycle");
    daemon.session.close();
    await expect.poll(() => conn.state).toBe("lost");
    await first.close(); // it had the id that the other one gets now
    wake();
    expect((await second.next()).value).toEqual({ kind: "gap", reason: "reconnect", missed: undefined });
    await expect.poll(() => daemon.log).toHaveLength(5);
    daemon.session.send(r.domainEventCallbackLifecycle, lifecycle(0, web, 1));
    expect((await second.next()).value).toMatchObject({ kind: "lifecycle", event: 1 });
    await conn.lookupDomainByName("web"); // all that waited has gone out before this
    const before = ["+close", "+domain 1 all", "+domain 0 all"];
    expect(daemon.log.slice(0, 3)).toEqual(before);
    expect(daemon.log.slice(3).toSorted()).toEqual(["+close", "+domain 0 all"]);
  });

  test("ids: of another kind of object is not this kind's", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    const id = await conn.domainEventRegisterAny(null, "lifecycle", () => {});
    await expect(conn.networkEventDeregisterAny(id)).rejects.toMatchObject({
      code: VirErrorNumber.VIR_ERR_INVALID_ARG,
    });
    await conn.domainEventDeregisterAny(id);
    expect(daemon.log).toEqual(["+domain 0 all", "-domain 0"]);
  });

  test("virConnectDomainEventRegister: the same listener twice is refused", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    const listener = () => {};
    await conn.domainEventRegister(listener);
    await expect(conn.domainEventRegister(listener)).rejects.toThrow("event callback already tracked");
    await conn.domainEventDeregister(listener);
    expect(daemon.log).toEqual(["+domain 0 all", "-domain 0"]);
    await expect(conn.domainEventDeregister(listener)).rejects.toThrow("not registered");
  });
});

describe("events of everything else", () => {
  test("each kind of object has callback ids of its own", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    const uuid = new Uint8Array(16).fill(9);
    await using networks = await conn.networkEvents("lifecycle");
    await using pools = await conn.storagePoolEvents("refresh");
    await using devices = await conn.nodeDeviceEvents("update");
    await using secrets = await conn.secretEvents("valueChanged");
    const { session } = daemon;
    session.send(r.networkEventLifecycle, { callbackID: 0, net: { name: "n", uuid }, event: 1, detail: 0 });
    session.send(r.storagePoolEventRefresh, { callbackID: 1, pool: { name: "p", uuid } });
    session.send(r.nodeDeviceEventUpdate, { callbackID: 2, dev: { name: "d" } });
    session.send(r.secretEventValueChanged, { callbackID: 3, secret: { uuid, usageType: 0, usageID: "s" } });
    const network = (await networks.next()).value;
    expect(network.kind === "lifecycle" && network.network.getName()).toBe("n");
    const pool = (await pools.next()).value;
    expect(pool.kind === "refresh" && pool.storagePool.getName()).toBe("p");
    const device = (await devices.next()).value;
    expect(device.kind === "update" && device.nodeDevice.getName()).toBe("d");
    const secret = (await secrets.next()).value;
    expect(secret.kind === "valueChanged" && secret.secret.getUUID()).toEqual(uuid);
    for (const stream of [networks, pools, devices, secrets]) await stream.close();
    expect(daemon.log.slice(4)).toEqual(["-network 0", "-pool 1", "-device 2", "-secret 3"]);
  });

  test("qemu monitor: by name and flags, each a registration of its own", async () => {
    const daemon = new Daemon();
    await using conn = await connected(daemon);
    await using shutdowns = await conn.qemuMonitorEvents({ event: "SHUTDOWN" });
    await using stops = await conn.qemuMonitorEvents({ event: "STOP", flags: 1 });
    const message = { dom: web, seconds: 1n, micros: 2, details: "{}" };
    daemon.session.send(domainMonitorEvent, { callbackID: 1, event: "STOP", ...message });
    daemon.session.send(domainMonitorEvent, { callbackID: 0, event: "SHUTDOWN", ...message });
    expect((await stops.next()).value).toMatchObject({
      kind: "qemuMonitor",
      event: "STOP",
      seconds: 1n,
      details: "{}",
    });
    expect((await shutdowns.next()).value).toMatchObject({ event: "SHUTDOWN" });
    expect(daemon.log).toEqual(["+monitor SHUTDOWN 0", "+monitor STOP 1"]);
  });

  test("close callback: the driver's loss is told, and so is our own end", async () => {
    const daemon = new Daemon();
    const conn = await connected(daemon);
    const reasons: number[] = [];
    const listener = (reason: number) => void reasons.push(reason);
    await conn.registerCloseCallback(listener);
    await expect(conn.registerCloseCallback(() => {})).rejects.toMatchObject({
      code: VirErrorNumber.VIR_ERR_OPERATION_INVALID,
    });
    daemon.session.send(r.connectEventConnectionClosed, { reason: 2 });
    await expect.poll(() => reasons).toEqual([2]);
    await conn.unregisterCloseCallback(listener);
    await conn.registerCloseCallback(listener);
    await conn.close();
    expect(reasons).toEqual([2, 3]);
    expect(daemon.log).toEqual(["+close", "-close", "+close"]);
  });
});
