import type {
  ExtOptions,
  LibsshOptions,
  SshOptions,
  TlsOptions,
  TlsServerOptions,
  WebSocketOptions,
} from "./options.ts";
import type { TlsAcceptor } from "./tls-accept.ts";
import type { DialOptions, Transport } from "./transport.ts";
import type { WebSocketAcceptor, WebSocketServerOptions } from "./websocket-accept.ts";

export { TransportError, type TransportErrorCode } from "./errors.ts";
export type {
  ExtOptions,
  LibsshOptions,
  PemSource,
  RemoteCommand,
  SshMethod,
  SshOptions,
  SshQuestion,
  TlsOptions,
  TlsServerOptions,
  WebSocketOptions,
} from "./options.ts";
export { pair } from "./pair.ts";
export type { Secured, TlsAcceptor } from "./tls-accept.ts";
export type {
  DialOptions,
  Keep,
  PeerIdentity,
  TlsIdentity,
  Transport,
  TransportKind,
  TransportSink,
} from "./transport.ts";

// Each transport is loaded when it is first dialled: what one program never uses, a browser never sees.
// All reject with a TransportError, or with the signal's reason.

/** Connects over TLS, and waits until the server has accepted us. */
export async function dialTls(options: TlsOptions, dial: DialOptions = {}): Promise<Transport> {
  return (await import("./tls.ts")).dialTls(options, dial);
}

/** Starts the system's ssh, which connects in its own time: what fails there ends the pipe. */
export async function dialSsh(options: SshOptions, dial: DialOptions = {}): Promise<Transport> {
  return (await import("./ssh.ts")).dialSsh(options, dial);
}

/** Starts a program whose input and output are the pipe. */
export async function dialExt(options: ExtOptions, dial: DialOptions = {}): Promise<Transport> {
  return (await import("./process.ts")).dialExt(options, dial);
}

/** Logs in with the package `ssh2`, which has to be installed, and starts the command at the host. */
export async function dialLibssh(options: LibsshOptions, dial: DialOptions = {}): Promise<Transport> {
  return (await import("./libssh.ts")).dialLibssh(options, dial);
}

/** Connects over a websocket: the platform's own in a browser, the package `ws` in Node. */
export async function dialWebSocket(options: WebSocketOptions, dial: DialOptions = {}): Promise<Transport> {
  return (await import("./websocket.ts")).dialWebSocket(options, dial);
}

// For other layers.

/** unix and tcp, which stand on Node's sockets, for those who dial and those who listen. */
export const sockets = (): Promise<typeof import("./sockets.ts")> => import("./sockets.ts");

/** What makes transports of accepted sockets by TLS, as libvirtd does. @throws {TransportError} `own-certificate` */
export async function tlsAcceptor(options: TlsServerOptions): Promise<TlsAcceptor> {
  return (await import("./tls-accept.ts")).TlsAcceptor.create(options);
}

/** What makes transports of accepted sockets on which websockets are asked for. */
export async function webSocketAcceptor(options: WebSocketServerOptions): Promise<WebSocketAcceptor> {
  return new (await import("./websocket-accept.ts")).WebSocketAcceptor(options);
}
