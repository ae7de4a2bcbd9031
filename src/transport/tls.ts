import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { type CertificateFault, certificateFault, isForHost, oneLine, timeFault } from "./certificate.ts";
import { TransportError, type TransportErrorCode } from "./errors.ts";
import type { PemSource, TlsOptions } from "./options.ts";
import { connected, SocketTransport } from "./socket.ts";
import { isLoopback, tcpAddress } from "./tcp.ts";
import { tlsPriority } from "./tls-priority.ts";
import type { DialOptions, TlsIdentity, Transport } from "./transport.ts";

/** What the server sends when it has looked at our certificate: virNetServerClientCheckAccess. */
const ACCEPTED = 1;

/**
 * Connects over TLS as libvirt does: without a server name in the handshake, with the server's certificate looked at
 * afterwards, and then a byte from the server which says that it takes us.
 *
 * Stricter than libvirt in two things that OpenSSL decides: a purpose that is not a server's counts even where the
 * extension is not critical, and where there is a revocation list each CA on the way needs one.
 * @source virNetClientSetTLSSession, libvirt src/rpc/virnetclient.c
 */
export async function dialTls(options: TlsOptions, dial: DialOptions = {}): Promise<Transport> {
  const { host, port, verify = true } = options;
  const address = tcpAddress(host, port, "tls");
  const files = await readFiles(options, dial.signal);
  if (options.sanity ?? true) checkOwn(options, files);
  const secureContext = contextOf(options, files);

  const raw = connectSocket({ host, port, autoSelectFamily: true });
  await connected(raw, address, dial);
  // OpenSSL's opinion of the certificate is asked for after the handshake, as libvirt does. No `servername`.
  const checks = { rejectUnauthorized: false, checkServerIdentity: () => undefined, requestCert: true };
  const socket = connect({ socket: raw, secureContext, ...checks });
  const failed = (cause: Error) =>
    new TransportError("tls", `TLS handshake with ${address} failed: ${cause.message}`, { cause });
  await connected(socket, address, dial, "secureConnect", failed);
  try {
    const cert = socket.getPeerX509Certificate(); // once: in Node 20 a second call finds nothing
    const fault = peerFault(socket, cert, options);
    if (fault !== undefined && verify) {
      const of = cert === undefined ? "" : ` of ${oneLine(cert.subject)}`;
      throw new TransportError(fault.code, `the certificate${of} that ${address} shows: ${fault.detail}`);
    }
    await accepted(socket, address, files.cert !== undefined, dial.signal);
    return new SocketTransport(socket, {
      transport: "tls",
      address,
      secure: true,
      local: isLoopback(socket),
      security: { encrypted: true, ssf: keyBits(socket.getCipher().standardName) },
      tls: tlsIdentity(socket, cert, fault === undefined),
    });
  } catch (error) {
    socket.on("error", () => {}); // what still comes is about a socket that nobody has
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const gone = socket.closed;
    socket.destroy();
    if (!gone) await closed;
    throw error;
  }
}

/** What a TLS socket knows of its session and the other side. */
export function tlsIdentity(socket: TLSSocket, cert: X509Certificate | undefined, verified: boolean): TlsIdentity {
  return {
    protocol: socket.getProtocol() ?? "",
    cipher: socket.getCipher().standardName,
    subject: cert && oneLine(cert.subject),
    issuer: cert && oneLine(cert.issuer),
    fingerprint256: cert?.fingerprint256,
    verified,
  };
}

/** Bits of the key of a cipher suite by IANA's name. @source gnutls_cipher_get_key_size */
export function keyBits(suite: string): number {
  const [, bits] = /_(128|192|256)_/.exec(suite) ?? [];
  if (bits !== undefined) return Number(bits);
  if (suite.includes("CHACHA20")) return 256;
  return suite.includes("3DES") ? 192 : 0;
}

// ---- our own files ----

interface Files {
  readonly ca: Uint8Array | undefined;
  readonly cert: Uint8Array | undefined;
  readonly key: Uint8Array | undefined;
  readonly crl: Uint8Array | undefined;
}

async function readFiles(options: TlsOptions, signal: AbortSignal | undefined): Promise<Files> {
  const { verify = true } = options;
  if (verify && options.ca === undefined)
    throw own("the CA certificate", "none was given, so no server can be verified");
  const ca = await readPem(options.ca, "the CA certificate", false, signal);
  const crl = await readPem(options.crl, "the revocation list", true, signal);
  const cert = await readPem(options.cert, "our certificate", true, signal);
  const key = await readPem(options.key, "our private key", true, signal);
  const both = cert !== undefined && key !== undefined;
  return { ca, crl, cert: both ? cert : undefined, key: both ? key : undefined };
}

export async function readPem(
  source: PemSource | undefined,
  what: string,
  mayBeMissing: boolean,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  if (source === undefined || typeof source !== "string") return source;
  if (source.includes("-----BEGIN ")) return new TextEncoder().encode(source);
  signal?.throwIfAborted();
  try {
    return await readFile(source);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (mayBeMissing && (code === "ENOENT" || code === "ENOTDIR")) return undefined;
    throw own(`${what} ${source}`, `cannot be read: ${message}`, cause);
  }
}

/** @source virNetTLSCertSanityCheck, libvirt src/rpc/virnettlscert.c */
function checkOwn(options: TlsOptions, { ca, cert }: Files): void {
  const now = Date.now();
  const named = (what: string, source: PemSource | undefined) =>
    typeof source === "string" && !source.includes("-----BEGIN ") ? `${what} ${source}` : what;
  const caName = named("the CA certificate", options.ca);
  const certName = named("our certificate", options.cert);
  const [mine] = cert === undefined ? [] : certificates(cert, certName);
  const authorities = ca === undefined ? [] : certificates(ca, caName);
  const check = (fault: CertificateFault | undefined, name: string) => {
    if (fault !== undefined) throw own(name, fault.detail);
  };
  if (mine !== undefined) check(certificateFault(mine, "client", now), certName);
  for (const authority of authorities) check(certificateFault(authority, "ca", now), caName);
  if (mine === undefined || authorities.length === 0) return;
  const issued = authorities.some((authority) => mine.checkIssued(authority) && mine.verify(authority.publicKey));
  if (!issued) throw own(certName, `issuer: ${oneLine(mine.issuer)} is not among ${caName}`);
}

export function certificates(pem: Uint8Array, name: string): X509Certificate[] {
  const blocks = new TextDecoder().decode(pem).match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  const ours = blocks.filter((block) => /^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(block));
  if (ours.length === 0) throw own(name, "there is no PEM certificate in it");
  try {
    return ours.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw own(name, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

function contextOf(options: TlsOptions, { ca, cert, key, crl }: Files): SecureContext {
  const chosen = tlsPriority(options.priority ?? "NORMAL");
  const text = (pem: Uint8Array) => Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength);
  try {
    return createSecureContext({
      ...chosen,
      // Like GnuTLS, OpenSSL then ends at any certificate of ours, not only at one that signed itself.
      ...({ allowPartialTrustChain: true } as object),
      ...(ca && { ca: text(ca) }),
      ...(crl && { crl: text(crl) }),
      ...(cert && key && { cert: text(cert), key: text(key) }),
    });
  } catch (cause) {
    throw own("the CA, certificate, key or revocation list", `cannot be used: ${(cause as Error).message}`, cause);
  }
}

export function own(what: string, detail: string, cause?: unknown): TransportError {
  return new TransportError("own-certificate", `${what}: ${detail}`, cause === undefined ? {} : { cause });
}

// ---- the server's certificate ----

/** OpenSSL's verdicts that are not about trust. */
const verdicts: Readonly<Record<string, TransportErrorCode>> = {
  CERT_HAS_EXPIRED: "certificate-expired",
  CERT_NOT_YET_VALID: "certificate-not-yet-valid",
  CERT_REVOKED: "certificate-revoked",
  UNABLE_TO_GET_CRL: "certificate-revoked",
  CRL_HAS_EXPIRED: "certificate-revoked",
  CRL_NOT_YET_VALID: "certificate-revoked",
  CRL_SIGNATURE_FAILURE: "certificate-revoked",
  INVALID_PURPOSE: "certificate-usage",
  INVALID_CA: "certificate-usage",
  PATH_LENGTH_EXCEEDED: "certificate-usage",
};

const words: Readonly<Record<string, string>> = {
  CERT_REVOKED: "serialNumber: it has been revoked",
  UNABLE_TO_GET_CRL: "issuer: there is no revocation list of it",
  CRL_HAS_EXPIRED: "the revocation list is out of date (nextUpdate)",
  CRL_NOT_YET_VALID: "the revocation list is not valid yet (lastUpdate)",
  CRL_SIGNATURE_FAILURE: "the revocation list was not signed by the CA",
  INVALID_PURPOSE: "extendedKeyUsage: it is not for a server",
};

function peerFault(
  socket: TLSSocket,
  cert: X509Certificate | undefined,
  { host }: TlsOptions,
): CertificateFault | undefined {
  const fault = chainFault(socket, cert);
  if (fault !== undefined || cert === undefined) return fault;
  if (!isForHost(cert, host)) {
    const names = cert.subjectAltName === undefined ? oneLine(cert.subject) : `subjectAltName: ${cert.subjectAltName}`;
    return { code: "certificate-host", detail: `${names}: it is not for ${host}` };
  }
  return certificateFault(cert, "server", Date.now());
}

/** What is wrong with the other side's certificate, its issuers and their time, whoever it is for. */
export function chainFault(
  socket: TLSSocket,
  cert: X509Certificate | undefined,
  role: "server" | "client" = "server",
): CertificateFault | undefined {
  if (cert === undefined) return { code: "certificate-untrusted", detail: "there is none" };
  const now = Date.now();
  if (socket.authorized) return timeFault(cert, now);
  // A string, whatever the declaration says.
  const verdict = String(socket.authorizationError ?? "no verdict");
  const code = verdicts[verdict];
  if (code === "certificate-expired" || code === "certificate-not-yet-valid") {
    for (let at: X509Certificate | undefined = cert; at !== undefined; at = issuerOf(at)) {
      const fault = timeFault(at, now);
      if (fault !== undefined)
        return at === cert ? fault : { ...fault, detail: `issuer ${oneLine(at.subject)}: ${fault.detail}` };
    }
  }
  const untrusted = `issuer: ${oneLine(cert.issuer)} is not among the CAs that we trust`;
  return {
    code: code ?? "certificate-untrusted",
    detail: `${words[verdict]?.replace("a server", `a ${role}`) ?? (code ? "not good" : untrusted)} (${verdict})`,
  };
}

function issuerOf(cert: X509Certificate): X509Certificate | undefined {
  const issuer = cert.issuerCertificate;
  return issuer?.fingerprint256 === cert.fingerprint256 ? undefined : issuer;
}

// ---- the server's opinion of us ----

/** Waits for the byte that the server sends when it takes us, and leaves what follows it unread. */
function accepted(
  socket: TLSSocket,
  address: string,
  hasCertificate: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const refused = (why: string, cause?: Error) => {
    const what = hasCertificate ? "our certificate or address" : "our address, or that we have no certificate";
    return new TransportError("rejected", `${address} refused ${what}: ${why}`, cause === undefined ? {} : { cause });
  };
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      signal?.removeEventListener("abort", onAbort);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onData = (chunk: Uint8Array) => {
      socket.pause();
      if (chunk[0] !== ACCEPTED) return settle(refused(`it sent the byte ${chunk[0]} where 1 was due`));
      if (chunk.byteLength > 1) socket.unshift(chunk.subarray(1));
      settle();
    };
    const onEnd = () => settle(refused("it closed the connection"));
    const onError = (cause: Error) => settle(refused(cause.message, cause));
    const onAbort = () => settle(signal?.reason);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener("abort", onAbort);
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
    if (socket.destroyed) onEnd();
  });
}
