/** Our logins against real libvirtd, whose SASL is Cyrus'. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Credentials } from "../../src/auth/credentials.ts";
import { DigestMd5Client } from "../../src/auth/digest-md5.ts";
import { type AuthOptions, type AuthResult, authenticate } from "../../src/auth/index.ts";
import { SecurityLayerTransport } from "../../src/auth/security-layer.ts";
import type { SecurityLayer } from "../../src/auth/server.ts";
import { VirErrorDomain, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import {
  authSaslInit,
  authSaslStart,
  authSaslStep,
  connectGetCapabilities,
  connectGetHostname,
  connectGetLibVersion,
  connectOpen,
  domainDefineXml,
  domainGetXmlDesc,
  domainUndefine,
} from "../../src/generated/remote/index.ts";
import { Peer } from "../../src/rpc/index.ts";
import { dialTls, sockets, type Transport } from "../../src/transport/index.ts";
import { Lab, type LabHost, type LabState, labObstacle } from "../lab/lab.ts";
import { part } from "./part.ts";

const right = { authname: "lab", password: "secret" };
const refusedBySasl = {
  code: VirErrorNumber.VIR_ERR_AUTH_FAILED,
  domain: VirErrorDomain.VIR_FROM_RPC,
  message: "authentication failed: authentication failed",
};

part("our logins at libvirtd", labObstacle(), () => {
  let lab: Lab;
  let state: LabState;
  const open: Peer[] = [];
  beforeAll(async () => {
    lab = await Lab.up({ hosts: ["alpha"], up: ["--tls", "--auth", "sasl"], tag: "vwau", net: "10.82.0" });
    const other = "SCRAM-SHA-512 CRAM-MD5 ANONYMOUS";
    await lab.command("up", "--hosts", "beta", "--tls", "--auth", "sasl", "--mechs", other);
    state = await lab.state();
    await addUser("alpha", "unicode", "pässwörd");
    await addUser("alpha", "ligature", "of\ufb01ce"); // SASLprep would make "office" of it
  });
  afterEach(async () => {
    for (const peer of open.splice(0)) await peer.close();
  });
  afterAll(async () => await lab?.down());

  const host = (name: string): LabHost => state.hosts[name] as LabHost;

  async function addUser(on: string, name: string, password: string): Promise<void> {
    const file = join(state.dir, on, "etc/libvirt/passwd.db");
    const child = spawn("saslpasswd2", ["-p", "-c", "-a", "libvirt", "-u", on, "-f", file, name]);
    child.stdin.end(password);
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
  }

  async function dial(access: "unix" | "tcp" | "tls", name = "alpha"): Promise<Transport> {
    const { unix, ip, tcp, tls } = host(name);
    if (access === "unix") return (await sockets()).dialUnix(unix);
    if (access === "tcp") return (await sockets()).dialTcp(ip, tcp);
    const { ca, cert, key } = state.pki;
    return dialTls({ host: ip, port: tls as number, ca, cert, key });
  }

  async function connected(access: "unix" | "tcp" | "tls", name?: string) {
    const layer = new SecurityLayerTransport(await dial(access, name));
    const peer = new Peer(layer, { maxCalls: 4 });
    open.push(peer);
    const login = (options: AuthOptions): Promise<AuthResult> =>
      authenticate(peer, { layer, host: "alpha", ...options });
    return { peer, layer, login };
  }

  /** That the login counts: everything but the login itself is refused before it. */
  async function works(peer: Peer): Promise<void> {
    await peer.call(connectOpen, { name: "test:///default", flags: 0 });
    expect((await peer.call(connectGetHostname, undefined)).hostname).not.toBe("");
  }

  describe.each(["unix", "tls"] as const)("over %s", (access) => {
    test.each([
      [undefined, "SCRAM-SHA-256"],
      ["sasl", "SCRAM-SHA-256"],
      ["sasl.SCRAM-SHA-1", "SCRAM-SHA-1"],
      ["SASL.digest-md5", "DIGEST-MD5"],
      ["sasl.PLAIN", "PLAIN"],
    ])("auth=%s takes %s, without a layer", async (auth, mechanism) => {
      const { peer, login } = await connected(access);
      const result = await login({ ...(auth === undefined ? {} : { auth }), credentials: right });
      expect(result).toEqual({ type: "sasl", mechanism, ssf: 0 });
      await works(peer);
    });

    test.each(["SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN"])(
      "%s: a wrong password and an unknown user are refused; the connection takes the right ones after that",
      async (mechanism) => {
        const { peer, login } = await connected(access);
        const mechanisms = [mechanism];
        for (const wrong of [
          { authname: "lab", password: "Secret" },
          { authname: "nobody", password: "secret" },
        ]) {
          await expect(login({ mechanisms, credentials: wrong })).rejects.toMatchObject(refusedBySasl);
        }
        expect(await login({ mechanisms, credentials: right })).toMatchObject({ mechanism });
        await works(peer);
      },
    );

    test("other mechanisms that libvirtd has when told", async () => {
      for (const [mechanisms, mechanism] of [
        [undefined, "SCRAM-SHA-512"],
        [["CRAM-MD5"], "CRAM-MD5"],
        [["ANONYMOUS"], "ANONYMOUS"],
      ] as const) {
        const { peer, login } = await connected(access, "beta");
        const result = await login({ ...(mechanisms && { mechanisms }), host: "beta", credentials: right });
        expect(result).toEqual({ type: "sasl", mechanism, ssf: 0 });
        await works(peer);
      }
    });

    test("acting as oneself may be said", async () => {
      for (const mechanism of ["SCRAM-SHA-256", "DIGEST-MD5", "PLAIN"]) {
        const { peer, login } = await connected(access);
        await login({ mechanisms: [mechanism], credentials: { ...right, username: "lab" } });
        await works(peer);
      }
    });
  });

  test.each(["SCRAM-SHA-256", "DIGEST-MD5", "PLAIN"])(
    "%s: passwords outside ASCII, and one that SASLprep would change",
    async (mechanism) => {
      for (const credentials of [
        { authname: "unicode", password: "pässwörd" },
        { authname: "ligature", password: "of\ufb01ce" },
      ]) {
        const { peer, login } = await connected("unix");
        await login({ mechanisms: [mechanism], credentials });
        await works(peer);
      }
    },
  );

  describe("over plain tcp", () => {
    test("DIGEST-MD5 encrypts, as virsh's login there does", async () => {
      const { peer, layer, login } = await connected("tcp");
      expect(layer.peer.secure).toBe(false);
      expect(await login({ credentials: right })).toEqual({ type: "sasl", mechanism: "DIGEST-MD5", ssf: 128 });
      expect(peer.identity).toMatchObject({ secure: true, security: { encrypted: true, ssf: 128 } });
      await works(peer);
    });

    test("messages larger than a token, both ways, and many at once", async () => {
      const { peer, login } = await connected("tcp");
      await login({ credentials: right });
      await works(peer);
      const description = "0123456789abcdef".repeat(20_000);
      const xml = `<domain type='test'><name>large</name><memory>1024</memory><description>${description}</description><os><type>hvm</type></os></domain>`;
      const { dom } = await peer.call(domainDefineXml, { xml });
      expect((await peer.call(domainGetXmlDesc, { dom, flags: 0 })).xml).toContain(description);
      const versions = await Promise.all(Array.from({ length: 200 }, () => peer.call(connectGetLibVersion, undefined)));
      expect(new Set(versions.map(({ libVer }) => libVer)).size).toBe(1);
      await peer.call(domainUndefine, { dom });
    });

    // 3des is offered too, but Cyrus SASL 2.1.28 with OpenSSL 3 "couldn't init cipher '3des'".
    test("the cipher rc4-56, where stronger ones may not be", async () => {
      const { peer, layer } = await connected("tcp");
      await peer.call(authSaslInit, undefined);
      const credentials = new Credentials({ credentials: right }, new AbortController().signal);
      const client = new DigestMd5Client({ credentials, service: "libvirt", host: "alpha", minSsf: 56, maxSsf: 56 });
      const first = await peer.call(authSaslStart, { mech: "DIGEST-MD5", nil: 1, data: new Uint8Array(0) });
      const { data } = await client.step(first.data);
      const last = await peer.call(authSaslStep, { nil: 0, data: data as Uint8Array });
      expect(last.complete).toBe(1);
      expect(await client.step(last.data)).toEqual({ data: null, complete: true });
      expect(client.layer?.ssf).toBe(56);
      layer.secure(client.layer as SecurityLayer);
      await works(peer);
      const { capabilities } = await peer.call(connectGetCapabilities, undefined);
      expect(capabilities).toContain("<capabilities>");
    });

    test("a wrong password is refused in clear, and the right one taken after that", async () => {
      const { peer, login } = await connected("tcp");
      const wrong = { authname: "lab", password: "no" };
      await expect(login({ credentials: wrong })).rejects.toMatchObject(refusedBySasl);
      await login({ credentials: right });
      await works(peer);
    });

    test.each(["SCRAM-SHA-256", "PLAIN"])("%s does not encrypt: libvirtd does not offer it", async (mechanism) => {
      const { login } = await connected("tcp");
      await expect(login({ auth: `sasl.${mechanism}`, credentials: right })).rejects.toMatchObject({
        code: VirErrorNumber.VIR_ERR_AUTH_FAILED,
        message: `authentication failed: SASL mechanism ${mechanism} not supported by server`,
      });
    });

    test("a libvirtd without any mechanism that encrypts refuses the first question", async () => {
      const { login } = await connected("tcp", "beta");
      await expect(login({ credentials: right })).rejects.toMatchObject(refusedBySasl);
    });
  });

  test("the read-only socket wants nothing; asked for SASL or polkit, it has none", async () => {
    const ro = async () => new Peer(await (await sockets()).dialUnix(host("alpha").unixReadOnly));
    for (const [auth, outcome] of [
      [undefined, { type: "none", ssf: 0 }],
      ["sasl", "authentication failed: requested authentication type sasl rejected"],
      ["polkit", "authentication failed: requested authentication type polkit rejected"],
    ] as const) {
      const peer = await ro();
      open.push(peer);
      const login = authenticate(peer, auth === undefined ? {} : { auth });
      if (typeof outcome === "string") await expect(login).rejects.toMatchObject({ code: 45, message: outcome });
      else expect(await login).toEqual(outcome);
    }
  });

  test("a login that the caller cancels leaves libvirtd waiting for the rest of it", async () => {
    const { login } = await connected("unix");
    const { VIR_ERR_AUTH_CANCELLED: code } = VirErrorNumber;
    await expect(login({ credentials: () => undefined })).rejects.toMatchObject({ code });
    await expect(login({ credentials: right })).rejects.toMatchObject(refusedBySasl);
  });

  test("auth.conf answers without a callback", async () => {
    const conf = await readFile(join(state.dir, "auth.conf"), "utf8");
    const { peer, login } = await connected("unix");
    const asked: string[] = [];
    await login({
      authConf: (service, at, key) => {
        asked.push(`${service} ${at} ${key}`);
        return new RegExp(`^${key}=(.*)$`, "m").exec(conf)?.[1];
      },
    });
    expect(asked).toEqual(["libvirt alpha authname", "libvirt alpha password"]);
    await works(peer);
  });
});
