import { type AuthOptions, authenticate, securityLayer } from "../auth/index.ts";
import { connectGetUri, connectOpen, connectSupportsFeature } from "../generated/remote/index.ts";
import {
  AbortError,
  type ConnectDiagnostics,
  channels,
  checkKeepAlive,
  type KeepAliveOptions,
  Peer,
  type StreamLimits,
  startTimer,
  TimeoutError,
  VirtError,
} from "../rpc/index.ts";
import type { Transport } from "../transport/index.ts";
import { CoreConnection, type OpenedConnection } from "./connection.ts";
import type { DialOptions } from "./dial.ts";
import { Explainer } from "./explain.ts";
import type { ReconnectOptions } from "./reconnect.ts";

/** What a connection does once it is there, and how it logs in. */
export interface ConnectionOptions {
  /** Gives up: rejects with an AbortError and leaves nothing behind. Only while the connection is being opened. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds until the connection must be open, logging in included, Infinity for no limit. Default 30000. A
   * daemon with too many clients accepts connections and stays silent.
   */
  readonly timeout?: number;
  /** Opens the connection for reading only, VIR_CONNECT_RO. Default false. */
  readonly readOnly?: boolean;
  /** Who logs in, and how. */
  readonly auth?: Omit<AuthOptions, "signal" | "layer">;
  /**
   * Calls in flight at once; the rest wait in order. Default 4: libvirtd stops reading a client that has five open
   * (`max_client_requests`), pings included. More only for a daemon that is set up for more.
   */
  readonly maxCalls?: number;
  /** Milliseconds that a call may take where it does not say so itself. Default: any time, as migrations need it. */
  readonly callTimeout?: number;
  /**
   * When to ping a silent daemon, and when to take it for dead; false for never, its own pings are answered all the
   * same. Default `{ interval: 5, count: 6 }`, in seconds, as virsh: the connection ends 35 seconds after the daemon
   * fell silent.
   */
  readonly keepAlive?: KeepAliveOptions | false;
  /** How much streams may take of the connection. */
  readonly streams?: StreamLimits;
}

export interface ConnectOptions extends ConnectionOptions, Omit<DialOptions, "readOnly" | "conf"> {
  /** Whether libvirt.conf's `uri_aliases` may name what the URI stands for. Default true; false: VIR_CONNECT_NO_ALIASES. */
  readonly aliases?: boolean;
  /** Opens the connection again when it is lost. Default false. */
  readonly reconnect?: boolean | ReconnectOptions;
}

export interface ConnectTransportOptions extends ConnectionOptions {
  /** What CONNECT_OPEN is told: the URI of the driver. Default "": the daemon chooses. */
  readonly name?: string;
  /**
   * Opens the connection again when it is lost, over what `dial` connects, which must reject when its signal fires.
   * Default: it does not.
   */
  readonly reconnect?: ReconnectOptions & { readonly dial: (signal: AbortSignal) => Promise<Transport> };
}

/** One less than what libvirtd allows leaves room for keepalive. */
const MAX_CALLS = 4;
/** virsh's `-k` and `-K`. */
const KEEP_ALIVE: KeepAliveOptions = { interval: 5, count: 6 };
/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE: that it was asked for tells the daemon that pings will be answered. */
const FEATURE_KEEPALIVE = 10;
/** VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK */
const FEATURE_EVENT_CALLBACK = 14;
/** VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK */
const FEATURE_CLOSE_CALLBACK = 15;

/**
 * Opens a connection to a daemon.
 *
 * @param uri libvirt's: `qemu:///system`, `qemu+tls://host/system`, `qemu+ssh://user@host/system`,
 *   `qemu+unix:///system?socket=/run/x-sock`, or an alias of libvirt.conf. Empty: LIBVIRT_DEFAULT_URI, libvirt.conf's
 *   `uri_default`, or else the daemon on this machine chooses its driver.
 *
 * Rejects with: TransportError; VirtError where the daemon refuses or the URI is wrong; TimeoutError; AbortError.
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

/** Where a connection goes. */
interface Target {
  readonly transport: Transport;
  /** As `Connection.uri`, empty where the daemon chooses. */
  readonly uri: string;
  readonly name: string;
  readonly auth: AuthOptions;
}

/** `connect` up to the object that stands for the connection. */
export function open(uri: string, options: ConnectOptions): Promise<OpenedConnection> {
  const reconnect = options.reconnect === true ? {} : options.reconnect || undefined;
  return establish(uri, options, reconnect, (signal) => reach(uri, options, signal));
}

/** `connectTransport` up to the object that stands for the connection. */
export async function openTransport(transport: Transport, options: ConnectTransportOptions): Promise<OpenedConnection> {
  const { name = "", auth = {}, reconnect } = options;
  let first: Transport | undefined = transport;
  try {
    return await establish(name, options, reconnect, async (signal) => {
      const next = first ?? (await reconnect?.dial(signal)) ?? transport;
      first = undefined;
      return { transport: next, uri: name, name, auth };
    });
  } catch (error) {
    await transport.close(error as Error); // wrong options are found before anyone looks at it
    throw error;
  }
}

/** Finds the daemon that a URI means, and connects to it. What this takes is loaded with the first connection. */
async function reach(text: string, options: ConnectOptions, signal: AbortSignal): Promise<Target> {
  const [{ authConf }, { dial }, { resolveUri }] = await Promise.all([
    import("./auth-conf.ts"),
    import("./dial.ts"),
    import("./libvirt-conf.ts"),
  ]);
  const { aliases, system } = options;
  const { uri, conf } = await resolveUri(text, { aliases, system });
  const credentials = options.credentials ?? authConf(uri, system);
  const transport = await dial(uri, { ...options, conf, credentials }, signal);
  const auth = uri.parameters.get("auth");
  return {
    transport,
    uri: uri.text,
    name: uri.name,
    auth: {
      ...(auth === undefined ? {} : { auth }),
      ...(uri.host === undefined ? {} : { host: uri.host }),
      authConf: async (service, host, key) => {
        const known = await credentials(service, host);
        return known?.[key as keyof typeof known];
      },
      ...options.auth,
    },
  };
}

function establish(
  uri: string,
  options: ConnectionOptions,
  reconnect: ReconnectOptions | undefined,
  target: (signal: AbortSignal) => Promise<Target>,
): Promise<OpenedConnection> {
  const { readOnly = false } = options;
  const attempt = async (number: number, signal: AbortSignal | undefined): Promise<OpenedConnection> => {
    const diagnostics: ConnectDiagnostics = { uri, readOnly, attempt: number };
    const watched = channels?.connect.hasSubscribers === true;
    if (watched) channels?.connect.start(diagnostics);
    try {
      checkOptions(options, reconnect);
      const opened = await withDeadline(signal, options.timeout, async (end) => {
        const reached = await target(end);
        diagnostics.connection = reached.transport.peer.address;
        return openSequence(reached, options, end);
      });
      if (watched) channels?.connect.end(diagnostics);
      const again = (end: AbortSignal, number: number) => attempt(number, end);
      if (reconnect === undefined) return { ...opened, reconnect };
      const { Reconnector } = await import("./reconnect.ts");
      return { ...opened, reconnect: { options: reconnect, open: again, Reconnector } };
    } catch (error) {
      if (watched) channels?.connect.fail(diagnostics, error);
      throw error;
    }
  };
  return attempt(0, options.signal);
}

/** @throws {TypeError} for numbers that make no sense, before anything is opened */
function checkOptions(options: ConnectionOptions, reconnect: ReconnectOptions | undefined): void {
  const { maxCalls = MAX_CALLS, keepAlive = KEEP_ALIVE } = options;
  if (!(maxCalls >= 1)) throw new TypeError(`maxCalls: ${maxCalls}, at least 1 wanted`);
  if (keepAlive !== false) checkKeepAlive(keepAlive);
  if (reconnect?.delays?.length === 0) throw new TypeError("reconnect.delays: at least one wanted");
}

/** The opening sequence of libvirt's client: doRemoteOpen, libvirt src/remote/remote_driver.c. */
async function openSequence(
  { transport, uri, name, auth }: Target,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Omit<OpenedConnection, "reconnect">> {
  const { readOnly = false, maxCalls = MAX_CALLS, callTimeout, keepAlive = KEEP_ALIVE } = options;
  // Only where others can read along does a login put a layer of its own around everything.
  const layer = transport.peer.secure ? undefined : new (await securityLayer()).SecurityLayerTransport(transport);
  const explainer = new Explainer(() => peer);
  const peer: Peer = new Peer(layer ?? transport, {
    maxCalls,
    ...(callTimeout === undefined ? {} : { callTimeout }),
    ...(options.streams === undefined ? {} : { streams: options.streams }),
    explain: explainer.explain,
  });
  const supports = (feature: number) =>
    peer.call(connectSupportsFeature, { feature }, { signal }).then(
      ({ supported }) => supported !== 0,
      (error: unknown) => {
        if (error instanceof VirtError) return false;
        throw error;
      },
    );
  try {
    await authenticate(peer, { ...auth, signal, ...(layer === undefined ? {} : { layer }) });
    const answersPings = await supports(FEATURE_KEEPALIVE);
    if (answersPings) peer.setKeepAlive(keepAlive);
    await peer.call(connectOpen, { name, flags: readOnly ? 1 : 0 }, { signal });
    const opened = uri === "" ? (await peer.call(connectGetUri, undefined, { signal })).uri : uri;
    const [eventCallback, closeCallback] = await Promise.all([
      supports(FEATURE_EVENT_CALLBACK),
      supports(FEATURE_CLOSE_CALLBACK),
    ]);
    return { peer, uri: opened, readOnly, maxCalls, keepAlive: answersPings, eventCallback, closeCallback };
  } catch (error) {
    await peer.close(error as Error);
    throw error;
  }
}

/** Runs `work` until it ends, the caller's signal gives up, or the time is over. */
async function withDeadline<T>(
  signal: AbortSignal | undefined,
  timeout = 30_000,
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
