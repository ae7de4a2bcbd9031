import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { CramMd5Client } from "../../src/auth/cram-md5.ts";
import { Credentials } from "../../src/auth/credentials.ts";
import { DigestMd5Client, digestResponse } from "../../src/auth/digest-md5.ts";
import type { FixedCredentials } from "../../src/auth/index.ts";
import type { SaslClient, SaslContext } from "../../src/auth/mechanism.ts";
import { anonymous, external, plain } from "../../src/auth/plain.ts";
import { Rc4 } from "../../src/auth/rc4.ts";
import { ScramClient } from "../../src/auth/scram.ts";
import { VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { digestProofs, fieldsOf, ScramServer, textOf } from "./scripted-daemon.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const never = new AbortController().signal;

function context(credentials: FixedCredentials, more: Partial<SaslContext> = {}): SaslContext {
  const answers = new Credentials({ credentials }, never);
  return { credentials: answers, service: "libvirt", host: "localhost", minSsf: 0, maxSsf: 0, ...more };
}

async function said(step: Promise<{ data: Uint8Array | null }>): Promise<string | null> {
  const { data } = await step;
  return data === null ? null : textOf(data);
}

/** The message of the VIR_ERR_AUTH_FAILED that a step rejects with. */
async function refusal(step: Promise<unknown>): Promise<string> {
  const error = await step.then(
    () => undefined,
    (reason: unknown) => reason as Error & { code: number },
  );
  expect(error).toMatchObject({ name: "VirtError", code: VirErrorNumber.VIR_ERR_AUTH_FAILED });
  return (error?.message ?? "").replace("authentication failed: ", "");
}

describe("SCRAM", () => {
  test("RFC 5802 section 5", async () => {
    const login = { authname: "user", password: "pencil" };
    const client = new ScramClient("SHA-1", context(login, { nonce: "fyko+d2lbbFgONRv9qkxdawL" }));
    expect(await said(client.start())).toBe("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    const first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    expect(await said(client.step(bytes(first)))).toBe(
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    );
    expect(await client.step(bytes("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))).toEqual({ data: null, complete: true });
  });

  test("RFC 7677 section 3", async () => {
    const login = { authname: "user", password: "pencil" };
    const client = new ScramClient("SHA-256", context(login, { nonce: "rOprNGfwEbeRWgbNEkqO" }));
    expect(await said(client.start())).toBe("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    const first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    expect(await said(client.step(bytes(first)))).toBe(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    const final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    expect(await client.step(bytes(final))).toEqual({ data: null, complete: true });
  });

  test.each([
    ["SHA-1", "sha1"],
    ["SHA-256", "sha256"],
    ["SHA-512", "sha512"],
  ] as const)("%s with a server of another library, and names that need escapes", async (ours, theirs) => {
    const login = { authname: "a=b,c", username: "x,y=z", password: "pässwörd" };
    const client = new ScramClient(ours, context(login, { nonce: "abc" }));
    const server = new ScramServer(theirs, "pässwörd");
    const first = (await said(client.start())) ?? "";
    expect(first).toBe("n,a=x=2Cy=3Dz,n=a=3Db=2Cc,r=abc");
    const answer = (await said(client.step(bytes(server.first(first))))) ?? "";
    const verdict = server.final(answer);
    expect(verdict).toBeDefined();
    expect(await client.step(bytes(verdict ?? ""))).toEqual({ data: null, complete: true });
  });

  test("an empty password works", async () => {
    const client = new ScramClient("SHA-256", context({ authname: "user", password: "" }));
    const server = new ScramServer("sha256", "");
    const answer = await said(client.step(bytes(server.first((await said(client.start())) ?? ""))));
    expect(server.final(answer ?? "")).toBeDefined();
  });

  const salt = "s=QSXCR+Q6sek8bf92";
  test.each([
    ["nothing", null],
    ["an empty message", ""],
    ["an extension that must be understood", `m=x,r=abcdef,${salt},i=4096`],
    ["another nonce", `r=xyzdef,${salt},i=4096`],
    ["our nonce and no more", `r=abc,${salt},i=4096`],
    ["no salt", "r=abcdef,i=4096"],
    ["an empty salt", "r=abcdef,s=,i=4096"],
    ["salt that is not base64", "r=abcdef,s=Q!==,i=4096"],
    ["base64 without padding", "r=abcdef,s=QSXCR+Q,i=4096"],
    ["no count", `r=abcdef,${salt}`],
    ["a count that is none", `r=abcdef,${salt},i=many`],
    ["a negative count", `r=abcdef,${salt},i=-4096`],
    ["too few iterations", `r=abcdef,${salt},i=4095`],
    ["too many iterations", `r=abcdef,${salt},i=10000001`],
    ["a count beyond numbers", `r=abcdef,${salt},i=${"9".repeat(400)}`],
    ["the wrong order", `${salt},r=abcdef,i=4096`],
  ])("%s as the server's first message is refused", async (_name, message) => {
    const client = new ScramClient("SHA-256", context({ authname: "user", password: "pencil" }, { nonce: "abc" }));
    await client.start();
    expect(await refusal(client.step(message === null ? null : bytes(message)))).toMatch(/^SCRAM: /);
  });

  test("extensions after the count are ignored", async () => {
    const client = new ScramClient("SHA-256", context({ authname: "user", password: "pencil" }, { nonce: "abc" }));
    await client.start();
    expect(await said(client.step(bytes(`r=abcdef,${salt},i=4096,x=y`)))).toMatch(/^c=biws,r=abcdef,p=/);
  });

  test.each([
    ["a signature of another password", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="],
    ["a short signature", "v=rmE="],
    ["an empty signature", "v="],
    ["no signature", ""],
    ["an error of the server", "e=invalid-proof"],
  ])("%s as its last is refused", async (_name, message) => {
    const client = new ScramClient("SHA-256", context({ authname: "user", password: "pencil" }, { nonce: "abc" }));
    await client.start();
    await client.step(bytes(`r=abcdef,${salt},i=4096`));
    await refusal(client.step(bytes(message)));
    expect(await refusal(client.step(bytes(message)))).toBe("SCRAM: the server goes on after its last message");
  });

  test("bytes that are not text are refused", async () => {
    const client = new ScramClient("SHA-256", context({ authname: "user", password: "pencil" }));
    await client.start();
    expect(await refusal(client.step(Uint8Array.of(0x72, 0x3d, 0xff)))).toMatch(/not text/);
  });

  test("a name with a zero character, or none, is refused", async () => {
    for (const authname of ["", "a\0b"]) {
      await refusal(new ScramClient("SHA-256", context({ authname, password: "x" })).start());
    }
  });
});

describe("DIGEST-MD5", () => {
  test("RFC 2831 section 4, with IMAP", async () => {
    const login = { authname: "chris", password: "secret" };
    const host = "elwood.innosoft.com";
    const client = new DigestMd5Client(context(login, { service: "imap", host, nonce: "OA6MHXh6VqTrRk" }));
    expect(await client.start()).toEqual({ data: null, complete: false });
    const challenge = 'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8';
    const response = (await said(client.step(bytes(challenge)))) ?? "";
    expect(fieldsOf(response)).toEqual({
      charset: "utf-8",
      username: "chris",
      realm: "elwood.innosoft.com",
      nonce: "OA6MG9tEQGm2hh",
      nc: "00000001",
      cnonce: "OA6MHXh6VqTrRk",
      "digest-uri": "imap/elwood.innosoft.com",
      response: "d388dad90d4bbd760a152321f2143af7",
      qop: "auth",
    });
    const verdict = await client.step(bytes("rspauth=ea40f60335c427b5527b84dbabcdfffd"));
    expect(verdict).toEqual({ data: null, complete: true });
    expect(client.layer).toBeUndefined();
  });

  test("RFC 2831 section 4, with ACAP", () => {
    const { response, rspauth } = digestResponse({
      authname: "chris",
      realm: "elwood.innosoft.com",
      password: "secret",
      authzid: "",
      nonce: "OA9BSXrbuRhWay",
      cnonce: "OA9BSuZWMSpW8m",
      qop: "auth",
      uri: "acap/elwood.innosoft.com",
    });
    expect(response).toBe("6084c6db3fede7352c551284490fd0fc");
    expect(rspauth).toBe("2f0b3d7c3c2e486600ef710726aa2eae");
  });

  // As libvirtd 9.0.0 on Debian 12 sends it over plain TCP, in another order.
  const libvirtd =
    'nonce="xyz",realm="alpha",qop="auth-conf",cipher="rc4-56,rc4,3des",maxbuf=65536,charset=utf-8,algorithm=md5-sess';
  const login = { authname: "lab", password: "secret" };

  test.each([
    [56, 100_000, "auth-conf", "rc4", 128],
    [56, 112, "auth-conf", "3des", 112],
    [56, 111, "auth-conf", "rc4-56", 56],
  ])("takes the strongest cipher from %i to %i bits", async (minSsf, maxSsf, qop, cipher, ssf) => {
    const client = new DigestMd5Client(context(login, { minSsf, maxSsf }));
    await client.start();
    const fields = fieldsOf((await said(client.step(bytes(libvirtd)))) ?? "");
    expect(fields).toMatchObject({ qop, cipher, maxbuf: "65536" });
    expect(fields.response).toBe(digestProofs(fields, "secret").response);
    expect(client.layer?.ssf).toBe(ssf);
  });

  test.each([
    ['qop="auth,auth-int,auth-conf",cipher="des,rc4-40"', 0, 55, { qop: "auth-conf", cipher: "des" }],
    ['qop="auth,auth-int,auth-conf",cipher="des,rc4-40"', 0, 54, { qop: "auth-conf", cipher: "rc4-40" }],
    ['qop="auth,auth-int,auth-conf",cipher="des,rc4-40"', 0, 39, { qop: "auth-int" }],
    ['qop="auth,auth-int,auth-conf",cipher="aes"', 0, 100_000, { qop: "auth-int" }],
    ['qop="auth,auth-int,auth-conf",cipher="rc4"', 0, 0, { qop: "auth" }],
    ['qop="AUTH , auth-unknown"', 0, 0, { qop: "auth" }],
    ["", 0, 0, { qop: "auth" }],
  ])("%s from %i to %i bits", async (offer, minSsf, maxSsf, expected) => {
    const client = new DigestMd5Client(context(login, { minSsf, maxSsf }));
    await client.start();
    const answer = (await said(client.step(bytes(`nonce=xyz,algorithm=md5-sess,${offer}`)))) ?? "";
    expect(fieldsOf(answer)).toMatchObject(expected);
  });

  test.each([
    ["nothing", null],
    ["an empty message", ""],
    ["no nonce", "realm=a,algorithm=md5-sess"],
    ["an empty nonce", 'nonce="",algorithm=md5-sess'],
    ["two nonces", "nonce=a,nonce=b,algorithm=md5-sess"],
    ["no algorithm", "nonce=a"],
    ["another algorithm", "nonce=a,algorithm=md5"],
    ["two algorithms", "nonce=a,algorithm=md5-sess,algorithm=md5-sess"],
    ["another charset", "nonce=a,algorithm=md5-sess,charset=latin1"],
    ["two maxbufs", "nonce=a,algorithm=md5-sess,maxbuf=65536,maxbuf=65536"],
    ["a small maxbuf", "nonce=a,algorithm=md5-sess,maxbuf=16"],
    ["a large maxbuf", "nonce=a,algorithm=md5-sess,maxbuf=16777216"],
    ["a maxbuf that is none", "nonce=a,algorithm=md5-sess,maxbuf=1e5"],
    ["no protection that we may use", 'nonce=a,algorithm=md5-sess,qop="auth-int"'],
    ["no protection that exists", 'nonce=a,algorithm=md5-sess,qop="other"'],
    ["a name alone", "nonce"],
    ["an open quote", 'nonce="a'],
    ["text after a quote", 'nonce="a"b,algorithm=md5-sess'],
    ["a value without name", "=a,nonce=a,algorithm=md5-sess"],
  ])("%s as the challenge is refused", async (_name, challenge) => {
    const client = new DigestMd5Client(context(login));
    await client.start();
    expect(await refusal(client.step(challenge === null ? null : bytes(challenge)))).toMatch(/^DIGEST-MD5: /);
  });

  test("a hostile challenge is read in linear time", async () => {
    for (const piece of ['"', "a", "a=", "\\", " ,", 'a="\\"', "a=a ,", 'a="\\" ,']) {
      for (const start of ["", 'a="', "a ", "nonce=a,"]) {
        const client = new DigestMd5Client(context(login));
        await client.start();
        await refusal(client.step(bytes(start + piece.repeat(65_000 / piece.length))));
      }
    }
  });

  test.each([
    ["another proof", "rspauth=00000000000000000000000000000000"],
    ["a short proof", "rspauth=ea40"],
    ["no proof", ""],
  ])("%s of the server is refused", async (_name, message) => {
    const client = new DigestMd5Client(context(login));
    await client.start();
    await client.step(bytes("nonce=a,algorithm=md5-sess"));
    expect(await refusal(client.step(bytes(message)))).toMatch(/does not prove/);
    expect(await refusal(client.step(bytes(message)))).toMatch(/goes on/);
  });

  test("quotes and backslashes in names and realms are escaped, and read", async () => {
    const client = new DigestMd5Client(context({ authname: 'a"b\\c', password: "x" }));
    await client.start();
    const answer = await said(client.step(bytes('nonce="n\\"1\\\\",realm="r\\"2",algorithm=md5-sess')));
    expect(answer).toContain('username="a\\"b\\\\c",realm="r\\"2",nonce="n\\"1\\\\"');
  });

  test("where the server names no realm, it is the host", async () => {
    const client = new DigestMd5Client(context(login, { host: "somewhere" }));
    await client.start();
    expect(await said(client.step(bytes("nonce=a,algorithm=md5-sess")))).toContain('realm="somewhere"');
  });

  test("where it names several, it is the one given, else the first", async () => {
    for (const [realm, expected] of [
      [undefined, "one"],
      ["two", "two"],
    ]) {
      const client = new DigestMd5Client(context({ ...login, ...(realm === undefined ? {} : { realm }) }));
      await client.start();
      const answer = await said(client.step(bytes("realm=one,realm=two,nonce=a,algorithm=md5-sess")));
      expect(answer).toContain(`realm="${expected}"`);
    }
  });

  test("names beyond ISO 8859-1 want a server that takes UTF-8", async () => {
    const unicode = { authname: "日本", password: "x" };
    const client = new DigestMd5Client(context(unicode));
    await client.start();
    expect(await refusal(client.step(bytes("nonce=a,algorithm=md5-sess")))).toMatch(/ISO 8859-1/);
    const other = new DigestMd5Client(context(unicode));
    await other.start();
    expect(await said(other.step(bytes("nonce=a,algorithm=md5-sess,charset=utf-8")))).toContain('username="日本"');
  });
});

describe("mechanisms of one message", () => {
  test("PLAIN, RFC 4616 section 4", async () => {
    const tim = plain(context({ authname: "tim", password: "tanstaaftanstaaf" }));
    expect(await tim.start()).toEqual({ data: bytes("\0tim\0tanstaaftanstaaf"), complete: true });
    const kurt = plain(context({ username: "Ursel", authname: "Kurt", password: "xipj3plmq" }));
    expect(await said(kurt.start())).toBe("Ursel\0Kurt\0xipj3plmq");
  });

  test("PLAIN refuses zero characters and the empty name", async () => {
    for (const login of [
      { authname: "", password: "x" },
      { authname: "a\0b", password: "x" },
      { authname: "a", password: "x\0y" },
      { authname: "a", username: "\0", password: "x" },
    ]) {
      const message = await refusal(plain(context(login)).start());
      expect(message).not.toContain("x");
    }
  });

  test("EXTERNAL says as whom to act, or an empty message, which is one", async () => {
    expect(await said(external(context({})).start())).toBe("");
    expect(await said(external(context({ username: "other" })).start())).toBe("other");
  });

  test("ANONYMOUS asks for nothing", async () => {
    expect(await anonymous().start()).toMatchObject({ complete: true });
  });

  test("a server that goes on is refused", async () => {
    const clients: SaslClient[] = [
      plain(context({ authname: "a", password: "b" })),
      external(context({})),
      anonymous(),
    ];
    for (const client of clients) {
      await client.start();
      await refusal(client.step(bytes("more")));
    }
  });
});

describe("CRAM-MD5", () => {
  test("RFC 2195 section 2", async () => {
    const client = new CramMd5Client(context({ authname: "tim", password: "tanstaaftanstaaf" }));
    expect(await client.start()).toEqual({ data: null, complete: false });
    const step = await client.step(bytes("<1896.697170952@postoffice.reston.mci.net>"));
    expect(step).toEqual({ data: bytes("tim b913a602c7eda7a495b4e6e7334d3890"), complete: true });
    await refusal(client.step(bytes("more")));
  });

  test("no challenge at all is refused, an empty one is one", async () => {
    const login = { authname: "tim", password: "x" };
    await refusal(new CramMd5Client(context(login)).step(null));
    const digest = createHmac("md5", "x").update("").digest("hex");
    expect(await said(new CramMd5Client(context(login)).step(new Uint8Array(0)))).toBe(`tim ${digest}`);
  });
});

test.each([
  ["0102030405", 0, "b2396305f03dc027ccc3524a0a1118a8"],
  ["0102030405", 4096, "ff25b58995996707e51fbdf08b34d875"],
  ["0102030405060708090a0b0c0d0e0f10", 0, "9ac7cc9a609d1ef7b2932899cde41b97"],
  ["0102030405060708090a0b0c0d0e0f10", 240, "065902e4b620f6cc36c8589f66432f2b"],
])("RC4, RFC 6229: key %s at %i", (key, at, expected) => {
  const rc4 = new Rc4(Buffer.from(key, "hex"));
  for (let i = 0; i < at; i++) rc4.apply(new Uint8Array(1));
  const stream = new Uint8Array(16);
  rc4.apply(stream);
  expect(Buffer.from(stream).toString("hex")).toBe(expected);
});
