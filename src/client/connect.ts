import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { AuthType, authList, connectGetUri, connectOpen, connectSupportsFeature } from "../generated/remote/index.ts";
import { AbortError, Peer, startTimer, TimeoutError, TransportError, VirtError, virtError } from "../rpc/index.ts";
import { sockets, type Transport } from "../transport/index.ts";
import { CoreConnection, MAX_CALLS, type OpenedConnection } from "./connection.ts";
import { type ConnectUri, parseUri } from "./uri.ts";

export interface ConnectOptions {
  /** Gives up: rejects with an AbortError and leaves nothing behind. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds until the connection must be open, Infinity for no limit. Default 30000. A daemon with too many
   * clients accepts connections and stays silent.
   */
  readonly timeout?: number;
  /** Opens the connection for reading only, VIR_CONNECT_RO. Default false. */
  readonly readOnly?: boolean;
}

export interface ConnectTransportOptions extends ConnectOptions {
  /** What CONNECT_OPEN is told: the URI of the driver. Default "": the daemon chooses. */
  readonly name?: string;
}

/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE: that it was asked for tells the daemon that pings will be answered. */
const FEATURE_KEEPALIVE = 10;
/** VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK */
const FEATURE_EVENT_CALLBACK = 14;
/** VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK */
const FEATURE_CLOSE_CALLBACK = 15;
/** LIBVIRTD_TCP_PORT */
const TCP_PORT = 16_509;

/**
 * Opens a connection to a daemon.
 *
 * @param uri libvirt's, with the transports unix and tcp: `qemu:///system`, `qemu+tcp://host/system`,
 *   `qemu+unix:///system?socket=/run/x-sock`. Empty: the daemon on this machine chooses its driver.
 *
 * Rejects with: TransportError `connect` or `unsupported`; VirtError where the daemon refuses or the URI is wrong;
 * TimeoutError; AbortError.
 */
export async function connect(uri = "", options: ConnectOptions = {}): Promise<CoreConnection> {
  return new CoreConnection(await open(uri, options));
}

/** Opens a connection over a transport that is connected already, which from now on belongs to the connection. */
export async function connectTransport(
  transport: Transport,
  options: ConnectTransportOptions = {},
): Promise<CoreConnection> {
  return new CoreConnection(await openTransport(transport, options));
}

/** `connect` up to the object that stands for the connection. */
export function open(uri: string, options: ConnectOptions): Promise<OpenedConnection> {
  return withDeadline(options, async (signal) => {
    const parsed = parseUri(uri);
    const transport = await dial(parsed, options.readOnly ?? false, signal);
    return openSequence(transport, uri, parsed.name, options.readOnly ?? false, signal);
  });
}

/** `connectTransport` up to the object that stands for the connection. */
export function openTransport(transport: Transport, options: ConnectTransportOptions): Promise<OpenedConnection> {
  const { name = "", readOnly = false } = options;
  return withDeadline(options, (signal) => openSequence(transport, name, name, readOnly, signal));
}

async function dial(uri: ConnectUri, readOnly: boolean, signal: AbortSignal): Promise<Transport> {
  switch (uri.transport) {
    case "unix": {
      const { localSocket } = await import("./local-socket.ts");
      return (await sockets()).dialUnix(localSocket(uri, readOnly), { signal });
    }
    case "tcp":
      return (await sockets()).dialTcp(uri.host ?? "localhost", uri.port ?? TCP_PORT, { signal });
    default:
      throw new TransportError("unsupported", `${uri.text}: transport ${uri.transport} arrives with a later release`);
  }
}

/** The opening sequence of libvirt's client: doRemoteOpen, libvirt src/remote/remote_driver.c. */
async function openSequence(
  transport: Transport,
  uri: string,
  name: string,
  readOnly: boolean,
  signal: AbortSignal,
): Promise<OpenedConnection> {
  const peer = new Peer(transport, { maxCalls: MAX_CALLS });
  const supports = (feature: number) =>
    peer.call(connectSupportsFeature, { feature }, { signal }).then(
      ({ supported }) => supported !== 0,
      (error: unknown) => {
        if (error instanceof VirtError) return false;
        throw error;
      },
    );
  try {
    await authenticate(peer, signal);
    await supports(FEATURE_KEEPALIVE);
    await peer.call(connectOpen, { name, flags: readOnly ? 1 : 0 }, { signal });
    const opened = uri === "" ? (await peer.call(connectGetUri, undefined, { signal })).uri : uri;
    const [eventCallback, closeCallback] = await Promise.all([
      supports(FEATURE_EVENT_CALLBACK),
      supports(FEATURE_CLOSE_CALLBACK),
    ]);
    return { peer, uri: opened, readOnly, eventCallback, closeCallback };
  } catch (error) {
    await peer.close(error as Error);
    throw error;
  }
}

/** An empty list, or a daemon without AUTH_LIST, wants no authentication. */
async function authenticate(peer: Peer, signal: AbortSignal): Promise<void> {
  let types: readonly number[];
  try {
    ({ types } = await peer.call(authList, undefined, { signal }));
  } catch (error) {
    if (error instanceof VirtError && error.code === VirErrorNumber.VIR_ERR_NO_SUPPORT) return;
    throw error;
  }
  const type = types[0] ?? AuthType.REMOTE_AUTH_NONE;
  if (type === AuthType.REMOTE_AUTH_NONE) return;
  const names: Record<number, string> = { 1: "SASL", 2: "polkit" };
  const detail = `the daemon wants ${names[type] ?? `type ${type}`}, which arrives with a later release`;
  throw virtError(VirErrorNumber.VIR_ERR_AUTH_UNAVAILABLE, VirErrorDomain.VIR_FROM_AUTH, detail);
}

/** Runs `work` until it ends, the caller's signal gives up, or the time is over. */
async function withDeadline<T>(
  { signal, timeout = 30_000 }: ConnectOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const onAbort = () => end.abort(new AbortError(signal?.reason));
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = startTimer(() => end.abort(new TimeoutError(`no connection within ${timeout} ms`)), timeout);
  try {
    return await work(end.signal);
  } catch (error) {
    throw end.signal.aborted ? end.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
