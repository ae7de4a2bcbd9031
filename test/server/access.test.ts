/** Rules, events, and where a policy's answers come late. The table of all rights is in access-table.test.ts. */
import { describe, expect, onTestFinished, test } from "vitest";
import { type Connection, connectTransport } from "../../src/api/index.ts";
import {
  connectDomainEventCallbackRegisterAny,
  domainEventCallbackLifecycle,
  RemoteClient,
  remoteDescription,
} from "../../src/generated/remote/index.ts";
import { createMemoryHypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { Peer } from "../../src/rpc/index.ts";
import {
  type AccessPolicy,
  type AccessRequest,
  type AccessRule,
  type AuditEvent,
  accessRules,
  allowAll,
  type ClientIdentity,
  createServer,
  type Session,
  serve,
} from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { guestXml, startGuest } from "../hypervisor/hosts.ts";

const other = "6695eb01-f6a4-8304-79aa-97f2502e1930";

const request = (right: string, client: ClientIdentity = {}, target: AccessRequest["target"] = {}): AccessRequest => {
  const [object = "", permission = ""] = right.split(":");
  return { object, permission, client, target, driver: "test", signal: new AbortController().signal };
};

describe("rules", () => {
  const asks = (rules: readonly AccessRule[], ...what: Parameters<typeof request>) =>
    accessRules(rules).allows(request(...what));

  test("without a rule that speaks of it, everything is refused", () => {
    expect(asks([], "connect:getattr")).toBe(false);
    expect(asks([{ rights: ["domain:read"] }], "domain:write")).toBe(false);
    expect(asks([{ rights: ["domain:*"] }], "gadget:frob")).toBe(false);
  });

  test("rights are globs", () => {
    for (const [glob, right, allowed] of [
      ["*", "domain:write", true],
      ["domain:*", "domain:write", true],
      ["domain:*", "network:write", false],
      ["*:getattr", "secret:getattr", true],
      ["*:read", "domain:read_secure", false],
      ["domain:read*", "domain:read_secure", true],
    ] as const) {
      expect(asks([{ rights: [glob] }], right), `${glob} ${right}`).toBe(allowed);
    }
  });

  test.each([
    [{ unixUsers: ["al*"] }, { unixUserName: "alice" }, { saslUserName: "alice" }],
    [{ unixUsers: ["1001"] }, { unixUserId: 1001 }, { unixUserId: 1002 }],
    [{ unixGroups: ["libvirt"] }, { unixGroups: ["users", "libvirt"] }, { unixGroups: ["users"] }],
    [{ saslUsers: ["alice"] }, { saslUserName: "alice" }, { unixUserName: "alice" }],
    [{ certificates: ["C=GB,*"] }, { tlsDistinguishedName: "C=GB,CN=cli" }, { tlsDistinguishedName: "C=DE,CN=cli" }],
    [{ saslUsers: ["alice"], unixUsers: ["root"] }, { unixUserName: "root" }, {}],
    [{ unixUsers: [] }, undefined, { unixUserName: "root" }],
  ] as const)("%o is for %o, not for %o", (who, meant, other) => {
    const rules = [{ ...who, rights: ["*"] }];
    if (meant !== undefined) expect(asks(rules, "domain:read", meant)).toBe(true);
    expect(asks(rules, "domain:read", other)).toBe(false);
  });

  test("names and UUIDs of objects, and what they are in", () => {
    const rules = [
      { rights: ["domain:*"], names: ["web-*", "6695eb01-*"] },
      { rights: ["storage_vol:*"], within: ["pool-a"] },
      { rights: ["network_port:*"], within: ["lan"], names: ["aaaa*"] },
    ];
    const uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f";
    expect(asks(rules, "domain:read", {}, { name: "web-1" })).toBe(true);
    expect(asks(rules, "domain:read", {}, { name: "db", uuid })).toBe(true);
    expect(asks(rules, "domain:read", {}, { name: "db" })).toBe(false);
    expect(asks(rules, "storage_vol:read", {}, { name: "v", pool: "pool-a" })).toBe(true);
    expect(asks(rules, "storage_vol:read", {}, { name: "v", pool: "pool-b" })).toBe(false);
    expect(asks(rules, "network_port:read", {}, { uuid: "aaaa", network: "lan" })).toBe(true);
    expect(asks(rules, "network_port:read", {}, { uuid: "bbbb", network: "lan" })).toBe(false);
  });

  test("an object that nobody knows beforehand: rules with names do not give, and do take away", () => {
    expect(asks([{ rights: ["*"], names: ["*"] }], "domain:start")).toBe(false);
    const rules = [{ deny: true, rights: ["domain:*"], names: ["secret"] }, { rights: ["*"] }];
    expect(asks(rules, "domain:start")).toBe(false);
    expect(asks(rules, "domain:start", {}, { name: "other" })).toBe(true);
    expect(asks(rules, "domain:start", {}, { name: "secret" })).toBe(false);
    expect(asks(rules, "connect:read")).toBe(true); // the connection has no name that could be meant
  });

  test("a rule that takes away means an object whose name is not known, and a client that may be anybody", () => {
    const hidden = [{ deny: true, rights: ["*"], names: ["secret"] }, { rights: ["*"] }];
    expect(asks(hidden, "domain:start", {}, { uuid: other })).toBe(false);
    expect(asks(hidden, "secret:read", {}, { uuid: other })).toBe(true); // secrets have no names
    for (const who of [{ unixUsers: ["eve"] }, { unixGroups: ["guests"] }]) {
      const policy = accessRules([{ ...who, deny: true, rights: ["*"] }, { rights: ["*"] }]);
      expect(policy.allows(request("domain:start", { saslUserName: "bob" }))).toBe(true);
      expect(policy.allows({ ...request("domain:start", { saslUserName: "bob" }), unidentified: true })).toBe(false);
    }
    const given = accessRules([{ unixUsers: ["*"], rights: ["*"] }]);
    expect(given.allows({ ...request("domain:start"), unidentified: true })).toBe(false);
  });

  test("the first rule that speaks of a call decides", () => {
    const rules: AccessRule[] = [
      { saslUsers: ["eve"], deny: true, rights: ["*"] },
      { rights: ["domain:read"] },
      { deny: true, rights: ["domain:read"] },
    ];
    expect(asks(rules, "domain:read", { saslUserName: "bob" })).toBe(true);
    expect(asks(rules, "domain:read", { saslUserName: "eve" })).toBe(false);
  });

  test.each([
    [{ rights: ["domain:reed"] }, "rights: there is none like domain:reed"],
    [{ rights: ["gadget"] }, "rights: there is none like gadget"],
    [{ rights: "domain:read" }, "rights"],
    [{ right: ["domain:read"] }, "right:"],
    [{}, "rights: missing"],
    [{ rights: ["*"], deny: "yes" }, "deny"],
    [{ rights: ["*"], names: [1] }, "names"],
    [null, "not an object"],
  ])("%j is no rule, and the error names what is wrong", (rule, words) => {
    expect(() => accessRules([{ rights: ["gadget:frob"] }, rule as AccessRule])).toThrow(`access rule 2: ${words}`);
  });
});

async function serving(access?: AccessPolicy) {
  const events: AuditEvent[] = [];
  const hypervisor = createMemoryHypervisor();
  const programs = [remoteProgram(hypervisor)];
  const onAudit = (event: AuditEvent) => events.push(event);
  const server = createServer({ programs, onAudit, auditAllowed: true, ...(access && { access }) });
  const free = createServer({ programs });
  onTestFinished(async () => {
    await server.close();
    await free.close();
    await hypervisor.close();
  });
  const connect = async (to = server): Promise<[Connection, Session]> => {
    const [near, far] = pair();
    const session = to.accept(far)!;
    return [await connectTransport(near, { name: "test:///default" }), session];
  };
  return { events, connect, server, free };
}

test("a client cannot give a guest another name than it has", async () => {
  const { connect, free } = await serving(
    accessRules([{ rights: ["connect:*"] }, { rights: ["domain:*"], names: ["mine"] }]),
  );
  const [{ remote: boss }] = await connect(free);
  const { dom } = await boss.domainDefineXml({ xml: guestXml({ name: "yours", uuid: other }) });
  const [{ remote }] = await connect();
  const denied = { code: 88, domain: 55, message: "access denied: 'virtwire' denied access" };
  await expect(remote.domainCreate({ dom: { ...dom, name: "mine" } })).rejects.toMatchObject(denied);
  await expect(remote.domainDefineXml({ xml: guestXml({ name: "yours", uuid: other }) })).rejects.toMatchObject(denied);
  await expect(remote.domainLookupByName({ name: "yours" })).rejects.toMatchObject(denied);
  await expect(remote.domainLookupByName({ name: "none" })).rejects.toMatchObject({ code: 42 });
  const mine = await remote.domainDefineXml({ xml: guestXml({ name: "mine" }) });
  await remote.domainCreate({ dom: { ...mine.dom, name: "yours" } });
  const { domains } = await remote.connectListAllDomains({ needResults: 1, flags: 0 });
  expect(domains.map(({ name }) => name)).toEqual(["mine"]);
});

test.each(["at once", "by promise"])(
  "events of guests that a client may not see do not come: a policy that answers %s",
  async (how) => {
    const rules = accessRules([{ rights: ["connect:*"] }, { rights: ["domain:*"], names: ["mine"] }]);
    const allows = (asked: AccessRequest) =>
      how === "at once" ? rules.allows(asked) : Promise.resolve(rules.allows(asked));
    const { free, server } = await serving({ allows });
    const [near, far] = pair();
    server.accept(far);
    const peer = new Peer(near);
    const heard: string[] = [];
    peer.on(domainEventCallbackLifecycle, ({ msg }) => heard.push(`${msg.dom.name} ${msg.event}`));
    await new RemoteClient(peer).connectOpen({ name: "test:///default", flags: 0 });
    await peer.call(connectDomainEventCallbackRegisterAny, { eventID: 0, dom: null });
    const [bossNear, bossFar] = pair();
    free.accept(bossFar);
    const boss = await connectTransport(bossNear, { name: "test:///default" });
    await startGuest(boss, { name: "yours", uuid: other });
    const dom = await startGuest(boss, { name: "mine" });
    await boss.remote.domainSuspend({ dom });
    await boss.remote.domainDestroy({ dom });
    await new RemoteClient(peer).connectGetType(); // what was sent before has arrived
    const names = new Set(heard.map((line) => line.split(" ")[0]));
    expect([...names]).toEqual(["mine"]);
    expect(heard).toEqual(["mine 0", "mine 2", "mine 3", "mine 5"]); // defined, started, suspended, stopped
    await peer.close();
  },
);

test("events stay in order where the answers do not", async () => {
  const answers: ((allowed: boolean) => void)[] = [];
  const { server } = await serving();
  const [near, far] = pair();
  const session = server.accept(far)!;
  session.eventFilter = () => new Promise((resolve) => answers.push(resolve));
  const peer = new Peer(near);
  const heard: number[] = [];
  const all = new Promise<void>((resolve) => {
    peer.on(domainEventCallbackLifecycle, ({ callbackID }) => {
      heard.push(callbackID);
      if (callbackID === 3) resolve();
    });
  });
  const dom = { name: "x", uuid: new Uint8Array(16), id: 1 };
  for (const callbackID of [0, 1, 2, 3]) {
    session.send(domainEventCallbackLifecycle, { callbackID, msg: { dom, event: 0, detail: 0 } });
  }
  answers[3]?.(true);
  answers[1]?.(false);
  answers[2]?.(true);
  answers[0]?.(true);
  await all;
  expect(heard).toEqual([0, 2, 3]);
  await peer.close();
});

test("a client whose events nobody decides on is dropped, with a bound on what waits", async () => {
  const { server } = await serving();
  const [near, far] = pair();
  const session = server.accept(far)!;
  session.eventFilter = () => new Promise(() => {});
  const peer = new Peer(near);
  const dom = { name: "x", uuid: new Uint8Array(16), id: 1 };
  let sent = 0;
  while (session.send(domainEventCallbackLifecycle, { callbackID: 0, msg: { dom, event: 0, detail: 0 } })) {
    if (++sent > 10_000) break;
  }
  expect(sent).toBe(4096);
  await peer.closed;
});

test("audit: what was denied, and on demand what was allowed", async () => {
  const { connect, events } = await serving(accessRules([{ rights: ["connect:*"] }]));
  const [{ remote }, session] = await connect();
  await remote.connectGetCapabilities();
  await expect(remote.domainDefineXml({ xml: guestXml({ name: "web" }) })).rejects.toMatchObject({ code: 88 });
  const about = { session: session.id, address: "pair:", identity: {} };
  expect(events).toContainEqual({
    type: "allowed",
    ...about,
    procedure: "CONNECT_GET_CAPABILITIES",
    right: "connect:read",
  });
  expect(events.at(-1)).toEqual({
    type: "denied",
    ...about,
    procedure: "DOMAIN_DEFINE_XML",
    right: "domain:write",
    object: "web",
  });
  expect(JSON.parse(JSON.stringify(events))).toEqual(events);
});

test("audit: names that clients make up are cut", async () => {
  const { connect, events } = await serving(accessRules([{ rights: ["connect:*"] }]));
  const [{ remote }] = await connect();
  const xml = guestXml({ name: "x".repeat(1000) });
  await expect(remote.domainDefineXml({ xml })).rejects.toMatchObject({ code: 88 });
  expect(events.at(-1)).toMatchObject({ object: "x".repeat(256) });
});

/** A policy that lets everybody do everything, but thinks about it as long as a test likes where it is about that right. */
function thinking(right: string) {
  const asked: { readonly request: AccessRequest; readonly answer: (allowed: boolean) => void }[] = [];
  let told = () => {};
  const allows = (request: AccessRequest): boolean | Promise<boolean> => {
    if (`${request.object}:${request.permission}` !== right) return true;
    return new Promise((answer) => {
      asked.push({ request, answer });
      told();
    });
  };
  const next = async () => {
    while (asked.length === 0) await new Promise<void>((resolve) => (told = resolve));
    return asked.shift()!;
  };
  return { allows, next };
}

test("a guest that gets another name while the policy thinks is another question", async () => {
  const { allows, next } = thinking("domain:start");
  const { connect, free } = await serving({ allows });
  const [{ remote: boss }] = await connect(free);
  const { dom } = await boss.domainDefineXml({ xml: guestXml({ name: "mine" }) });
  const [{ remote }] = await connect();
  const starting = remote.domainCreate({ dom });
  const first = await next();
  expect(first.request.target.name).toBe("mine");
  await boss.domainRename({ dom, newName: "yours", flags: 0 });
  first.answer(true);
  const second = await next();
  expect(second.request.target.name).toBe("yours");
  second.answer(false);
  await expect(starting).rejects.toMatchObject({ code: 88 });
});

test("what a client asked for that has gone while the policy thought is not done", async () => {
  const { allows, next } = thinking("domain:start");
  const { connect, free } = await serving({ allows });
  const [{ remote: boss }] = await connect(free);
  const { dom } = await boss.domainDefineXml({ xml: guestXml({ name: "mine" }) });
  const [connection, session] = await connect();
  const starting = expect(connection.remote.domainCreate({ dom })).rejects.toThrow();
  const { request: asked, answer } = await next();
  const gone = new Promise((resolve) => session.onClose(resolve));
  await connection.close();
  await gone;
  expect(asked.signal.aborted).toBe(true);
  answer(true);
  await starting;
  expect((await boss.domainGetState({ dom, flags: 0 })).state).toBe(5); // shut off
});

test("handlers of a class are served behind a policy as without one", async () => {
  class Driver {
    readonly type = "CLASSY";
    connectGetType() {
      return { type: this.type };
    }
  }
  const server = createServer({ programs: [serve(remoteDescription, new Driver())], access: allowAll });
  onTestFinished(() => server.close());
  const [near, far] = pair();
  server.accept(far);
  await using peer = new Peer(near);
  expect(await new RemoteClient(peer).connectGetType()).toEqual({ type: "CLASSY" });
});

test("what a client says of a volume's key, or of a binding's filter, counts for nothing", async () => {
  const pool = { name: "images", uuid: new Uint8Array(16) };
  const asked: AccessRequest["target"][] = [];
  const program = serve(remoteDescription, {
    storagePoolLookupByName: ({ name }) => ({ pool: { ...pool, name } }),
    storageVolLookupByName: async ({ name }) => ({ vol: { pool: pool.name, name, key: "/images/real" } }),
    storageVolDelete: () => {},
    nwfilterBindingLookupByPortDev: ({ name }) => ({ nwfilter: { portdev: name, filtername: "real" } }),
    nwfilterBindingDelete: () => {},
  });
  const access: AccessPolicy = { allows: ({ target }) => asked.push(target) > 0 };
  const server = createServer({ programs: [program], access });
  onTestFinished(() => server.close());
  const [near, far] = pair();
  server.accept(far);
  await using peer = new Peer(near);
  const remote = new RemoteClient(peer);
  await remote.storageVolDelete({ vol: { pool: "images", name: "disk", key: "/images/claimed" }, flags: 0 });
  await remote.nwfilterBindingDelete({ nwfilter: { portdev: "vnet0", filtername: "claimed" } });
  expect(asked).toEqual([
    { pool: "images", name: "disk", key: "/images/real" },
    { name: "vnet0", filter: "real" },
  ]);
});

test("allowAll allows all", async () => {
  const { connect } = await serving(allowAll);
  const [connection] = await connect();
  await startGuest(connection);
  expect((await connection.remote.connectNumOfDomains()).num).toBe(1);
});
