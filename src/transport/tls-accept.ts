import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import { type CertificateFault, certificateFault, oneLine } from "./certificate.ts";
import { distinguishedName, matches } from "./distinguished-name.ts";
import { TransportError } from "./errors.ts";
import type { PemSource, TlsServerOptions } from "./options.ts";
import { SocketTransport } from "./socket.ts";
import { isLoopback, tcpAddress } from "./tcp.ts";
import { certificates, chainFault, keyBits, own, readPem, tlsIdentity } from "./tls.ts";
import { tlsPriority } from "./tls-priority.ts";
import type { PeerIdentity, Transport } from "./transport.ts";

/** What clients wait for before they call: virNetServerClientCheckAccess. */
const ACCEPTED = Uint8Array.of(1);

/** A handshake in progress. */
interface Pending {
  readonly raw: Socket;
  readonly resolve: (socket: TLSSocket) => void;
  readonly reject: (error: Error) => void;
}

/** A socket after its handshake, whose client has been looked at and taken. */
export interface Secured {
  readonly socket: TLSSocket;
  readonly peer: PeerIdentity;
}

/**
 * The server's side of TLS as libvirt has it: the client's certificate is asked for, but looked at when the handshake
 * is over; who is taken then gets a byte, who is not finds the connection closed.
 * @source virNetServerClientCheckAccess, libvirt src/rpc/virnetserverclient.c; virNetTLSContextCheckCertificate,
 *   src/rpc/virnettlscontext.c
 */
export class TlsAcceptor {
  readonly #options: TlsServerOptions;
  readonly #server: Server;
  readonly #pending = new Map<string, Pending>();
  /** One at a time: what was read last is what counts. */
  #reload: Promise<void> = Promise.resolve();

  private constructor(options: TlsServerOptions, context: SecureContextOptions) {
    this.#options = options;
    const { handshakeTimeout = 10_000 } = options;
    // It listens nowhere: sockets are handed to it, and it can change its certificates.
    this.#server = createServer({ ...context, requestCert: true, rejectUnauthorized: false, handshakeTimeout });
    this.#server.on("secureConnection", (socket: TLSSocket) => this.#take(socket)?.resolve(socket));
    this.#server.on("tlsClientError", (error: Error, socket: TLSSocket) => this.#take(socket)?.reject(error));
  }

  /** @throws {TransportError} `own-certificate` */
  static async create(options: TlsServerOptions): Promise<TlsAcceptor> {
    try {
      return new TlsAcceptor(options, await contextOf(options));
    } catch (error) {
      throw usable(error);
    }
  }

  /** Reads the files again, for handshakes that come later. @throws {TransportError} `own-certificate` */
  reload(): Promise<void> {
    const done = this.#reload.then(async () => {
      try {
        this.#server.setSecureContext(await contextOf(this.#options));
      } catch (error) {
        throw usable(error);
      }
    });
    this.#reload = done.catch(() => {});
    return done;
  }

  /** Makes the transport of a socket that a listener accepted. @throws {TransportError} and closes it */
  async accept(raw: Socket): Promise<Transport> {
    const { socket, peer } = await this.secure(raw);
    socket.write(ACCEPTED);
    return new SocketTransport(socket, peer);
  }

  /** The handshake, and the look at the client's certificate. @throws {TransportError} and closes it */
  async secure(raw: Socket): Promise<Secured> {
    const address = tcpAddress(raw.remoteAddress ?? "", raw.remotePort ?? 0, "tls");
    let socket: TLSSocket;
    try {
      // Without an address handshakes cannot be told apart, and there is none of a socket that is closed.
      if (raw.remoteAddress === undefined) throw new Error("it is closed, or no TCP connection");
      socket = await this.#handshake(raw);
    } catch (cause) {
      raw.destroy();
      throw new TransportError("tls", `TLS handshake with ${address} failed: ${(cause as Error).message}`, { cause });
    }
    socket.on("error", () => {}); // the transport has its own ears
    try {
      return { socket, peer: this.#identify(socket, address) };
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** @throws {TransportError} for a client who is not taken */
  #identify(socket: TLSSocket, address: string): PeerIdentity {
    const cert = socket.getPeerX509Certificate(); // once: in Node 20 a second call finds nothing
    const fault = this.#clientFault(socket, cert);
    if (fault !== undefined && (this.#options.verify ?? true)) {
      const of = cert === undefined ? "" : ` of ${oneLine(cert.subject)}`;
      throw new TransportError(fault.code, `the certificate${of} that ${address} shows: ${fault.detail}`);
    }
    const identity = tlsIdentity(socket, cert, fault === undefined);
    return {
      transport: "tls",
      address,
      secure: true,
      local: isLoopback(socket),
      security: { encrypted: true, ssf: keyBits(socket.getCipher().standardName) },
      tls: cert === undefined ? identity : { ...identity, distinguishedName: distinguishedName(cert) },
    };
  }

  #handshake(raw: Socket): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const key = ends(raw);
      this.#pending.set(key, { raw, resolve, reject });
      // One that was closed before it began is never heard of again.
      raw.once("close", () => {
        const pending = this.#pending.get(key);
        if (pending?.raw !== raw) return;
        this.#pending.delete(key);
        reject(new Error("the other side closed the connection"));
      });
      this.#server.emit("connection", raw);
    });
  }

  #take(socket: TLSSocket): Pending | undefined {
    const key = ends(socket);
    const pending = this.#pending.get(key);
    this.#pending.delete(key);
    return pending;
  }

  #clientFault(socket: TLSSocket, cert: X509Certificate | undefined): CertificateFault | undefined {
    const { allowedNames, allowedAltNames } = this.#options;
    const fault = chainFault(socket, cert, "client");
    if (fault !== undefined || cert === undefined) return fault;
    const usage = certificateFault(cert, "client", Date.now());
    if (usage !== undefined) return usage;
    const name = distinguishedName(cert);
    if (name === "") return { code: "certificate-host", detail: "subject: it is empty, and names nobody" };
    if (allowedNames !== undefined && !allowedNames.some((pattern) => matches(pattern, name))) {
      return { code: "certificate-host", detail: `subject: ${name} is not among the names that are allowed` };
    }
    if (allowedAltNames === undefined) return undefined;
    const names = altNames(cert);
    if (allowedAltNames.some((pattern) => names.some((one) => matches(pattern, one)))) return undefined;
    return { code: "certificate-host", detail: `subjectAltName: ${names.join(", ") || "none"} is not allowed` };
  }
}

/** What tells a connection from all others that are there. */
function ends({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(" ");
}

/** `host.example`, `192.0.2.1`, `user@example`, without what kind of name each is. */
function altNames(cert: X509Certificate): string[] {
  // Names with a comma or a quote in them are written as JSON strings.
  const found = (cert.subjectAltName ?? "").matchAll(/(?:^|, )(?:DNS|IP Address|email|URI):("(?:[^"\\]|\\.)*"|[^,]*)/g);
  return [...found].map(([, name = ""]) => (name.startsWith('"') ? (JSON.parse(name) as string) : name));
}

/** @source virNetTLSContextSanityCheckCredentials, libvirt src/rpc/virnettlscontext.c */
async function contextOf(options: TlsServerOptions): Promise<SecureContextOptions> {
  const { verify = true, sanity = true, priority = "NORMAL" } = options;
  if (verify && options.ca === undefined)
    throw own("the CA certificate", "none was given, so no client can be verified");
  const cert = (await readPem(options.cert, "our certificate", false, undefined)) as Uint8Array;
  const key = (await readPem(options.key, "our private key", false, undefined)) as Uint8Array;
  const ca = await readPem(options.ca, "the CA certificate", false, undefined);
  const crl = await readPem(options.crl, "the revocation list", true, undefined);
  if (sanity) checkOwn(options, cert, ca);
  const text = (pem: Uint8Array) => Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength);
  return {
    ...tlsPriority(priority),
    // Like GnuTLS, OpenSSL then ends at any certificate of ours, not only at one that signed itself.
    ...({ allowPartialTrustChain: true } as object),
    cert: text(cert),
    key: text(key),
    // Without a CA no certificate is good, where Node would trust those of the public.
    ca: ca === undefined ? [] : text(ca),
    ...(crl && { crl: text(crl) }),
  };
}

function checkOwn(
  { cert: source, ca: caSource }: TlsServerOptions,
  cert: Uint8Array,
  ca: Uint8Array | undefined,
): void {
  const now = Date.now();
  const certName = named("our certificate", source);
  const caName = named("the CA certificate", caSource);
  const [mine] = certificates(cert, certName);
  const authorities = ca === undefined ? [] : certificates(ca, caName);
  const check = (fault: CertificateFault | undefined, name: string) => {
    if (fault !== undefined) throw own(name, fault.detail);
  };
  if (mine !== undefined) check(certificateFault(mine, "server", now), certName);
  for (const authority of authorities) check(certificateFault(authority, "ca", now), caName);
}

function named(what: string, source: PemSource | undefined): string {
  return typeof source === "string" && !source.includes("-----BEGIN ") ? `${what} ${source}` : what;
}

function usable(error: unknown): unknown {
  if (error instanceof TransportError) return error;
  return own("the CA, certificate, key or revocation list", `cannot be used: ${(error as Error).message}`, error);
}
