/** Logging in at our server: SASL with our own client, which is held against Cyrus SASL elsewhere, and with wrong ones. */
import { createHmac } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { type AuthOptions, type AuthResult, authenticate } from "../../src/auth/index.ts";
import { SecurityLayerTransport } from "../../src/auth/security-layer.ts";
import { RemoteClient } from "../../src/generated/remote/index.ts";
import { createMemoryHypervisor, type Hypervisor, remoteProgram } from "../../src/hypervisor/index.ts";
import { Peer } from "../../src/rpc/index.ts";
import {
  type AuditEvent,
  type AuthPolicy,
  createServer,
  passwordUsers,
  type SaslServerOptions,
  type ServerLimits,
  type UserStore,
} from "../../src/server/index.ts";
import { type PeerIdentity, pair, type TlsIdentity, type Transport } from "../../src/transport/index.ts";
import type { CallOptions, Procedure } from "../../src/xdr/index.ts";
import { disguised } from "../auth/scripted-daemon.ts";
import { frame, REMOTE, words } from "../rpc/wire.ts";

const users = passwordUsers({ alice: "wonderland", "a=b,c": "pässwörd", empty: "" });
const right = { authname: "alice", password: "wonderland" };
const failed = { name: "VirtError", code: 45, domain: 7, message: "authentication failed: authentication failed" };
const needed = { name: "VirtError", code: 39, domain: 7, message: "authentication required" };

interface Setup {
  readonly peer?: Partial<PeerIdentity>;
  /** Somebody on the way. */
  readonly insert?: (transport: Transport) => Transport;
  readonly limits?: ServerLimits;
}

/** A client at a server that wants a login. */
function connected(auth: AuthPolicy, { peer: seen = {}, insert = (transport) => transport, limits = {} }: Setup = {}) {
  const events: AuditEvent[] = [];
  const hypervisor = createMemoryHypervisor();
  const opened: string[] = [];
  const accepts = (uri: string) => opened.push(uri) > 0;
  const noting = Object.assign(Object.create(hypervisor) as Hypervisor, { accepts });
  const server = createServer({ programs: [remoteProgram(noting)], limits, onAudit: (event) => events.push(event) });
  const [near, far] = pair();
  const session = server.accept(disguised(far, seen), { auth })!;
  const layer = new SecurityLayerTransport(insert(disguised(near, seen)));
  const peer = new Peer(layer);
  onTestFinished(async () => {
    await peer.close();
    await server.close();
    await hypervisor.close();
  });
  const login = (options: AuthOptions): Promise<AuthResult> => authenticate(peer, { layer, ...options });
  return { events, opened, server, session, peer, login, remote: new RemoteClient(peer) };
}

const sasl = (options: SaslServerOptions = { users }): AuthPolicy => ({ sasl: options });
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

describe("SASL", () => {
  test.each([
    ["SCRAM-SHA-512", right],
    ["SCRAM-SHA-256", right],
    ["SCRAM-SHA-1", right],
    ["SCRAM-SHA-256", { authname: "a=b,c", password: "pässwörd" }],
    ["SCRAM-SHA-256", { ...right, username: "alice" }],
    ["SCRAM-SHA-256", { authname: "empty", password: "" }],
    ["DIGEST-MD5", right],
    ["DIGEST-MD5", { authname: "a=b,c", password: "pässwörd" }],
    ["PLAIN", right],
    ["PLAIN", { ...right, username: "alice" }],
  ])("%s lets %o in over a transport that encrypts", async (mechanism, credentials) => {
    const { login, session, events, remote, opened } = connected(sasl());
    await expect(remote.connectOpen({ name: "", flags: 0 })).rejects.toMatchObject(needed);
    expect(await login({ mechanisms: [mechanism], credentials })).toEqual({ type: "sasl", mechanism, ssf: 0 });
    await remote.connectOpen({ name: "", flags: 0 });
    expect(opened).toHaveLength(1);
    expect(session.client.saslUserName).toBe(credentials.authname);
    expect(session.authenticated).toBe(true);
    expect(events).toMatchObject([{ type: "login", mechanism, identity: { saslUserName: credentials.authname } }]);
    expect(JSON.stringify(events)).not.toContain(credentials.password || "no password");
  });

  test.each([
    ["SCRAM-SHA-256", { authname: "alice", password: "Wonderland" }],
    ["SCRAM-SHA-256", { authname: "nobody", password: "wonderland" }],
    ["SCRAM-SHA-256", { authname: "toString", password: "wonderland" }],
    ["SCRAM-SHA-256", { ...right, username: "bob" }],
    ["DIGEST-MD5", { authname: "alice", password: "Wonderland" }],
    ["DIGEST-MD5", { authname: "nobody", password: "wonderland" }],
    ["DIGEST-MD5", { ...right, username: "bob" }],
    ["PLAIN", { authname: "alice", password: "" }],
    ["PLAIN", { authname: "nobody", password: "wonderland" }],
    ["PLAIN", { ...right, username: "bob" }],
  ])("%s refuses %o in the same words, and takes the right ones after that", async (mechanism, credentials) => {
    const { login, session, events } = connected(sasl());
    await expect(login({ mechanisms: [mechanism], credentials })).rejects.toMatchObject(failed);
    expect(session.authenticated).toBe(false);
    expect(events).toMatchObject([{ type: "login-failed", mechanism, user: credentials.authname }]);
    await login({ mechanisms: [mechanism], credentials: right });
    expect(session.authenticated).toBe(true);
  });

  test("what is offered: by the transport, by what the store knows, and by name", async () => {
    const insecure = { peer: { secure: false } };
    const keys: UserStore = { scram: () => undefined };
    const certificate = { tls: { verified: true, distinguishedName: "CN=cli" } as TlsIdentity };
    const offered = async (options: SaslServerOptions, setup: Setup = {}) =>
      (await connected(sasl(options), setup).remote.authSaslInit()).mechlist;
    expect(await offered({ users })).toBe("SCRAM-SHA-512,SCRAM-SHA-256,SCRAM-SHA-1,DIGEST-MD5,PLAIN");
    expect(await offered({ users: keys })).toBe("SCRAM-SHA-256,PLAIN");
    expect(await offered({ users: keys }, { peer: certificate })).toBe("SCRAM-SHA-256,PLAIN");
    expect(await offered({ users }, insecure)).toBe("DIGEST-MD5");
    expect(await offered({ users, mechanisms: ["PLAIN", "ANONYMOUS", "EXTERNAL"] })).toBe("PLAIN,ANONYMOUS");
    expect(await offered({ mechanisms: ["EXTERNAL"] }, { peer: certificate })).toBe("EXTERNAL");
    await expect(offered({ users: keys }, insecure)).rejects.toMatchObject(failed);
    await expect(offered({ mechanisms: ["ANONYMOUS"] }, insecure)).rejects.toMatchObject(failed);
    await expect(offered({ mechanisms: ["EXTERNAL"] })).rejects.toMatchObject(failed);
  });

  test("a mechanism that is not offered cannot be used", async () => {
    const { remote, session } = connected(sasl(), { peer: { secure: false } });
    await remote.authSaslInit();
    const data = bytes("\0alice\0wonderland");
    await expect(remote.authSaslStart({ mech: "PLAIN", nil: 0, data })).rejects.toMatchObject(failed);
    expect(session.authenticated).toBe(false);
  });

  test("DIGEST-MD5 encrypts plain TCP, both ways, from right behind the reply that says so", async () => {
    const { login, remote, session } = connected(sasl(), { peer: { secure: false, transport: "tcp" } });
    expect(await login({ credentials: right })).toEqual({ type: "sasl", mechanism: "DIGEST-MD5", ssf: 128 });
    await remote.connectOpen({ name: "", flags: 0 });
    expect((await remote.connectGetCapabilities()).capabilities).toContain("<capabilities>");
    const opened = await Promise.all(Array.from({ length: 9 }, () => remote.connectGetType()));
    expect(opened).toHaveLength(9);
    expect(session.identity.secure).toBe(true);
  });

  test("what somebody on the way puts behind the client's last unprotected message is not served", async () => {
    const injected = frame({ prog: REMOTE, proc: 1, serial: 99 }, words(1, 0, 0)); // CONNECT_OPEN ""
    const inits = [95, 96, 97, 98].map((serial) => frame({ prog: REMOTE, proc: 67, serial }, words()));
    for (const behind of [[injected], [...inits, injected], [injected.subarray(0, 9)]]) {
      const insert = ({ write, ...rest }: Transport): Transport => ({
        ...rest,
        write(parts) {
          const isStep = parts.some((part) => part.byteLength > 15 && part[15] === 69);
          return write(isStep ? [...parts, ...behind] : parts);
        },
      });
      // With one call at a time, what is behind lies there until the login is done.
      const setup = { peer: { secure: false }, insert, limits: { maxClientRequests: 1 } };
      const { login, session, remote, opened } = connected(sasl({ users, maxTries: 99 }), setup);
      await expect(login({ credentials: right })).rejects.toThrow();
      await expect(remote.connectGetType()).rejects.toThrow();
      await new Promise<void>((resolve) => session.onClose(() => resolve()));
      expect(opened).toEqual([]);
    }
  });

  test("EXTERNAL is who the certificate says, and nobody else", async () => {
    const tls = { verified: true, distinguishedName: "C=GB,O=wire,CN=cli" } as TlsIdentity;
    const auth = sasl({ mechanisms: ["EXTERNAL"], allowedUsers: ["C=GB,*"] });
    const { login, session } = connected(auth, { peer: { tls } });
    const mechanisms = ["EXTERNAL"];
    await expect(login({ mechanisms, credentials: { username: "CN=boss" } })).rejects.toMatchObject(failed);
    await login({ mechanisms, credentials: {} });
    expect(session.client.saslUserName).toBe("C=GB,O=wire,CN=cli");
    const unverified = connected(auth, { peer: { tls: { ...tls, verified: false } } });
    await expect(unverified.login({ mechanisms })).rejects.toMatchObject(failed);
  });

  test("ANONYMOUS lets everyone in where it is named", async () => {
    const { login, session } = connected(sasl({ mechanisms: ["ANONYMOUS"] }));
    await login({});
    expect(session.client.saslUserName).toBe("anonymous");
  });

  test("allowedUsers: globs; an empty list is nobody", async () => {
    for (const [allowedUsers, isIn] of [
      [["al?ce"], true],
      [["bob", "a*"], true],
      [["bob"], false],
      [[], false],
    ] as const) {
      const { login, events } = connected(sasl({ users, allowedUsers }));
      const attempt = login({ credentials: right });
      if (isIn) await attempt;
      else await expect(attempt).rejects.toMatchObject(failed);
      expect(events[0]?.type).toBe(isIn ? "login" : "login-failed");
    }
  });

  test("out of turn: every procedure has its time, and a failure begins anew", async () => {
    const { remote, session, login } = connected(sasl({ users, maxTries: 99 }));
    const step = { nil: 0, data: bytes("x") };
    await expect(remote.authSaslStart({ mech: "PLAIN", ...step })).rejects.toMatchObject(failed);
    await expect(remote.authSaslStep(step)).rejects.toMatchObject(failed);
    await remote.authSaslInit();
    await expect(remote.authSaslInit()).rejects.toMatchObject(failed);
    await expect(remote.authSaslStep(step)).rejects.toMatchObject(failed);
    await expect(remote.authSaslStart({ mech: "PLAIN", ...step })).rejects.toMatchObject(failed);
    await expect(remote.authPolkit()).rejects.toMatchObject({ code: 1, domain: 7 });
    await login({ credentials: right });
    await expect(remote.authSaslInit()).rejects.toMatchObject(failed);
    expect(session.authenticated).toBe(true);
    expect(await remote.authList()).toEqual({ types: [0] });
  });

  test("two steps at once: the second is refused, and gives nobody the first one's login", async () => {
    const { remote, session } = connected(sasl());
    await remote.authSaslInit();
    const data = bytes("\0alice\0wonderland");
    const start = () => remote.authSaslStart({ mech: "PLAIN", nil: 0, data });
    const [first, second] = await Promise.allSettled([start(), start()]);
    expect(first?.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: failed });
    expect(session.client.saslUserName).toBe("alice");
  });

  test("a client that says nothing first is asked to speak, with an empty message", async () => {
    const { remote, session } = connected(sasl());
    await remote.authSaslInit();
    const none = new Uint8Array(0);
    const started = await remote.authSaslStart({ mech: "plain", nil: 1, data: none });
    expect(started).toEqual({ complete: 0, nil: 0, data: none });
    const done = await remote.authSaslStep({ nil: 0, data: bytes("\0alice\0wonderland") });
    expect(done).toEqual({ complete: 1, nil: 1, data: none });
    expect(session.authenticated).toBe(true);
  });

  test("a connection that fails too often is closed, and others go on", async () => {
    const { remote, peer, events } = connected(sasl({ users, maxTries: 2 }));
    for (let tries = 0; tries < 2; tries++) {
      await remote.authSaslInit();
      const wrong = remote.authSaslStart({ mech: "PLAIN", nil: 0, data: bytes("\0alice\0x") });
      await expect(wrong).rejects.toMatchObject(failed);
    }
    await peer.closed;
    expect(events.map(({ type }) => type)).toEqual(["login-failed", "login-failed", "disconnect"]);
  });

  test("a client that goes before its password is checked was never in, and is counted out once", async () => {
    let asked = () => {};
    const reached = new Promise<void>((resolve) => (asked = resolve));
    let answer = (_: string) => {};
    const password = () => {
      asked();
      return new Promise<string>((resolve) => (answer = resolve));
    };
    const { peer, login, events, server, session } = connected(sasl({ users: { password } }));
    const trying = expect(login({ mechanisms: ["DIGEST-MD5"], credentials: right })).rejects.toThrow();
    await reached;
    const gone = new Promise((resolve) => session.onClose(resolve));
    await peer.close();
    await gone;
    await trying;
    answer(right.password);
    await new Promise((resolve) => setImmediate(resolve)); // DIGEST-MD5 waits for nothing else
    expect(events).toEqual([]);
    expect(session.authenticated).toBe(false);
    expect(server.clients).toEqual({ served: 0, anonymous: 0, waiting: 0 });
  });

  test("a store that fails is a login that fails, and the audit event says why", async () => {
    const broken: UserStore = { scram: () => Promise.reject(new Error("users.db, line 3")) };
    const { login, events } = connected(sasl({ users: broken }));
    await expect(login({ credentials: right })).rejects.toMatchObject(failed);
    expect(events).toMatchObject([{ type: "login-failed", reason: expect.stringContaining("users.db, line 3") }]);
  });
});

describe("users who do not exist look like others", () => {
  const first = async (store: UserStore, name: string) => {
    const { remote } = connected(sasl({ users: store }));
    await remote.authSaslInit();
    const ret = await remote.authSaslStart({ mech: "SCRAM-SHA-256", nil: 0, data: bytes(`n,,n=${name},r=abc`) });
    const [, salt, iterations] = /s=([^,]+),i=(\d+)$/.exec(text(ret.data)) ?? [];
    return { salt, iterations };
  };

  test("the same salt each time, another for each, and as many iterations", async () => {
    const seed = new Uint8Array(32).fill(7);
    const salt = createHmac("sha256", seed).update("stored").digest().subarray(0, 16);
    const record = { salt, iterations: 65_536, storedKey: new Uint8Array(32), serverKey: new Uint8Array(32) };
    const scram = (user: string) => (user === "real" ? record : undefined);
    for (const store of [
      { scram, seed, iterations: 65_536 },
      { ...users, iterations: 65_536 },
    ]) {
      const [real, a, again, b] = [
        await first(store, "real"),
        await first(store, "a"),
        await first(store, "a"),
        await first(store, "b"),
      ];
      expect(a).toEqual(again);
      expect(a?.salt).not.toBe(b?.salt);
      expect(a?.salt?.length).toBe(real?.salt?.length);
      expect([real, a, b].map((found) => found?.iterations)).toEqual(["65536", "65536", "65536"]);
    }
  });

  test("the same work: keys are derived, or not, by what the store has, not by whom it knows", async () => {
    const asked: string[] = [];
    const store: UserStore = {
      password(user) {
        asked.push(user);
        return user === "alice" ? "wonderland" : undefined;
      },
    };
    const derived: unknown[] = [];
    const { deriveBits } = crypto.subtle;
    crypto.subtle.deriveBits = (...args: Parameters<typeof deriveBits>) => {
      derived.push(args[0]);
      return deriveBits.apply(crypto.subtle, args);
    };
    try {
      for (const authname of ["alice", "nobody"]) {
        const { login } = connected(sasl({ users: store }));
        const before = derived.length;
        await expect(login({ mechanisms: ["PLAIN"], credentials: { authname, password: "x" } })).rejects.toThrow();
        expect(derived.length - before).toBe(2); // the stored password's keys, and the given one's
      }
    } finally {
      crypto.subtle.deriveBits = deriveBits;
    }
    expect(asked).toEqual(["alice", "nobody"]);
  });
});

describe("SCRAM refuses messages that are not right", () => {
  const start = async (message: string) => {
    const { remote } = connected(sasl());
    await remote.authSaslInit();
    const ret = await remote.authSaslStart({ mech: "SCRAM-SHA-256", nil: 0, data: bytes(message) });
    return { remote, first: text(ret.data) };
  };

  test.each([
    "",
    "x",
    "p=tls-unique,,n=alice,r=abc",
    "n,,m=x,n=alice,r=abc",
    "n,,n=,r=abc",
    "n,,n=alice,r=",
    "n,,n=a=lice,r=a",
  ])("first: %j", async (message) => {
    await expect(start(message)).rejects.toMatchObject(failed);
  });

  test("y is taken: the client could bind to a channel, and knows that we cannot", async () => {
    expect((await start("y,,n=alice,r=abc")).first).toMatch(/^r=abc[^,]{32},s=[^,]+,i=4096$/);
  });

  test.each([
    ["another channel binding", "c=eSws,r=NONCE,p=PROOF"],
    ["another nonce", "c=biws,r=abcd,p=PROOF"],
    ["no proof", "c=biws,r=NONCE"],
    ["a short proof", "c=biws,r=NONCE,p=AAAA"],
    ["a wrong proof", "c=biws,r=NONCE,p=PROOF"],
  ])("last: %s", async (_what, template) => {
    const { remote, first } = await start("n,,n=alice,r=abc");
    const [, nonce = ""] = /^r=([^,]+)/.exec(first) ?? [];
    const proof = Buffer.alloc(32).toString("base64");
    const data = bytes(template.replace("NONCE", nonce).replace("PROOF", proof));
    await expect(remote.authSaslStep({ nil: 0, data })).rejects.toMatchObject(failed);
  });
});

describe("DIGEST-MD5 refuses responses that are not right", () => {
  test.each([
    ["not text of that form", () => '"'],
    ["another nonce", (good: string) => good.replace(/(?<=,)nonce="./, 'nonce="!')],
    ["used again", (good: string) => good.replace("nc=00000001", "nc=00000002")],
    ["another realm", (good: string) => good.replace(/realm="/, 'realm="x')],
    ["another service", (good: string) => good.replace("libvirt/", "imap/")],
    ["another protection", (good: string) => good.replace("qop=auth-conf", "qop=auth")],
    ["a cipher that is too weak", (good: string) => good.replace("cipher=rc4", "cipher=rc4-40")],
    ["a name twice", (good: string) => `${good},username="alice"`],
    ["no proof", (good: string) => good.replace(/response=[0-9a-f]+/, "response=00")],
  ])("%s", async (_what, change) => {
    const { login, session, peer } = connected(sasl(), { peer: { secure: false } });
    const call = peer.call.bind(peer);
    peer.call = <Args, Ret>(procedure: Procedure<Args, Ret>, args: Args, options?: CallOptions): Promise<Ret> => {
      if (procedure.name !== "AUTH_SASL_STEP") return call(procedure, args, options);
      const good = args as { readonly nil: number; readonly data: Uint8Array };
      return call(procedure, { ...good, data: bytes(change(text(good.data))) } as Args, options);
    };
    await expect(login({ credentials: right })).rejects.toMatchObject(failed);
    expect(session.authenticated).toBe(false);
  });
});

describe("settings are checked", () => {
  test.each([
    ["auth", "kerberos"],
    ["sasl.users", { sasl: {} }],
    ["sasl.mechanisms: LOGIN", { sasl: { users, mechanisms: ["LOGIN"] } }],
    ["sasl.mechanisms: toString", { sasl: { users, mechanisms: ["toString"] } }],
    ["sasl.mechanisms: DIGEST-MD5", { sasl: { users: { scram: () => undefined }, mechanisms: ["DIGEST-MD5"] } }],
    ["sasl.mechanisms: SCRAM-SHA-256", { sasl: { mechanisms: ["SCRAM-SHA-256"] } }],
    ["sasl.minSsf", { sasl: { users, minSsf: 1 } }],
    ["sasl.maxTries", { sasl: { users, maxTries: 0 } }],
  ])("%s", (words, auth) => {
    const listen = [{ address: "unix:/nowhere", auth: auth as AuthPolicy }];
    expect(() => createServer({ programs: [], listen })).toThrow(words);
  });

  test("polkit is for unix sockets", () => {
    const programs: [] = [];
    expect(() => createServer({ programs, listen: ["tcp://127.0.0.1:0"], auth: "polkit" })).toThrow("polkit");
    createServer({ programs, listen: ["unix:/nowhere"], auth: "polkit" });
  });
});
