import { afterEach, describe, expect, test, vi } from "vitest";
import { DigestLayer } from "../../src/auth/digest-layer.ts";
import { type AuthOptions, authenticate, type CredentialRequest } from "../../src/auth/index.ts";
import { SecurityLayerTransport } from "../../src/auth/security-layer.ts";
import { VirConnectCredentialType, VirErrorDomain, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { AuthType, connectGetHostname } from "../../src/generated/remote/index.ts";
import { AbortError, type AnyHandler, Peer, TransportError, VirtError, virtError } from "../../src/rpc/index.ts";
import { pair, type Transport } from "../../src/transport/index.ts";
import { RawEnd } from "../rpc/raw-end.ts";
import { str, words } from "../rpc/wire.ts";
import {
  connectedPair,
  digestProofs,
  disguised,
  fieldsOf,
  type SaslRet,
  ScramServer,
  says,
  textOf,
} from "./scripted-daemon.ts";

const { REMOTE_AUTH_NONE: NONE, REMOTE_AUTH_SASL: SASL, REMOTE_AUTH_POLKIT: POLKIT } = AuthType;
const { VIR_ERR_AUTH_FAILED, VIR_ERR_AUTH_CANCELLED, VIR_ERR_AUTH_UNAVAILABLE, VIR_ERR_NO_SUPPORT } = VirErrorNumber;
const { VIR_CRED_USERNAME, VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE, VIR_CRED_REALM } = VirConnectCredentialType;

type Data = { readonly nil: number; readonly data: Uint8Array };
type Start = Data & { readonly mech: string };
type Handlers = Record<string, AnyHandler<undefined>>;

const right = { authname: "user", password: "pencil" };
const open: Peer[] = [];
afterEach(async () => {
  for (const peer of open.splice(0)) await peer.close(new Error("the test is over"));
});

function connected(handlers: Handlers, secure = true) {
  const all = connectedPair(handlers, secure);
  open.push(all.client, all.daemon);
  const login = (options: AuthOptions = {}) => authenticate(all.client, { layer: all.layer, ...options });
  return { ...all, login };
}

/** A daemon that wants SASL and says these things, one after the other. */
function saslDaemon(mechlist: string, answers: ((message: Start) => SaslRet)[] = []) {
  const heard: { mech?: string; nil: number; text: string }[] = [];
  const next = (message: Data): SaslRet => {
    heard.push({
      ...("mech" in message ? { mech: (message as Start).mech } : {}),
      nil: message.nil,
      text: textOf(message.data),
    });
    const answer = answers[heard.length - 1];
    if (answer === undefined) throw new Error("nothing more was expected");
    return answer(message as Start);
  };
  const handlers: Handlers = {
    authList: () => ({ types: [SASL] }),
    authSaslInit: () => ({ mechlist }),
    authSaslStart: next,
    authSaslStep: next,
  };
  return { handlers, heard };
}

/** A daemon whose user is `user`, with the password `pencil`. */
function scramDaemon(mechlist = "SCRAM-SHA-256") {
  let server: ScramServer;
  const failed = () => virtError(VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_RPC, "authentication failed");
  return saslDaemon(mechlist, [
    (message) => {
      server = new ScramServer("sha256", "pencil");
      return says(server.first(textOf(message.data)));
    },
    (message) => {
      const verdict = server.final(textOf(message.data));
      if (verdict === undefined) throw failed();
      return says(verdict, true);
    },
  ]);
}

/** A client on one end of a pair, whose other end speaks bytes. */
function rawClient(transport: Transport, secure = true) {
  const layer = new SecurityLayerTransport(disguised(transport, { secure }));
  const client = new Peer(layer);
  open.push(client);
  return { client, layer };
}

/** remote_auth_sasl_start_ret as bytes. */
function saslRet(text: string, complete: number): Uint8Array {
  return words(complete, 0, text.length, ...Buffer.from(text));
}

async function refusal(login: Promise<unknown>): Promise<VirtError> {
  const error = await login.then(
    (value) => expect.fail(`not refused: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VirtError);
  return error as VirtError;
}

describe("which authentication", () => {
  test.each([
    ["an empty list", []],
    ["none", [NONE]],
    ["none first", [NONE, SASL]],
  ])("%s: nothing to do", async (_name, types) => {
    const { login } = connected({ authList: () => ({ types }) });
    expect(await login()).toEqual({ type: "none", ssf: 0 });
  });

  test("a daemon older than AUTH_LIST wants nothing, which is not enough for who insists on a login", async () => {
    const { login } = connected({
      authList: () => {
        throw virtError(VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_REMOTE, "AUTH_LIST");
      },
    });
    expect(await login()).toEqual({ type: "none", ssf: 0 });
    expect(await refusal(login({ auth: "sasl" }))).toMatchObject({ code: VIR_ERR_AUTH_FAILED });
  });

  test("any other error of AUTH_LIST is one", async () => {
    const { login } = connected({
      authList: () => {
        throw virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_REMOTE, "x");
      },
    });
    expect(await refusal(login())).toMatchObject({ code: VirErrorNumber.VIR_ERR_INTERNAL_ERROR });
  });

  test("the first of several, or the one that the URI names, in any case", async () => {
    for (const [types, auth, expected] of [
      [[POLKIT, SASL], undefined, "polkit"],
      [[SASL, POLKIT], undefined, "sasl"],
      [[POLKIT, SASL], "SASL", "sasl"],
      [[SASL, POLKIT], "PolKit", "polkit"],
    ] as const) {
      const { login } = connected({
        ...scramDaemon().handlers,
        authList: () => ({ types }),
        authPolkit: () => ({ complete: 1 }),
      });
      const result = await login({ credentials: right, ...(auth === undefined ? {} : { auth }) });
      expect(result.type).toBe(expected);
    }
  });

  test.each([
    ["sasl", [POLKIT], "requested authentication type sasl rejected"],
    ["sasl", [], "requested authentication type sasl rejected"],
    ["sasl.PLAIN", [NONE], "requested authentication type sasl.PLAIN rejected"],
    ["polkit", [SASL], "requested authentication type polkit rejected"],
    ["none", [NONE], "unknown authentication type none"],
    ["saslx", [SASL], "unknown authentication type saslx"],
    [undefined, [7], "unsupported authentication type 7"],
  ])("auth=%s where the daemon has %j", async (auth, types, message) => {
    const { login } = connected({ authList: () => ({ types }) });
    expect(await refusal(login(auth === undefined ? {} : { auth }))).toMatchObject({
      code: VIR_ERR_AUTH_FAILED,
      domain: VirErrorDomain.VIR_FROM_REMOTE,
      message: `authentication failed: ${message}`,
    });
  });
});

describe("polkit", () => {
  test("the daemon asks it", async () => {
    const { login } = connected({ authList: () => ({ types: [POLKIT] }), authPolkit: () => ({ complete: 1 }) });
    expect(await login()).toEqual({ type: "polkit", ssf: 0 });
  });

  // virPolkitCheckAuth, libvirt src/util/virpolkit.c
  test.each([
    [VIR_ERR_AUTH_FAILED, "access denied by policy"],
    [VIR_ERR_AUTH_CANCELLED, "user cancelled authentication process"],
    [VIR_ERR_AUTH_UNAVAILABLE, "no polkit agent available to authenticate action 'org.libvirt.unix.manage'"],
  ])("its refusal %i comes as it is", async (code, detail) => {
    const { login } = connected({
      authList: () => ({ types: [POLKIT] }),
      authPolkit: () => {
        throw virtError(code, VirErrorDomain.VIR_FROM_POLKIT, detail);
      },
    });
    const error = await refusal(login());
    expect(error).toMatchObject({ code, domain: VirErrorDomain.VIR_FROM_POLKIT });
    expect(error.message).toContain(detail);
  });

  test("an answer that is none is refused", async () => {
    const { login } = connected({ authList: () => ({ types: [POLKIT] }), authPolkit: () => ({ complete: 0 }) });
    expect(await refusal(login())).toMatchObject({ code: VIR_ERR_AUTH_FAILED });
  });
});

describe("SASL's mechanism", () => {
  const daemonWith = (mechlist: string) => connected(saslDaemon(mechlist, [() => says(null, true)]).handlers);

  test.each([
    ["PLAIN,ANONYMOUS", undefined, "PLAIN"],
    ["ANONYMOUS,X-NEW,PLAIN", undefined, "PLAIN"],
    ["PLAIN,ANONYMOUS", ["ANONYMOUS"], "ANONYMOUS"],
    ["plain", ["plain"], "PLAIN"],
    ["PLAIN EXTERNAL", undefined, "PLAIN"],
    ["PLAIN EXTERNAL", ["EXTERNAL"], "EXTERNAL"],
  ])("of %s, with %j allowed, is %s", async (mechlist, mechanisms, mechanism) => {
    const { login } = daemonWith(mechlist);
    const result = await login({ credentials: right, ...(mechanisms === undefined ? {} : { mechanisms }) });
    expect(result).toEqual({ type: "sasl", mechanism, ssf: 0 });
  });

  test("the most trusted one comes first", async () => {
    const all = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "GSSAPI", "DIGEST-MD5", "CRAM-MD5", "PLAIN"];
    for (const at of [0, 1, 2, 4, 5, 6]) {
      const { handlers, heard } = saslDaemon([...all.slice(at)].reverse().join(","), [() => says("x", true)]);
      const { login } = connected(handlers);
      await login({ credentials: right }).catch(() => {});
      expect(heard[0]?.mech).toBe(all[at]);
    }
  });

  test.each([
    ["", undefined, "no SASL mechanism in common: the server offers none"],
    ["X-NEW,OTHER", undefined, "no SASL mechanism in common: the server offers X-NEW,OTHER"],
    ["EXTERNAL", undefined, "no SASL mechanism in common: the server offers EXTERNAL"],
    ["PLAIN", { mechanisms: ["SCRAM-SHA-256"] }, "no SASL mechanism in common: the server offers PLAIN, SCRAM-SHA-256"],
    ["PLAIN", { mechanisms: [] }, "no SASL mechanism in common"],
    ["X-NEW", { auth: "sasl.X-NEW" }, "no SASL mechanism in common"],
    ["PLAIN", { auth: "sasl.SCRAM-SHA-1" }, "SASL mechanism SCRAM-SHA-1 not supported by server"],
    ["SCRAM-SHA-256", { auth: "sasl.SCRAM-SHA" }, "SASL mechanism SCRAM-SHA not supported by server"],
  ])("of '%s' with %j: refused", async (mechlist, options, message) => {
    const error = await refusal(daemonWith(mechlist).login({ credentials: right, ...options }));
    expect(error.code).toBe(VIR_ERR_AUTH_FAILED);
    expect(error.message).toContain(message);
  });

  test("a list as long as a string may be does not end up in the message", async () => {
    const error = await refusal(daemonWith("X".repeat(4_000_000)).login({ credentials: right }));
    expect(error.message.length).toBeLessThan(500);
  });

  test("GSSAPI without the package kerberos says what is missing", async () => {
    expect(await refusal(daemonWith("GSSAPI").login())).toMatchObject({
      code: VIR_ERR_AUTH_UNAVAILABLE,
      message: expect.stringContaining("npm package kerberos"),
    });
  });

  test("what this machine cannot do is passed over for what it can", async () => {
    const { handlers, heard } = saslDaemon("GSSAPI,PLAIN", [() => says(null, true)]);
    const { login } = connected(handlers);
    expect(await login({ credentials: right })).toMatchObject({ mechanism: "PLAIN" });
    expect(heard).toHaveLength(1);
    expect(await refusal(login({ credentials: right, auth: "sasl.GSSAPI" }))).toMatchObject({
      code: VIR_ERR_AUTH_UNAVAILABLE,
    });
  });

  test.each(["SCRAM-SHA-256", "PLAIN", "CRAM-MD5", "ANONYMOUS", "SCRAM-SHA-256,PLAIN"])(
    "%s is never used where somebody can read along",
    async (mechlist) => {
      const { handlers, heard } = saslDaemon(mechlist, [() => says(null, true)]);
      const { login } = connected(handlers, false);
      for (const auth of ["sasl", `sasl.${mechlist.split(",")[0]}`]) {
        const error = await refusal(login({ credentials: right, auth }));
        expect(error.message).toContain("on a transport that does not encrypt");
      }
      expect(heard).toEqual([]);
    },
  );

  test("nor DIGEST-MD5, where its layer has nowhere to go", async () => {
    const { handlers } = saslDaemon("DIGEST-MD5", [() => says("nonce=a,algorithm=md5-sess")]);
    const { client } = connected(handlers, false);
    expect(await refusal(authenticate(client, { credentials: right }))).toMatchObject({ code: VIR_ERR_AUTH_FAILED });
  });

  test.each(["auth", "auth-int", "auth,auth-int"])("nor DIGEST-MD5 with %s alone", async (qop) => {
    const challenge = `nonce=a,algorithm=md5-sess,qop="${qop}",cipher="des,rc4-40"`;
    const { handlers, heard } = saslDaemon("DIGEST-MD5", [() => says(challenge)]);
    const { login } = connected(handlers, false);
    const error = await refusal(login({ credentials: right }));
    expect(error.message).toContain("no protection of 56 to 100000 bits");
    expect(heard).toHaveLength(1); // the password was not used
  });
});

describe("SASL's exchange", () => {
  test("SCRAM-SHA-256, and the connection then works", async () => {
    const { handlers, heard } = scramDaemon();
    const { login, client } = connected({ ...handlers, connectGetHostname: () => ({ hostname: "here" }) });
    expect(await login({ credentials: right })).toEqual({ type: "sasl", mechanism: "SCRAM-SHA-256", ssf: 0 });
    expect(heard.map(({ mech, nil }) => ({ mech, nil }))).toEqual([{ mech: "SCRAM-SHA-256", nil: 0 }, { nil: 0 }]);
    expect(await client.call(connectGetHostname, undefined)).toEqual({ hostname: "here" });
  });

  test("a wrong password is the daemon's error; the connection takes the right one after that", async () => {
    let daemon = scramDaemon();
    const { login } = connected({
      ...daemon.handlers,
      authSaslStart: (args: Start) => {
        daemon = scramDaemon();
        return daemon.handlers.authSaslStart?.(args, undefined);
      },
      authSaslStep: (args: Start) => daemon.handlers.authSaslStep?.(args, undefined),
    });
    const wrong = await refusal(login({ credentials: { authname: "user", password: "hunter2" } }));
    expect(wrong).toMatchObject({ code: VIR_ERR_AUTH_FAILED, domain: VirErrorDomain.VIR_FROM_RPC });
    expect(JSON.stringify([wrong.message, wrong.stack, wrong])).not.toContain("hunter2");
    expect(await login({ credentials: right })).toMatchObject({ mechanism: "SCRAM-SHA-256" });
  });

  test("no message and an empty one are told apart, both ways", async () => {
    // DIGEST-MD5 has no first message; EXTERNAL's may be empty; CRAM-MD5's challenge may be empty, not missing.
    const digest = saslDaemon("DIGEST-MD5", [() => says("")]);
    await refusal(connected(digest.handlers).login({ credentials: right }));
    expect(digest.heard[0]).toEqual({ mech: "DIGEST-MD5", nil: 1, text: "" });

    const external = saslDaemon("EXTERNAL", [() => says(null, true)]);
    await connected(external.handlers).login({ mechanisms: ["EXTERNAL"] });
    expect(external.heard[0]).toEqual({ mech: "EXTERNAL", nil: 0, text: "" });

    const cram = saslDaemon("CRAM-MD5", [() => says(""), () => says(null, true)]);
    await connected(cram.handlers).login({ credentials: right });
    const missing = saslDaemon("CRAM-MD5", [() => says(null)]);
    await refusal(connected(missing.handlers).login({ credentials: right }));

    // What comes with nil set is not looked at.
    const both = saslDaemon("PLAIN", [() => ({ complete: 1, nil: 1, data: new Uint8Array(3) })]);
    expect(await connected(both.handlers).login({ credentials: right })).toMatchObject({ mechanism: "PLAIN" });
  });

  test("a mechanism's last word may come before the daemon's verdict, or after", async () => {
    const challenge = "nonce=a,realm=r,algorithm=md5-sess";
    const verdict = (message: Start) => `rspauth=${digestProofs(fieldsOf(textOf(message.data)), "pencil").rspauth}`;
    const together = saslDaemon("DIGEST-MD5", [() => says(challenge), (message) => says(verdict(message), true)]);
    expect(await connected(together.handlers).login({ credentials: right })).toMatchObject({ ssf: 0 });
    const apart = saslDaemon("DIGEST-MD5", [
      () => says(challenge),
      (message) => says(verdict(message)),
      () => says(null, true),
    ]);
    expect(await connected(apart.handlers).login({ credentials: right })).toMatchObject({ ssf: 0 });
    expect(apart.heard[2]).toEqual({ nil: 1, text: "" });
  });

  const first = (message: Start) => says(new ScramServer("sha256", "pencil").first(textOf(message.data)));
  test.each([
    ["complete at once", "SCRAM-SHA-256", [() => says(null, true)]],
    ["complete with the challenge", "SCRAM-SHA-256", [(m: Start) => ({ ...first(m), complete: 1 })]],
    ["complete without proof", "SCRAM-SHA-256", [first, () => says(null, true)]],
    ["complete with a wrong proof", "SCRAM-SHA-256", [first, () => says("v=AAAA", true)]],
    [
      "complete with a wrong proof",
      "DIGEST-MD5",
      [() => says("nonce=a,algorithm=md5-sess"), () => says("rspauth=0", true)],
    ],
    ["the challenge twice", "SCRAM-SHA-256", [first, first]],
    ["bytes that mean nothing", "SCRAM-SHA-256", [() => says(Uint8Array.of(0xff, 0, 1))]],
    ["more after the mechanism's end", "PLAIN", [() => says(null)]],
    ["more after the mechanism's end", "CRAM-MD5", [() => says("c"), () => says("d")]],
    ["data with the verdict that nobody asked for", "PLAIN", [() => says("more", true)]],
    [
      "a million iterations more than that",
      "SCRAM-SHA-256",
      [(m: Start) => says(`${textOf(m.data).replace(/.*r=/, "r=")}x,s=AAAA,i=99999999`)],
    ],
  ])("%s in %s is refused, and the connection lives on", async (_name, mechlist, answers) => {
    const { handlers } = saslDaemon(mechlist, answers);
    const { login, client } = connected({ ...handlers, connectGetHostname: () => ({ hostname: "here" }) });
    const error = await refusal(login({ credentials: right }));
    expect(error.code).toBe(VIR_ERR_AUTH_FAILED);
    expect(error.message).not.toContain("pencil");
    expect(await client.call(connectGetHostname, undefined)).toEqual({ hostname: "here" });
  });

  test("a message of ours that is too long is not sent", async () => {
    const { handlers, heard } = saslDaemon("PLAIN", [() => says(null, true)]);
    const { login } = connected(handlers);
    const error = await refusal(login({ credentials: { authname: "a", password: "secret".repeat(20_000) } }));
    expect(error.message).toBe("authentication failed: SASL negotiation data too long: 120003 bytes");
    expect(heard).toEqual([]);
  });

  test("a message of the server's that is too long cannot be read", async () => {
    const [a, b] = pair();
    const daemon = new RawEnd(b);
    const { client } = rawClient(a);
    const login = authenticate(client, { credentials: right });
    daemon.reply(await daemon.expect(), words(1, SASL));
    daemon.reply(await daemon.expect(), str("SCRAM-SHA-256"));
    daemon.reply(await daemon.expect(), words(0, 0, 65_537));
    const error = await refusal(login);
    expect(error).toMatchObject({ code: VIR_ERR_AUTH_FAILED, cause: expect.objectContaining({ name: "XdrError" }) });
    await client.close(new Error("over"));
  });
});

describe("on plain TCP", () => {
  const challenge =
    'nonce="xyz",realm="alpha",qop="auth-conf",cipher="rc4-56,rc4,3des",maxbuf=65536,charset=utf-8,algorithm=md5-sess';

  /** A daemon that protects what comes after its verdict. */
  function protecting(daemonLayer: () => SecurityLayerTransport) {
    return saslDaemon("DIGEST-MD5", [
      () => says(challenge),
      (message) => {
        const { response, rspauth, ha1 } = digestProofs(fieldsOf(textOf(message.data)), "pencil");
        expect(fieldsOf(textOf(message.data)).response).toBe(response);
        // The reply itself still goes out in clear: it is written in this turn, by a later microtask.
        setImmediate(() => daemonLayer().secure(new DigestLayer(ha1, "rc4", "server", 65_536)));
        return says(`rspauth=${rspauth}`, true);
      },
    ]);
  }

  test("DIGEST-MD5 encrypts everything after the daemon's verdict, and nothing before", async () => {
    const all = connected(
      {
        ...protecting(() => all.daemonLayer).handlers,
        connectGetHostname: () => ({ hostname: "secret-name" }),
      },
      false,
    );
    expect(await all.login({ credentials: right })).toEqual({ type: "sasl", mechanism: "DIGEST-MD5", ssf: 128 });
    expect(all.client.identity).toMatchObject({ secure: true, security: { encrypted: true, ssf: 128 } });
    const names = await Promise.all(Array.from({ length: 50 }, () => all.client.call(connectGetHostname, undefined)));
    expect(new Set(names.map(({ hostname }) => hostname))).toEqual(new Set(["secret-name"]));
  });

  test("bytes that follow the verdict in clear end the connection", async () => {
    const [a, b] = pair();
    const daemon = new RawEnd(b);
    const { client, layer } = rawClient(a, false);
    const login = authenticate(client, { credentials: right, layer });
    daemon.reply(await daemon.expect(), words(1, SASL));
    daemon.reply(await daemon.expect(), str("DIGEST-MD5"));
    daemon.reply(await daemon.expect(), saslRet(challenge, 0));
    const answer = await daemon.expect();
    const chars = answer.payload.slice(8); // nil, count
    const text = String.fromCharCode(...chars.filter((_, i) => i % 4 === 3));
    const { rspauth } = digestProofs(fieldsOf(text), "pencil");
    daemon.reply(answer, saslRet(`rspauth=${rspauth}`, 1));
    daemon.write(words(4096, 0x20008086, 1)); // the beginning of a message that somebody else wrote
    await expect(login).rejects.toMatchObject({ name: "TransportError", code: "io" });
    expect(await client.closed).toMatchObject({ code: "io" });
  });
});

describe("credentials", () => {
  test("auth.conf first, then the callback, who gets all open questions at once", async () => {
    const conf: Record<string, string> = { authname: "user" };
    const lookup = vi.fn((_service: string, _host: string, key: string) => conf[key]);
    const asked = vi.fn((_requests: readonly CredentialRequest[], _signal: AbortSignal) => ["pencil"]);
    const { login } = connected(scramDaemon().handlers);
    await login({ authConf: lookup, credentials: asked, host: "there" });
    expect(lookup.mock.calls).toEqual([
      ["libvirt", "there", "authname"],
      ["libvirt", "there", "password"],
    ]);
    expect(asked.mock.calls.map(([requests]) => requests)).toEqual([
      [{ type: VIR_CRED_PASSPHRASE, prompt: "Password" }],
    ]);
  });

  test("both from the callback, which may take its time", async () => {
    const { login } = connected(scramDaemon().handlers);
    const types: number[] = [];
    await login({
      credentials: async (requests) => {
        types.push(...requests.map(({ type }) => type));
        await new Promise((resolve) => setImmediate(resolve));
        return ["user", "pencil"];
      },
    });
    expect(types).toEqual([VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE]);
  });

  test("a user name is asked for where the callback can answer it; empty is nobody else", async () => {
    for (const [answer, expected] of [
      ["other", "other\0user\0pencil"],
      ["", "\0user\0pencil"],
      [undefined, "\0user\0pencil"],
    ] as const) {
      const { handlers, heard } = saslDaemon("PLAIN", [() => says(null, true)]);
      await connected(handlers).login({
        credentialTypes: [VIR_CRED_USERNAME, VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE],
        credentials: (requests) => {
          expect(requests.map(({ type }) => type)).toEqual([VIR_CRED_USERNAME, VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE]);
          return [answer, "user", "pencil"];
        },
      });
      expect(heard[0]?.text).toBe(expected);
    }
  });

  test("the realm is asked for where there are several, with what the server knows", async () => {
    const realms = "realm=one,realm=two,nonce=a,algorithm=md5-sess";
    for (const [answer, expected] of [
      ["two", "two"],
      ["", "one"],
    ] as const) {
      const { handlers, heard } = saslDaemon("DIGEST-MD5", [() => says(realms), () => says(null, true)]);
      await refusal(
        connected(handlers).login({
          credentials: (requests) => {
            expect(requests[2]).toEqual({
              type: VIR_CRED_REALM,
              prompt: "Realm",
              challenge: "Choose one of: {one}, {two}",
              defaultResult: "one",
            });
            return ["user", "pencil", answer];
          },
        }),
      );
      expect(fieldsOf(heard[1]?.text ?? "").realm).toBe(expected);
    }
  });

  test.each([
    ["nobody to ask", {}, VIR_ERR_AUTH_FAILED, "No authentication callback available"],
    ["an answer too few", { credentials: () => ["user"] }, VIR_ERR_AUTH_FAILED, "Failed to collect auth credentials"],
    ["a fixed name alone", { credentials: { authname: "user" } }, VIR_ERR_AUTH_FAILED, "No authentication callback"],
    [
      "a callback that cannot answer",
      { credentials: () => ["x"], credentialTypes: [VIR_CRED_AUTHNAME] },
      VIR_ERR_AUTH_FAILED,
      "Failed to make auth credentials",
    ],
    ["a callback that cancels", { credentials: () => undefined }, VIR_ERR_AUTH_CANCELLED, "authentication cancelled"],
    [
      "a callback that fails",
      { credentials: () => Promise.reject(new Error("no terminal")) },
      VIR_ERR_AUTH_FAILED,
      "Failed to collect auth credentials",
    ],
  ] as [string, AuthOptions, number, string][])("%s: refused", async (_name, options, code, message) => {
    const { login, client } = connected({
      ...scramDaemon().handlers,
      connectGetHostname: () => ({ hostname: "here" }),
    });
    const error = await refusal(login(options));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(await client.call(connectGetHostname, undefined)).toEqual({ hostname: "here" });
  });

  test("what auth.conf's reader throws is what the login rejects with", async () => {
    const { login } = connected(scramDaemon().handlers);
    const wrong = virtError(VirErrorNumber.VIR_ERR_CONF_SYNTAX, VirErrorDomain.VIR_FROM_AUTH, "group");
    const login1 = login({
      authConf: () => {
        throw wrong;
      },
    });
    await expect(login1).rejects.toBe(wrong);
  });
});

describe("an end on the way", () => {
  test.each(["authList", "authSaslInit", "authSaslStart", "authSaslStep"])(
    "the signal gives up while the daemon is silent in %s",
    async (where) => {
      const { handlers } = scramDaemon();
      const abort = new AbortController();
      const { login } = connected({
        ...handlers,
        [where]: () => {
          abort.abort(new Error("enough"));
          return new Promise(() => {});
        },
      });
      const error = await login({ credentials: right, signal: abort.signal }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(AbortError);
      expect(error).toMatchObject({ cause: expect.objectContaining({ message: "enough" }) });
    },
  );

  test.each(["authList", "authSaslInit", "authSaslStart", "authSaslStep"])(
    "the daemon closes instead of answering %s",
    async (where) => {
      const { handlers } = scramDaemon();
      const all = connected({
        ...handlers,
        [where]: () => {
          void all.daemon.close(new Error("x"));
          return new Promise(() => {});
        },
      });
      await expect(all.login({ credentials: right })).rejects.toBeInstanceOf(TransportError);
    },
  );

  test("both end a callback that never answers, and tell it", async () => {
    for (const how of ["signal", "daemon"]) {
      const abort = new AbortController();
      const all = connected(scramDaemon().handlers);
      let told: AbortSignal | undefined;
      const login = all.login({
        signal: abort.signal,
        credentials: (_requests, signal) => {
          told = signal;
          if (how === "signal") abort.abort();
          else void all.daemon.close(new Error("x"));
          return new Promise(() => {});
        },
      });
      await expect(login).rejects.toBeInstanceOf(how === "signal" ? AbortError : TransportError);
      expect(told?.aborted).toBe(true);
    }
  });

  test("a signal that gave up before asks nothing", async () => {
    const { handlers, heard } = scramDaemon();
    const { login } = connected(handlers);
    await expect(login({ signal: AbortSignal.abort(), credentials: right })).rejects.toBeInstanceOf(AbortError);
    expect(heard).toEqual([]);
  });

  test("no listener stays on the signal", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await connected(scramDaemon().handlers).login({ signal, credentials: right });
    expect(removed.mock.calls.length).toBeGreaterThanOrEqual(added.mock.calls.length);
  });
});
