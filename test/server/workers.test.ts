import { describe, expect, test, vi } from "vitest";
import { type RemoteHandlers, remoteDescription } from "../../src/generated/remote/index.ts";
import {
  type CallContext,
  createServer,
  type ListenerSettings,
  type ServerLimits,
  type ServerOptions,
  type Session,
  serve,
} from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import { frame, join, str, words } from "../rpc/wire.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const info = { state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 0n };
const dom = { name: "web", uuid: new Uint8Array(16), id: 1 };

/** DOMAIN_CREATE (9) has no priority, DOMAIN_LOOKUP_BY_NAME (23) a high one. */
const low = (serial: number) => frame({ proc: 9, serial }, join(str("web"), new Uint8Array(16), words(1)));
const high = (serial: number, name = "web") => frame({ proc: 23, serial }, str(name));

function make(handlers: RemoteHandlers<CallContext>, options: Partial<ServerOptions> = {}) {
  const server = createServer({
    programs: [serve(remoteDescription, { authList: () => ({ types: [0] }), ...handlers })],
    ...options,
  });
  const attach = () => {
    const [near, far] = pair();
    const session = server.accept(far) as Session;
    return { raw: new RawEnd(near), session };
  };
  return { server, attach };
}

/** Handlers that wait until the test lets them go. */
function gate() {
  const running: { name: string; finish: () => void; fail: (error: Error) => void }[] = [];
  const wait = (name: string) =>
    new Promise<void>((finish, fail) => {
      running.push({ name, finish, fail });
    });
  const handlers: RemoteHandlers<CallContext> = {
    domainCreate: () => wait("low"),
    domainLookupByName: ({ name }) => wait(name).then(() => ({ dom })),
    domainGetInfo: () => info,
  };
  return { running, handlers };
}

test("the procedures of these tests have the priority that they stand for", () => {
  expect(remoteDescription.procedures.domainCreate).toMatchObject({ number: 9, priority: "low" });
  expect(remoteDescription.procedures.domainLookupByName).toMatchObject({ number: 23, priority: "high" });
});

describe("workers", () => {
  test("workers/max: what is above waits, in the order it came", async () => {
    const { running, handlers } = gate();
    const { server, attach } = make(handlers, { limits: { maxWorkers: 2, priorityWorkers: 0 } });
    const { raw } = attach();
    const { raw: other } = attach();
    raw.write(high(0, "a"), high(1, "b"), high(2, "c"));
    while (server.workers.jobQueueDepth < 1) await turn();
    other.write(high(0, "d"));
    while (server.workers.jobQueueDepth < 2) await turn();
    expect(running.map(({ name }) => name)).toEqual(["a", "b"]);
    running[1]?.finish();
    while (running.length < 3) await turn();
    running[0]?.finish();
    while (running.length < 4) await turn();
    expect(running.map(({ name }) => name)).toEqual(["a", "b", "c", "d"]);
    expect(server.workers.jobQueueDepth).toBe(0);
    await raw.close();
    await other.close();
    await server.close();
  });

  test("workers/priority: procedures of high priority do not wait behind slow ones; they too have a limit", async () => {
    const { running, handlers } = gate();
    const { server, attach } = make(handlers, { limits: { maxWorkers: 1, minWorkers: 1, priorityWorkers: 1 } });
    const { raw } = attach();
    raw.write(low(0), low(1), high(2, "a"), high(3, "b"));
    while (running.length < 2) await turn();
    expect(running.map(({ name }) => name)).toEqual(["low", "a"]);
    expect(server.workers).toEqual({
      minWorkers: 1,
      maxWorkers: 1,
      priorityWorkers: 1,
      workers: 1,
      freeWorkers: 0,
      jobQueueDepth: 2,
    });
    // The place of the high one is free for the next high one, though a low one came before it.
    running[1]?.finish();
    while (running.length < 3) await turn();
    expect(running[2]?.name).toBe("b");
    running[2]?.finish();
    running[0]?.finish();
    while (running.length < 4) await turn();
    expect(running[3]?.name).toBe("low");
    await raw.close();
    await server.close();
  });

  test("workers/fair: calls of high priority that never stop coming hold nobody else up for ever", async () => {
    const { running, handlers } = gate();
    const { server, attach } = make(handlers, { limits: { maxWorkers: 1, minWorkers: 1, priorityWorkers: 1 } });
    const { raw } = attach();
    raw.write(high(0, "a"), high(1, "b"), low(2), high(3, "c"), high(4, "d"));
    while (server.workers.jobQueueDepth < 3) await turn();
    expect(running.map(({ name }) => name)).toEqual(["a", "b"]);
    running[0]?.finish(); // whose worker is one for everything
    while (running.length < 3) await turn();
    expect(running[2]?.name).toBe("low");
    running[1]?.finish();
    while (running.length < 4) await turn();
    expect(running[3]?.name).toBe("c");
    await raw.close();
    await server.close();
  });

  test("workers/at-once: a handler that answers at once occupies nobody", async () => {
    const { server, attach } = make({ domainGetInfo: () => info }, { limits: { maxWorkers: 1, minWorkers: 0 } });
    const { raw } = attach();
    const call = (serial: number) => frame({ proc: 16, serial }, join(str("web"), new Uint8Array(16), words(1)));
    raw.write(join(...[0, 1, 2].map(call)));
    for (const serial of [0, 1, 2]) expect((await raw.expect()).serial).toBe(serial);
    expect(server.workers).toMatchObject({ workers: 0, freeWorkers: 0, jobQueueDepth: 0 });
    await raw.close();
    await server.close();
  });

  test.each(["finishes", "fails", "throws"])("workers/back: one whose handler %s is free again", async (how) => {
    const { running, handlers } = gate();
    const domainLookupByName = () => {
      throw new Error("a mistake");
    };
    const { server, attach } = make(how === "throws" ? { ...handlers, domainLookupByName } : handlers, {
      limits: { maxWorkers: 1, minWorkers: 0, priorityWorkers: 0 },
    });
    const { raw } = attach();
    raw.write(high(0));
    if (how !== "throws") {
      while (running.length < 1) await turn();
      expect(server.workers).toMatchObject({ workers: 1, freeWorkers: 0 });
    }
    if (how === "finishes") running[0]?.finish();
    if (how === "fails") running[0]?.fail(new Error("a mistake"));
    expect(await raw.expect()).toMatchObject({ serial: 0, status: how === "finishes" ? 0 : 1 });
    expect(server.workers).toMatchObject({ workers: 0, freeWorkers: 0 });
    await raw.close();
    await server.close();
  });

  test("workers/gone: a client's handlers that never end keep no worker, and its calls that wait are dropped", async () => {
    const { running, handlers } = gate();
    const errors: unknown[] = [];
    const { server, attach } = make(handlers, {
      limits: { maxWorkers: 2, priorityWorkers: 0 },
      onError: (error) => errors.push(error),
    });
    const { raw, session } = attach();
    const { raw: other } = attach();
    raw.write(high(0, "a"), high(1, "b"), high(2, "c"));
    while (server.workers.jobQueueDepth < 1) await turn();
    const closed = new Promise((resolve) => session.onClose(resolve));
    await raw.close();
    await closed;
    expect(server.workers).toMatchObject({ workers: 2, freeWorkers: 2, jobQueueDepth: 0 });
    other.write(high(0, "d"));
    while (running.length < 3) await turn();
    expect(running.map(({ name }) => name)).toEqual(["a", "b", "d"]);
    // Their late end frees nothing twice.
    running[0]?.finish();
    running[1]?.finish();
    await turn();
    expect(server.workers).toMatchObject({ workers: 2, freeWorkers: 1 });
    expect(errors).toEqual([]);
    await other.close();
    await server.close();
  });
});

describe("handlers that take too long", () => {
  test("workers/stuck: one that has not answered in its time keeps no worker from others; its answer still counts", async () => {
    const { running, handlers } = gate();
    const limits = { maxWorkers: 1, minWorkers: 1, priorityWorkers: 0, maxWorkerTime: 20 };
    const { server, attach } = make(handlers, { limits });
    const { raw } = attach();
    const { raw: other } = attach();
    raw.write(high(0, "a"));
    while (running.length < 1) await turn();
    other.write(high(0, "b"));
    while (running.length < 2) await turn();
    expect(running.map(({ name }) => name)).toEqual(["a", "b"]);
    running[0]?.finish();
    expect(await raw.expect()).toMatchObject({ serial: 0, status: 0 });
    expect(server.workers).toMatchObject({ workers: 1, freeWorkers: 0 });
    running[1]?.finish();
    expect(await other.expect()).toMatchObject({ serial: 0, status: 0 });
    expect(server.workers).toMatchObject({ workers: 1, freeWorkers: 1 });
    await server.close();
  });

  test("workers/stuck-gone: a client that goes with as many calls in progress as there may be is noticed", async () => {
    const { running, handlers } = gate();
    const { server, attach } = make(handlers);
    const { raw, session } = attach();
    for (let serial = 0; serial < 7; serial++) raw.write(high(serial));
    while (running.length < 5) await turn();
    const closed = new Promise((resolve) => session.onClose(resolve));
    await raw.transport.close();
    await closed;
    expect(server.sessions).toEqual([]);
    await server.close();
  });
});

describe("limits that change", () => {
  test("limits/worker-time: a handler that may now keep its worker for ever does, though its time ran", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      const limits = { maxWorkers: 1, minWorkers: 1, priorityWorkers: 0, maxWorkerTime: 10 };
      const { running, handlers } = gate();
      const { server, attach } = make(handlers, { limits });
      const { raw } = attach();
      raw.write(low(0), high(1, "a"));
      while (server.workers.jobQueueDepth < 1) await turn();
      server.setLimits({ maxWorkerTime: 0 });
      vi.advanceTimersByTime(1000);
      for (let i = 0; i < 5; i++) await turn();
      expect(running.map(({ name }) => name)).toEqual(["low"]);
      running[0]?.finish();
      while (running.length < 2) await turn();
      await raw.close();
      await server.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test("limits/defaults: libvirtd's", () => {
    const { server } = make({});
    expect(server.limits).toMatchObject({
      maxClients: 5000,
      maxAnonymousClients: 20,
      maxQueuedClients: 1000,
      maxClientRequests: 5,
      minWorkers: 5,
      maxWorkers: 20,
      priorityWorkers: 5,
    });
  });

  test("limits/workers: more of them start what waits", async () => {
    const { running, handlers } = gate();
    const { server, attach } = make(handlers, { limits: { maxWorkers: 1, priorityWorkers: 0 } });
    const { raw } = attach();
    raw.write(low(0), low(1), low(2));
    while (server.workers.jobQueueDepth < 2) await turn();
    server.setLimits({ maxWorkers: 2, minWorkers: 2 });
    while (running.length < 2) await turn();
    expect(server.workers).toMatchObject({ minWorkers: 2, maxWorkers: 2, jobQueueDepth: 1 });
    await raw.close();
    await server.close();
  });

  test("limits/requests: of connections that are there, too", async () => {
    const { running, handlers } = gate();
    const { server, attach } = make(handlers, { limits: { maxClientRequests: 1 } });
    const { raw } = attach();
    raw.write(high(0), high(1), high(2));
    while (running.length < 1) await turn();
    for (let i = 0; i < 3; i++) await turn();
    expect(running).toHaveLength(1);
    server.setLimits({ maxClientRequests: 2 });
    while (running.length < 2) await turn();
    for (let i = 0; i < 3; i++) await turn();
    expect(running).toHaveLength(2);
    await raw.close();
    await server.close();
  });

  test("limits/clients: those that wait are served when there may be more", async () => {
    const { server, attach } = make({}, { limits: { maxClients: 1 } });
    attach();
    const { raw } = attach();
    raw.write(frame({ proc: 66 }));
    expect(server.clients).toEqual({ served: 1, anonymous: 0, waiting: 1 });
    server.setLimits({ maxClients: 2 });
    expect(await raw.expect()).toMatchObject({ proc: 66, status: 0 });
    expect(server.clients).toEqual({ served: 2, anonymous: 0, waiting: 0 });
    await server.close();
  });

  test.each([
    [{ maxClients: 0 }],
    [{ maxWorkers: 1.5 }],
    [{ maxQueuedClients: -1 }],
    [{ maxClientRequests: 0 }],
    [{ maxAnonymousClients: 5001 }],
    [{ minWorkers: 21 }],
    [{ noSuchLimit: 1 } as ServerLimits],
  ] as [ServerLimits][])("limits/senseless: %j changes nothing", (changes) => {
    const { server } = make({});
    const before = server.limits;
    expect(() => server.setLimits(changes)).toThrow(TypeError);
    expect(server.limits).toBe(before);
    expect(() => make({}, { limits: changes })).toThrow(TypeError);
  });
});

describe("clients that have not logged in", () => {
  const login: ListenerSettings = { auth: "polkit" };

  test("limit/max-anonymous-clients: further ones wait until one leaves or logs in; listeners without login do not", async () => {
    const { server } = make({}, { limits: { maxAnonymousClients: 2 } });
    const attach = (settings: ListenerSettings = {}) => {
      const [near, far] = pair();
      return { raw: new RawEnd(near), session: server.accept(far, settings) };
    };
    const first = attach(login);
    const second = attach(login);
    const third = attach(login);
    const fourth = attach(login);
    const open = attach();
    expect([first, second, third, fourth, open].map(({ session }) => session?.authenticated)).toEqual([
      false,
      false,
      undefined,
      undefined,
      true,
    ]);
    expect(server.clients).toEqual({ served: 3, anonymous: 2, waiting: 2 });
    (first.session as Session).authenticated = true;
    expect(server.clients).toEqual({ served: 4, anonymous: 2, waiting: 1 });
    await second.raw.close();
    while (server.clients.waiting > 0) await turn();
    expect(server.clients).toEqual({ served: 4, anonymous: 2, waiting: 0 });
    third.raw.write(frame({ proc: 16 }, join(str("web"), new Uint8Array(16), words(1))));
    expect(await third.raw.expect()).toMatchObject({ proc: 16, status: 1 });
    await server.close();
    expect(server.clients).toEqual({ served: 0, anonymous: 0, waiting: 0 });
  });
});

test("limit/anonymous-late: a login that ends when its client has gone, or is taken back, counts nobody twice", async () => {
  const { server } = make({}, { limits: { maxAnonymousClients: 1 } });
  const settings: ListenerSettings = { auth: "polkit" };
  const attach = () => {
    const [near, far] = pair();
    return { raw: new RawEnd(near), session: server.accept(far, settings) };
  };
  const gone = attach();
  await gone.raw.close();
  while (server.clients.served > 0) await turn();
  (gone.session as Session).authenticated = true;
  expect(gone.session?.authenticated).toBe(false);
  expect(server.clients.anonymous).toBe(0);
  const stays = attach();
  (stays.session as Session).authenticated = true;
  (stays.session as Session).authenticated = false;
  expect(stays.session?.authenticated).toBe(true);
  await stays.raw.close();
  while (server.clients.served > 0) await turn();
  expect(server.clients.anonymous).toBe(0);
  expect([attach(), attach()].map(({ session }) => session?.authenticated)).toEqual([false, undefined]);
  await server.close();
});

describe("read-only listeners", () => {
  test("session/read-only: from the start, and nothing makes it read-write", async () => {
    const { server } = make({});
    const session = server.accept(pair()[1], { readOnly: true }) as Session;
    expect(session.readOnly).toBe(true);
    session.readOnly = false;
    expect(session.readOnly).toBe(true);
    await server.close();
  });
});

describe("closing twice", () => {
  test("close/cut: a second close waits for nobody", async () => {
    const { server, attach } = make({ domainCreate: () => new Promise(() => {}) });
    const { raw, session } = attach();
    raw.write(low(0));
    while (server.workers.freeWorkers === 5) await turn();
    const first = server.close({ drain: 3_600_000 });
    await turn();
    expect(session.closed).toBe(false);
    await server.close();
    expect(session.closed).toBe(true);
    await first;
    expect(await raw.next()).toBeUndefined();
  });
});
