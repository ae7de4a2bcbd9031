import { inspect } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { connect, connectTransport } from "../../src/api/index.ts";
import {
  domainEventLifecycle,
  domainGetInfo,
  domainLookupByName,
  type RemoteHandlers,
  remoteDescription,
} from "../../src/generated/remote/index.ts";
import {
  type CallContext,
  createServer,
  PerSession,
  type ServerOptions,
  type Session,
  serve,
} from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import { frame, join, str, words } from "../rpc/wire.ts";

const uuid = new Uint8Array(16);
const web = { name: "web", uuid, id: 1 };
const name = "test:///default";
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const basic: RemoteHandlers<CallContext> = {
  authList: () => ({ types: [0] }),
  connectOpen: () => {},
  connectClose: (_, { session }) => session.closeAfterReply(),
  connectSupportsFeature: () => ({ supported: 1 }),
  connectGetUri: () => ({ uri: name }),
  domainLookupByName: ({ name }) => ({ dom: { ...web, name } }),
};

function make(handlers: RemoteHandlers<CallContext> = {}, options: Partial<ServerOptions> = {}) {
  const server = createServer({ programs: [serve(remoteDescription, { ...basic, ...handlers })], ...options });
  const attach = () => {
    const [near, far] = pair();
    return { near, session: server.accept(far) as Session };
  };
  return { server, attach, open: () => connectTransport(attach().near, { name }) };
}

describe("sessions", () => {
  test("session/context: handlers learn who calls, and may keep something per connection", async () => {
    const seen = new PerSession<string[]>(() => []);
    const { server, open } = make({
      domainLookupByName: ({ name }, { session, procedure, signal }) => {
        expect(procedure.name).toBe("DOMAIN_LOOKUP_BY_NAME");
        expect(signal.aborted).toBe(false);
        expect(session.identity.transport).toBe("pair");
        seen.of(session).push(name);
        return { dom: { ...web, name: `${session.id}:${seen.of(session).join("+")}` } };
      },
    });
    const [one, two] = [await open(), await open()];
    const ask = async (conn: typeof one, name: string) => (await conn.call(domainLookupByName, { name })).dom.name;
    expect([await ask(one, "a"), await ask(one, "b"), await ask(two, "c")]).toEqual(["1:a", "1:a+b", "2:c"]);
    expect(server.sessions.map(({ id }) => id)).toEqual([1, 2]);
    await one.close();
    await two.close();
    await server.close();
  });

  test("session/gone: the signal aborts, onClose is called, the answer is dropped", async () => {
    let seen: CallContext | undefined;
    let answer = (_: { dom: typeof web }) => {};
    const { server, attach } = make({
      domainLookupByName: (_, context) => {
        seen = context;
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    });
    const { near, session } = attach();
    const raw = new RawEnd(near);
    raw.write(frame({ proc: 23 }, str("web")));
    while (seen === undefined) await turn();
    const closed = new Promise<Error | undefined>((resolve) => session.onClose(resolve));
    const aborted = new Promise((resolve) => session.signal.addEventListener("abort", resolve));
    await raw.close();
    expect(await closed).toMatchObject({ name: "TransportError" });
    await aborted;
    expect(seen.signal).toBe(session.signal);
    expect(seen.signal.reason).toBe(await closed);
    expect(server.sessions).toEqual([]);
    answer({ dom: web });
    await turn();
    await server.close();
  });

  test("session/events: sent to the client of the session", async () => {
    const { server, attach } = make();
    const { near, session } = attach();
    const conn = await connectTransport(near, { name });
    const heard = new Promise((resolve) => conn.on(domainEventLifecycle, resolve));
    expect(session.send(domainEventLifecycle, { dom: web, event: 2, detail: 0 })).toBe(true);
    expect(await heard).toEqual({ dom: web, event: 2, detail: 0 });
    await conn.close();
    expect(session.send(domainEventLifecycle, { dom: web, event: 2, detail: 0 })).toBe(false);
    await server.close();
  });

  test("session/event-filter: one that fails keeps its event back, also when its turn comes late or never", async () => {
    const { server, attach } = make();
    const { near, session } = attach();
    const conn = await connectTransport(near, { name });
    const heard: unknown[] = [];
    conn.on(domainEventLifecycle, ({ detail }) => heard.push(detail));
    let decide = () => {};
    const first = new Promise<boolean>((resolve) => {
      decide = () => resolve(true);
    });
    const verdicts = [first, Promise.reject(new Error("first")), Promise.resolve(true)];
    session.eventFilter = () => verdicts.shift() ?? Promise.reject(new Error("late"));
    for (let detail = 0; detail < 3; detail++) session.send(domainEventLifecycle, { dom: web, event: 2, detail });
    await new Promise((resolve) => setImmediate(resolve)); // when Node looks for rejections that nobody handles
    decide();
    await expect.poll(() => heard).toEqual([0, 2]);
    await conn.close();
    session.send(domainEventLifecycle, { dom: web, event: 2, detail: 3 });
    await server.close();
  });

  test("session/logged: what its listener has is not written out with it", async () => {
    const { server } = make();
    const session = server.accept(pair()[1], { keepAlive: { interval: 123_456, count: 5 } });
    expect(session?.listener.keepAlive).toEqual({ interval: 123_456, count: 5 });
    expect(inspect(session)).toContain("connectedAt");
    expect(inspect(session)).not.toContain("123456");
    await server.close();
  });

  test("session/close: by the server, in order", async () => {
    const { server, attach } = make();
    const { near, session } = attach();
    const conn = await connectTransport(near, { name });
    await session.close();
    expect(await conn.closed).toMatchObject({ code: "eof" });
    await server.close();
  });

  test("session/close-after-reply: the reply to CONNECT_CLOSE arrives, then the end; other calls are not waited for", async () => {
    const { server, attach } = make({ domainGetInfo: () => new Promise(() => {}) });
    const raw = new RawEnd(attach().near);
    raw.write(frame({ proc: 16, serial: 0 }, join(str("web"), uuid, words(1))), frame({ proc: 2, serial: 1 }));
    expect(await raw.expect()).toMatchObject({ proc: 2, serial: 1, status: 0 });
    expect(await raw.next()).toBeUndefined();
    await server.close();
  });

  test("session/close-after-reply: calls behind CONNECT_CLOSE are not read any more", async () => {
    const asked: string[] = [];
    const { server, attach } = make({
      domainLookupByName: ({ name }) => {
        asked.push(name);
        return { dom: web };
      },
    });
    const raw = new RawEnd(attach().near);
    raw.write(join(frame({ proc: 23 }, str("a")), frame({ proc: 2, serial: 1 }), frame({ proc: 23 }, str("b"))));
    expect([(await raw.expect()).proc, (await raw.expect()).proc, await raw.next()]).toEqual([23, 2, undefined]);
    expect(asked).toEqual(["a"]);
    await server.close();
  });
});

describe("handlers", () => {
  test("handler/throws: hurts only its call", async () => {
    const errors: unknown[] = [];
    const mistake = new Error("a mistake");
    const { server, open } = make(
      {
        domainGetInfo: () => {
          throw mistake;
        },
      },
      { onError: (error) => errors.push(error) },
    );
    const conn = await open();
    await expect(conn.call(domainGetInfo, { dom: web })).rejects.toMatchObject({
      name: "VirtError",
      code: 1,
      domain: 7,
    });
    expect((await conn.call(domainLookupByName, { name: "web" })).dom).toEqual(web);
    expect(errors).toEqual([mistake]);
    await conn.close();
    await server.close();
  });

  test("handler/never-answers: other calls of the connection go on, up to the limit", async () => {
    const { server, open } = make({ domainGetInfo: () => new Promise(() => {}) });
    const conn = await open();
    const stuck = [1, 2, 3].map(() => conn.call(domainGetInfo, { dom: web }).catch((error: unknown) => error));
    expect((await conn.call(domainLookupByName, { name: "web" })).dom).toEqual(web);
    await conn.close();
    for (const error of await Promise.all(stuck)) expect(error).toMatchObject({ name: "TransportError" });
    await server.close();
  });

  test("handler/five-in-progress: the sixth call is not read until one ends; another client is served meanwhile", async () => {
    const running: (() => void)[] = [];
    const { server, attach, open } = make({
      domainGetInfo: () =>
        new Promise((resolve) => {
          running.push(() => resolve({ state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 0n }));
        }),
    });
    const raw = new RawEnd(attach().near);
    const other = await open();
    for (let serial = 0; serial < 6; serial++) {
      raw.write(frame({ proc: 16, serial }, join(str("web"), uuid, words(1))));
    }
    while (running.length < 5) await turn();
    expect((await other.call(domainLookupByName, { name: "web" })).dom).toEqual(web);
    expect(running).toHaveLength(5);
    running[4]?.();
    expect((await raw.expect()).serial).toBe(4);
    while (running.length < 6) await turn();
    await other.close();
    await raw.close();
    await server.close();
  });
});

describe("limits", () => {
  test("limit/max-clients: further clients find silence until one leaves", async () => {
    const { server, attach } = make({}, { limits: { maxClients: 1 } });
    const first = new RawEnd(attach().near);
    const [near, far] = pair();
    expect(server.accept(far)).toBeUndefined();
    const second = new RawEnd(near);
    second.write(frame({ proc: 66 }));
    first.write(frame({ proc: 66 }));
    expect(await first.expect()).toMatchObject({ proc: 66, status: 0 });
    expect(second.bytes).toHaveLength(0);
    await first.close();
    expect(await second.expect()).toMatchObject({ proc: 66, status: 0 });
    await second.close();
    await server.close();
  });

  test("limit/max-queued-clients: of those that wait; further ones are closed", async () => {
    const { server, attach } = make({}, { limits: { maxClients: 1, maxQueuedClients: 1 } });
    const first = new RawEnd(attach().near);
    const waiting = new RawEnd(attach().near);
    const refused = new RawEnd(attach().near);
    expect(await refused.next()).toBeUndefined();
    await first.close();
    waiting.write(frame({ proc: 66 }));
    expect(await waiting.expect()).toMatchObject({ proc: 66, status: 0 });
    await waiting.close();
    await server.close();
  });

  test("limit/max-frame: a longer message ends the connection", async () => {
    const { server, attach } = make({}, { limits: { maxFrame: 100 } });
    const raw = new RawEnd(attach().near);
    raw.write(frame({ proc: 23 }, new Uint8Array(100)));
    expect(await raw.next()).toBeUndefined();
    await server.close();
  });

  test("limit/max-client-requests: a call waits for the one in progress", async () => {
    let finish = (_: { dom: typeof web }) => {};
    const started: string[] = [];
    const { server, attach } = make(
      {
        domainLookupByName: ({ name }) => {
          started.push(name);
          return new Promise((resolve) => {
            finish = resolve;
          });
        },
      },
      { limits: { maxClientRequests: 1 } },
    );
    const raw = new RawEnd(attach().near);
    raw.write(join(frame({ proc: 23 }, str("a")), frame({ proc: 23, serial: 1 }, str("b"))));
    while (started.length === 0) await turn();
    await turn();
    expect(started).toEqual(["a"]);
    finish({ dom: web });
    expect((await raw.expect()).serial).toBe(0);
    expect(started).toEqual(["a", "b"]);
    await raw.close();
    await server.close();
  });

  test("limit/slow-reader: a client that does not read its events is dropped, others go on", async () => {
    const { server, attach, open } = make({}, { limits: { maxQueuedEvents: 10_000 } });
    const { session } = attach(); // its end is never started
    const other = await open();
    while (session.send(domainEventLifecycle, { dom: web, event: 2, detail: 0 }));
    expect(session.signal.reason).toMatchObject({ name: "ProtocolError", code: "send-queue" });
    expect((await other.call(domainLookupByName, { name: "web" })).dom).toEqual(web);
    await other.close();
    await server.close();
  });
});

describe("the end of a server", () => {
  test("close/at-once: calls in progress fail, their handlers are aborted", async () => {
    let aborted = false;
    const { server, open } = make({
      domainGetInfo: (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            aborted = true;
            reject(signal.reason as Error);
          });
        }),
    });
    const conn = await open();
    const call = conn.call(domainGetInfo, { dom: web });
    const failed = expect(call).rejects.toMatchObject({ name: "TransportError" });
    await conn.call(domainLookupByName, { name: "web" });
    await server.close();
    await failed;
    expect(aborted).toBe(true);
    expect(server.sessions).toEqual([]);
  });

  test("close/drain: calls in progress are answered first", async () => {
    let finish = () => {};
    const { server, open } = make({
      domainGetInfo: () =>
        new Promise((resolve) => {
          finish = () => resolve({ state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 0n });
        }),
    });
    const conn = await open();
    const call = conn.call(domainGetInfo, { dom: web });
    await conn.call(domainLookupByName, { name: "web" });
    const closing = server.close({ drain: 10_000 });
    finish();
    expect((await call).state).toBe(1);
    await closing;
    expect(await conn.closed).toMatchObject({ code: "eof" });
  });

  test("close/drain-has-an-end: a call that does not end holds nothing up for longer", async () => {
    const { server, open } = make({ domainGetInfo: () => new Promise(() => {}) });
    const conn = await open();
    const failed = expect(conn.call(domainGetInfo, { dom: web })).rejects.toMatchObject({ code: "eof" });
    await conn.call(domainLookupByName, { name: "web" });
    await server.close({ drain: 5 });
    await failed;
  });

  test("close/drain-without-end: Infinity is no short time", async () => {
    vi.useFakeTimers();
    try {
      let finish = () => {};
      const { server, attach } = make({
        domainGetInfo: () =>
          new Promise((resolve) => {
            finish = () => resolve({ state: 1, maxMem: 1n, memory: 1n, nrVirtCpu: 1, cpuTime: 0n });
          }),
      });
      const raw = new RawEnd(attach().near);
      raw.write(join(frame({ proc: 66 }), frame({ proc: 16, serial: 1 }, join(str("web"), uuid, words(1)))));
      expect((await raw.expect()).proc).toBe(66);
      const closing = server.close({ drain: Number.POSITIVE_INFINITY });
      await vi.advanceTimersByTimeAsync(60_000);
      finish();
      expect(await raw.expect()).toMatchObject({ proc: 16, serial: 1, status: 0 });
      await closing;
    } finally {
      vi.useRealTimers();
    }
  });

  test("close/accept-after: a transport is closed at once", async () => {
    const { server } = make();
    await server.close();
    const [near, far] = pair();
    expect(server.accept(far)).toBeUndefined();
    expect(await new RawEnd(near).next()).toBeUndefined();
    await server.close();
    await expect(server.listen()).rejects.toThrow("closed");
  });

  test("close/dispose and over TCP", async () => {
    const { server } = make({}, { listen: ["tcp://127.0.0.1:0"] });
    await server.listen();
    const [address] = server.addresses;
    expect(address).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const conn = await connect(`test+${address}/default`);
    expect((await conn.remote.domainLookupByName({ name: "web" })).dom).toEqual(web);
    await server[Symbol.asyncDispose]();
    expect(await conn.closed).toMatchObject({ name: "TransportError" });
    await expect(connect(`test+${address}/default`)).rejects.toMatchObject({ code: "connect" });
  });
});

test.each([
  { interval: 0, count: 5 },
  { interval: 5, count: -1 },
])("server/keepalive-senseless: %j", (keepAlive) => {
  expect(() => createServer({ programs: [], keepAlive })).toThrow(TypeError);
});
