import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server, type TlsOptions as ServerOptions, type TLSSocket } from "node:tls";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { dialTls, type TlsOptions, type Transport, TransportError } from "../../src/transport/index.ts";
import { type CertificateOptions, type Issued, TestAuthority } from "./certificates.ts";
import { leavesNothing } from "./leak.ts";

let authority: TestAuthority;
let client: Issued;
let good: Issued;
beforeAll(() => {
  authority = new TestAuthority();
  client = authority.issue({ name: "client", purposes: ["client"] });
  good = authority.issue({ name: "server", altNames: ["IP:127.0.0.1", "DNS:localhost"], purposes: ["server"] });
});

interface ListenOptions extends ServerOptions {
  /** What a server does with a client that has shaken hands. Default: accepts it. */
  readonly next?: (socket: TLSSocket) => void;
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server like libvirtd: asks for a certificate, takes whatever comes, and says so in a byte. */
async function listen({
  next = (socket) => socket.write(Uint8Array.of(1)),
  ...options
}: ListenOptions): Promise<number> {
  const sockets = new Set<TLSSocket>();
  const server: Server = createServer({ requestCert: true, rejectUnauthorized: false, ...options }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    next(socket);
  });
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

const serving = ({ cert, key }: Issued, more: Partial<ListenOptions> = {}) => listen({ cert, key, ...more });

/** Dials with what makes a good connection, changed. */
const dial = (port: number, more: Partial<TlsOptions> = {}) =>
  dialTls({ host: "127.0.0.1", port, ca: authority.cert, cert: client.cert, key: client.key, ...more });

/** The TransportError of a dial that must fail and leave nothing behind. */
function refusal(work: () => Promise<Transport>): Promise<TransportError> {
  return leavesNothing(async () => {
    const error = await work().then(
      () => new Error("nothing was refused"),
      (reason: unknown) => reason,
    );
    if (error instanceof TransportError) return error;
    throw error;
  });
}

test("tls/accepted: bytes behind the server's byte are the first of the pipe", async () => {
  const port = await serving(good, { next: (socket) => socket.write(Uint8Array.of(1, 5, 6)) });
  const transport = await dial(port);
  const bytes = await new Promise<Uint8Array>((resolve) => {
    transport.start({ bytes: (chunk) => resolve(chunk.slice()), end: () => resolve(new Uint8Array()) });
  });
  expect([...bytes]).toEqual([5, 6]);
  expect(transport.peer).toMatchObject({
    transport: "tls",
    address: `tls://127.0.0.1:${port}`,
    secure: true,
    local: true,
    security: { encrypted: true, ssf: 256 },
    tls: {
      protocol: "TLSv1.3",
      cipher: "TLS_AES_256_GCM_SHA384",
      subject: "CN=server",
      issuer: "CN=test CA",
      verified: true,
      fingerprint256: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
    },
  });
  await transport.close();
});

test("tls/pipe: both directions, and a peer that ends without close_notify ends the pipe without an error", async () => {
  const port = await serving(good, {
    next: (socket) => {
      socket.write(Uint8Array.of(1));
      socket.on("data", (chunk: Buffer) => {
        socket.write(chunk, () => (socket as unknown as { _handle: unknown } & TLSSocket).destroy());
      });
    },
  });
  const transport = await dial(port);
  const seen = await new Promise<number[]>((resolve, reject) => {
    const bytes: number[] = [];
    transport.start({
      bytes: (chunk) => bytes.push(...chunk),
      end: (error) => (error ? reject(error) : resolve(bytes)),
    });
    transport.write([Uint8Array.of(7), Uint8Array.of(8, 9)]);
  });
  expect(seen).toEqual([7, 8, 9]);
  await transport.close();
});

test("tls/sni: none is sent, neither for a name nor for an address", async () => {
  const seen: unknown[] = [];
  const port = await serving(good, {
    next: (socket) => {
      seen.push(socket.servername);
      socket.write(Uint8Array.of(1));
    },
  });
  await (await dial(port, { host: "localhost" })).close();
  await (await dial(port)).close();
  expect(seen).toEqual([false, false]);
});

describe("the server's certificate", () => {
  const cases: [string, Partial<CertificateOptions>, Partial<TlsOptions>, string, RegExp][] = [
    ["expired", { to: -0.5, from: -2 }, {}, "certificate-expired", /CN=server that tls:.*: notAfter: it expired on /],
    ["not yet valid", { from: 1 }, {}, "certificate-not-yet-valid", /notBefore: it is valid from .* on/],
    [
      "for another host",
      { altNames: ["DNS:other", "IP:127.0.0.2"] },
      {},
      "certificate-host",
      /subjectAltName: DNS:other, IP Address:127.0.0.2: it is not for 127.0.0.1/,
    ],
    [
      "for another name",
      { altNames: ["IP:127.0.0.1"] },
      { host: "localhost" },
      "certificate-host",
      /not for localhost/,
    ],
    [
      "common name beside an address",
      { name: "localhost", altNames: ["IP:127.0.0.1"] },
      { host: "localhost" },
      "certificate-host",
      /not for localhost/,
    ],
    [
      "common name beside another name",
      { name: "localhost", altNames: ["DNS:other"] },
      { host: "localhost" },
      "certificate-host",
      /not for localhost/,
    ],
    [
      "name that goes on behind a NUL",
      { altNames: ["DNS:localhost\0.evil.example"] },
      { host: "localhost" },
      "certificate-host",
      /not for localhost/,
    ],
    [
      "common name that goes on behind a NUL",
      { name: "localhost\0.evil.example", altNames: undefined as never },
      { host: "localhost" },
      "certificate-host",
      /not for localhost/,
    ],
    ["any name at all", { altNames: ["DNS:*"] }, { host: "localhost" }, "certificate-host", /not for localhost/],
    ["any address", { altNames: ["DNS:*.0.0.1"] }, {}, "certificate-host", /not for 127/],
    [
      "of a CA",
      { ca: true, keyUsage: 0x84 },
      {},
      "certificate-usage",
      /basicConstraints: it is a CA, where a server's/,
    ],
    ["critical key usage", { keyUsage: 0x08, critical: true }, {}, "certificate-usage", /keyUsage|\(INVALID_PURPOSE\)/],
    [
      "purpose of a client",
      { purposes: ["client"] },
      {},
      "certificate-usage",
      /extendedKeyUsage: it is not for a server/,
    ],
  ];
  test.each(cases)("tls/certificate %s", async (_, wrong, options, code, message) => {
    const cert = authority.issue({ name: "server", altNames: ["IP:127.0.0.1", "DNS:localhost"], ...wrong });
    const port = await serving(cert);
    const error = await refusal(() => dial(port, options));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    // The same with no_verify.
    const transport = await dial(port, { ...options, verify: false });
    expect(transport.peer.tls?.verified).toBe(false);
    await transport.close();
  });

  test("tls/certificate of another CA: named", async () => {
    const other = new TestAuthority({ name: "other CA" });
    const port = await serving(other.issue({ name: "server", altNames: ["IP:127.0.0.1"] }));
    const error = await refusal(() => dial(port));
    expect(error.code).toBe("certificate-untrusted");
    expect(error.message).toContain("CN=other CA is not among the CAs that we trust");
  });

  test("tls/certificate that signed itself: trusted where it is given, and then it has to be for that host", async () => {
    const own = new TestAuthority({ name: "own", ca: false, keyUsage: 0x80, altNames: ["IP:127.0.0.1"] });
    const port = await serving(own);
    expect((await refusal(() => dial(port))).code).toBe("certificate-untrusted");
    await (await dial(port, { ca: own.cert, sanity: false })).close();
    const elsewhere = () => dial(port, { ca: own.cert, sanity: false, host: "localhost" });
    expect((await refusal(elsewhere)).code).toBe("certificate-host");
  });

  test("tls/certificate of a CA with the right name and the wrong key", async () => {
    const impostor = new TestAuthority();
    const port = await serving(impostor.issue({ name: "server", altNames: ["IP:127.0.0.1"] }));
    expect((await refusal(() => dial(port))).code).toBe("certificate-untrusted");
  });

  const accepted: [string, Partial<CertificateOptions>, string][] = [
    ["common name without subjectAltName", { name: "localhost" }, "localhost"],
    ["address written as a name", { altNames: ["DNS:127.0.0.1"] }, "127.0.0.1"],
    ["address as common name", { name: "127.0.0.1" }, "127.0.0.1"],
    ["key usage that does not fit, not critical", { altNames: ["IP:127.0.0.1"], keyUsage: 0xc0 }, "127.0.0.1"],
    ["no basicConstraints", { altNames: ["IP:127.0.0.1"], ca: undefined as never }, "127.0.0.1"],
  ];
  test.each(accepted)("tls/certificate accepted: %s", async (_, fields, host) => {
    const port = await serving(authority.issue({ name: "server", ...fields }));
    const transport = await dial(port, { host });
    expect(transport.peer.tls?.verified).toBe(true);
    await transport.close();
  });

  test("tls/chain: through an intermediate CA, and to one that is trusted itself", async () => {
    const intermediate = new TestAuthority({ name: "intermediate" }, authority);
    const leaf = intermediate.issue({ name: "server", altNames: ["IP:127.0.0.1"] });
    const port = await serving(leaf, { cert: leaf.cert + intermediate.cert });
    await (await dial(port)).close();
    await (await dial(port, { ca: intermediate.cert, sanity: false })).close();
    const alone = await serving(leaf);
    expect((await refusal(() => dial(alone))).code).toBe("certificate-untrusted");
  });

  test("tls/chain: an expired intermediate is named", async () => {
    const intermediate = new TestAuthority({ name: "intermediate", from: -3, to: -0.5 }, authority);
    const leaf = intermediate.issue({ name: "server", altNames: ["IP:127.0.0.1"] });
    const port = await serving(leaf, { cert: leaf.cert + intermediate.cert });
    const error = await refusal(() => dial(port));
    expect([error.code, error.message]).toEqual([
      "certificate-expired",
      expect.stringContaining("issuer CN=intermediate: notAfter: it expired on"),
    ]);
  });

  test("tls/crl: revoked, not revoked, out of date", async () => {
    const revoked = authority.issue({ name: "server", altNames: ["IP:127.0.0.1"] });
    const crl = authority.revoke([revoked.serial]);
    const revokedPort = await serving(revoked);
    const error = await refusal(() => dial(revokedPort, { crl }));
    expect([error.code, error.message]).toEqual(["certificate-revoked", expect.stringContaining("revoked")]);
    const port = await serving(good);
    await (await dial(port, { crl })).close();
    await (await dial(port, { crl: "/nonexistent/cacrl.pem" })).close();
    const old = await refusal(() => dial(port, { crl: authority.revoke([], -0.5) }));
    expect([old.code, old.message]).toEqual(["certificate-revoked", expect.stringContaining("nextUpdate")]);
  });
});

describe("the server's byte", () => {
  const cases: [string, (socket: TLSSocket) => void, RegExp][] = [
    ["another byte", (socket) => socket.write(Uint8Array.of(0)), /refused our certificate or address: .* byte 0 /],
    ["end", (socket) => socket.end(), /closed the connection/],
    ["reset", (socket) => socket.destroy(), /refused our certificate or address/],
  ];
  test.each(cases)("tls/verdict %s", async (_, next, message) => {
    const port = await serving(good, { next });
    const error = await refusal(() => dial(port));
    expect([error.code, error.message]).toEqual(["rejected", expect.stringMatching(message)]);
  });

  test("tls/verdict after none of our certificates: said", async () => {
    const port = await serving(good, { next: (socket) => socket.end() });
    const error = await refusal(() => dialTls({ host: "127.0.0.1", port, ca: authority.cert }));
    expect(error.message).toContain("refused our address, or that we have no certificate");
  });

  test("tls/verdict that never comes: the signal ends the wait", async () => {
    const end = new AbortController();
    const reason = new Error("enough");
    const port = await serving(good, { next: () => end.abort(reason) });
    await leavesNothing(async () => {
      await expect(dialTls({ host: "127.0.0.1", port, ca: authority.cert }, { signal: end.signal })).rejects.toBe(
        reason,
      );
    });
  });

  test("tls/alert after the handshake of TLS 1.3: our certificate is not of the server's CA", async () => {
    const rogue = new TestAuthority({ name: "rogue CA" }).issue({ name: "rogue" });
    const port = await serving(good, { rejectUnauthorized: true, ca: authority.cert, next: () => {} });
    const error = await refusal(() => dial(port, { ...rogue, sanity: false }));
    expect(error.code).toBe("rejected");
  });
});

describe("the way there", () => {
  test("tls/no TLS at the other end", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end("SSH-2.0-nothing\r\n"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const error = await refusal(() => dial(port));
    expect([error.code, error.message]).toEqual([
      "tls",
      expect.stringContaining(`TLS handshake with tls://127.0.0.1:${port} failed: `),
    ]);
    await new Promise((resolve) => server.close(resolve));
  });

  test("tls/closed in the handshake", async () => {
    const server = createTcpServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    expect((await refusal(() => dial(port))).code).toBe("tls");
    await new Promise((resolve) => server.close(resolve));
    expect((await refusal(() => dial(port))).code).toBe("connect");
  });

  test("tls/silent in the handshake: the signal ends the wait", async () => {
    const end = new AbortController();
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => end.abort(new Error("enough")));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const dialling = dialTls({ host: "127.0.0.1", port, ca: authority.cert }, { signal: end.signal });
    await expect(dialling).rejects.toThrow("enough");
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("our own files", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "virtwire-tls-"));
    await writeFile(join(dir, "ca.pem"), authority.cert);
    await writeFile(join(dir, "cert.pem"), client.cert);
    await writeFile(join(dir, "key.pem"), client.key);
    return () => rm(dir, { recursive: true });
  });
  const file = (name: string) => join(dir, name);

  test("tls/files: by path; a client's pair that is not there is not an error", async () => {
    const seen: (string | undefined)[] = [];
    const port = await serving(good, {
      next: (socket) => {
        seen.push((socket.getPeerCertificate().subject as { CN: string } | undefined)?.CN);
        socket.write(Uint8Array.of(1));
      },
    });
    const paths = { host: "127.0.0.1", port, ca: file("ca.pem") };
    await (await dialTls({ ...paths, cert: file("cert.pem"), key: file("key.pem") })).close();
    await (await dialTls({ ...paths, cert: file("cert.pem"), key: file("nokey.pem") })).close();
    await (await dialTls({ ...paths, cert: file("no.pem"), key: file("no.pem") })).close();
    expect(seen).toEqual(["client", undefined, undefined]);
  });

  const sanity: [string, () => Partial<TlsOptions>, RegExp][] = [
    ["no CA", () => ({ ca: undefined as never }), /^the CA certificate: none was given/],
    [
      "missing CA",
      () => ({ ca: "/nonexistent/cacert.pem" }),
      /^the CA certificate \/nonexistent\/cacert.pem: .*ENOENT/,
    ],
    ["unreadable CA", () => ({ ca: tmpdir() }), /^the CA certificate .*EISDIR/],
    ["no PEM", () => ({ ca: Buffer.from("nothing") }), /^the CA certificate: there is no PEM certificate in it/],
    [
      "bad PEM",
      () => ({ ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }),
      /CA certificate: cannot be read/,
    ],
    [
      "a CA that is none",
      () => ({ ca: client.cert, cert: undefined as never }),
      /^the CA certificate: basicConstraints: it is no CA/,
    ],
    [
      "a CA without basicConstraints",
      () => ({ ca: new TestAuthority({ ca: undefined as never }).cert }),
      /CA.*basicConstraints: missing/,
    ],
    [
      "a CA that may not sign",
      () => ({ ca: new TestAuthority({ keyUsage: 0x80 }).cert, cert: undefined as never }),
      /CA.*keyUsage: it may not sign certificates/,
    ],
    [
      "an expired CA",
      () => ({ ca: new TestAuthority({ from: -3, to: -1 }).cert, cert: undefined as never }),
      /CA.*notAfter: it expired/,
    ],
    ["our expired certificate", () => authority.issue({ name: "c", from: -3, to: -1 }), /^our certificate: notAfter/],
    ["our certificate from tomorrow", () => authority.issue({ name: "c", from: 1 }), /^our certificate: notBefore/],
    [
      "our certificate is a CA's",
      () => authority.issue({ name: "c", ca: true }),
      /^our certificate: basicConstraints: it is a CA, where a client's/,
    ],
    [
      "our certificate is a server's",
      () => authority.issue({ name: "c", purposes: ["server"], critical: true }),
      /^our certificate: extendedKeyUsage: it is not for a client/,
    ],
    [
      "our certificate is for any purpose, as libvirt reads that",
      () => authority.issue({ name: "c", purposes: ["any"], critical: true }),
      /extendedKeyUsage/,
    ],
    [
      "our certificate may not sign",
      () => authority.issue({ name: "c", keyUsage: 0x08, critical: true }),
      /^our certificate: keyUsage/,
    ],
    [
      "our certificate is of another CA",
      () => new TestAuthority({ name: "x" }).issue({ name: "c" }),
      /^our certificate: issuer: CN=x is not among the CA/,
    ],
  ];
  test.each(sanity)("tls/sanity %s", async (_, options, message) => {
    const error = await refusal(() => dial(1, options()));
    expect([error.code, error.message]).toEqual(["own-certificate", expect.stringMatching(message)]);
  });

  test("tls/sanity: a purpose that libvirt does not know fits both roles", async () => {
    const odd = authority.issue({ name: "c", purposes: ["code"], critical: true });
    await (await dial(await serving(good), odd)).close();
  });

  test("tls/no-sanity: our certificate goes to the server as it is", async () => {
    const port = await serving(good);
    const expired = authority.issue({ name: "c", from: -3, to: -1 });
    await (await dial(port, { ...expired, sanity: false })).close();
  });

  test("tls/key of another certificate", async () => {
    const error = await refusal(() => dial(1, { key: good.key }));
    expect([error.code, error.message]).toEqual(["own-certificate", expect.stringMatching(/cannot be used: /)]);
    expect(error.message).not.toContain("BEGIN");
  });
});

test("tls/priority: decides version and cipher; an unknown word is refused", async () => {
  const port = await serving(good);
  const older = await dial(port, { priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM" });
  expect(older.peer.tls).toMatchObject({ protocol: "TLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" });
  expect(older.peer.security.ssf).toBe(128);
  await older.close();
  const error = await refusal(() => dial(port, { priority: "NORMAL:%COMPAT" }));
  expect([error.code, error.message]).toEqual(["option", expect.stringContaining('"%COMPAT"')]);
});
