import { VirConnectCloseReason } from "../generated/libvirt/index.ts";
import { connectClose, connectSupportsFeature } from "../generated/remote/index.ts";
import {
  AbortError,
  type Call,
  type CloseDiagnostics,
  channels,
  checkKeepAlive,
  harmless,
  type KeepAliveOptions,
  type Peer,
  type Stream,
  TimeoutError,
  TransportError,
  uncaught,
} from "../rpc/index.ts";
import type { PeerIdentity } from "../transport/index.ts";
import type { Caller, CallOptions, EventProcedure, Procedure, StreamProcedure, StreamReply } from "../xdr/index.ts";
import type { Gap, ReconnectOptions, Reconnector } from "./reconnect.ts";

/** Milliseconds that the daemon gets to answer CONNECT_CLOSE. */
const CLOSE_TIME = 5000;
/** VIR_DRV_FEATURE_REMOTE: answered by the client itself. */
const FEATURE_REMOTE = 2;

/** What an open connection is made of. */
export interface OpenedConnection {
  readonly peer: Peer;
  /** As `Connection.uri`. */
  readonly uri: string;
  readonly readOnly: boolean;
  /** Calls in flight at once. */
  readonly maxCalls: number;
  /** Whether the daemon answers pings, VIR_DRV_FEATURE_PROGRAM_KEEPALIVE. */
  readonly keepAlive: boolean;
  /** Whether the daemon sends events with callback ids, VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK. */
  readonly eventCallback: boolean;
  /** Whether the daemon reports the loss of its driver, VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK. */
  readonly closeCallback: boolean;
  /** Opens it again when it is lost. */
  readonly reconnect: Reconnecting | undefined;
}

export interface Reconnecting {
  readonly options: ReconnectOptions;
  readonly open: (signal: AbortSignal, attempt: number) => Promise<OpenedConnection>;
  /** The class, which who does not reconnect does not load. */
  readonly Reconnector: typeof Reconnector;
}

/** Runs when a connection that was lost is back. */
export type ReconnectedListener = (gap: Gap) => void | Promise<void>;
/** Runs when a connection is over, with a virConnectCloseReason and the error, if there was one. */
export type CloseListener = (reason: VirConnectCloseReason, error: Error | undefined) => void;

interface Listening {
  readonly attach: (peer: Peer) => () => void;
  detach: () => void;
}

/**
 * An open connection to a daemon: calls of any procedure, events, and its end. `Connection` adds the API objects and
 * stubs; this much alone keeps a bundle small. Some calls are in flight at once, the rest wait in order. A call that
 * was given up counts until its late reply, because the daemon still works on it.
 */
export class CoreConnection implements Caller<Stream>, AsyncDisposable {
  /** The URI that it was opened with, or the daemon's own where that was empty. */
  readonly uri: string;
  readonly readOnly: boolean;
  /** Resolves when the connection is over: with the reason, or with undefined after `close`. Never rejects. */
  readonly closed: Promise<Error | undefined>;
  #link: OpenedConnection;
  readonly #reconnector: Reconnector<OpenedConnection> | undefined;
  readonly #listening = new Set<Listening>();
  readonly #closeListeners = new Set<CloseListener>();
  readonly #reconnectedListeners = new Set<ReconnectedListener>();
  #closing: Promise<void> | undefined;
  #end: { readonly reason: VirConnectCloseReason; readonly error: Error | undefined } | undefined;
  #keepAlive: KeepAliveOptions | false | undefined;

  /** For connections that `connect` or `connectTransport` opened. */
  constructor(opened: OpenedConnection) {
    this.#link = opened;
    this.uri = opened.uri;
    this.readOnly = opened.readOnly;
    this.closed = new Promise((resolve) => this.onClose((_, error) => resolve(error)));
    const { reconnect } = opened;
    if (reconnect === undefined) {
      opened.peer.onClose((error) => this.#finish(error));
    } else {
      const restore = (link: OpenedConnection, gap: Gap) => this.#restore(link, gap);
      const over = (error: Error) => this.#finish(error);
      this.#reconnector = new reconnect.Reconnector(opened, reconnect.options, reconnect.open, restore, over);
    }
  }

  /** Who is at the other end. */
  get identity(): PeerIdentity {
    return this.#link.peer.identity;
  }

  /** What the daemon said while the connection was opened. */
  get features(): { readonly eventCallback: boolean; readonly closeCallback: boolean } {
    const { eventCallback, closeCallback } = this.#link;
    return { eventCallback, closeCallback };
  }

  /** Why the connection is over, a virConnectCloseReason: EOF, KEEPALIVE, CLIENT (`close`) or ERROR. Undefined before. */
  get closeReason(): VirConnectCloseReason | undefined {
    return this.#end?.reason;
  }

  /** `open`; `lost` while it is being opened again; `closed` from the beginning of `close`, or the end. */
  get state(): "open" | "lost" | "closed" {
    if (this.#closing !== undefined || this.#end !== undefined) return "closed";
    return this.#reconnector?.isDown === true ? "lost" : "open";
  }

  /** Calls any procedure by its descriptor: what everything else stands on. See `Peer.call` for what it rejects with. */
  call<Args, Ret>(procedure: Procedure<Args, Ret>, args: Args, options?: CallOptions): Promise<Ret> {
    const { peer } = this.#link;
    if (this.state === "open") return peer.call(procedure, args, options);
    return new Promise((resolve, reject) => {
      if (options?.signal?.aborted === true) throw new AbortError(options.signal.reason);
      this.#submit(peer.prepare(procedure, args, options, resolve, reject));
    });
  }

  /**
   * Calls a procedure that opens a stream; its signal goes on to abort the stream. Where the connection is being opened
   * again, the call waits as others do, but a stream that was open is lost with the connection. See `Peer.open`.
   */
  async open<Args, Ret>(
    procedure: StreamProcedure<Args, Ret>,
    args: Args,
    options?: CallOptions,
  ): Promise<StreamReply<Ret, Stream>> {
    return this.#link.peer.open(procedure, args, options, (call) => this.#submit(call));
  }

  /**
   * Listens to messages of the daemon, on every link that this connection may get. That the daemon sends any has to
   * be asked for by a call, again after each loss. @returns what ends it
   */
  on<Msg>(event: EventProcedure<Msg>, listener: (message: Msg) => void): () => void {
    const attach = (peer: Peer) => peer.on(event, listener);
    const listening: Listening = { attach, detach: attach(this.#link.peer) };
    this.#listening.add(listening);
    return () => {
      this.#listening.delete(listening);
      listening.detach();
    };
  }

  /**
   * Runs `listener` each time the connection was lost and is back: the place to register for events again. Calls that
   * it makes go out at once; those that waited go out when what it returns has settled. @returns what takes it back
   */
  onReconnected(listener: ReconnectedListener): () => void {
    this.#reconnectedListeners.add(listener);
    return () => this.#reconnectedListeners.delete(listener);
  }

  /** Runs `listener` once when the connection is over; at once if it is. @returns what takes it back */
  onClose(listener: CloseListener): () => void {
    if (this.#end !== undefined) listener(this.#end.reason, this.#end.error);
    else this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  /** Whether daemon and driver have a feature, by its VIR_DRV_FEATURE_ number. */
  async supportsFeature(feature: number, options?: CallOptions): Promise<boolean> {
    if (feature === FEATURE_REMOTE) return true;
    return (await this.call(connectSupportsFeature, { feature }, options)).supported !== 0;
  }

  /**
   * virConnectSetKeepAlive, at any time and as often as wanted: pings the daemon after `interval` seconds of silence.
   * @param interval 0 or less: no pings
   * @returns whether the daemon answers pings; none are sent otherwise
   * @throws {TypeError} where the numbers make no sense
   */
  setKeepAlive(interval: number, count: number): boolean {
    const wanted = interval <= 0 ? false : { interval, count };
    if (wanted !== false) checkKeepAlive(wanted); // before it is kept: the next link gets it too
    this.#keepAlive = wanted;
    if (this.#link.keepAlive) this.#link.peer.setKeepAlive(wanted);
    return this.#link.keepAlive;
  }

  /**
   * Takes leave of the daemon and closes the connection. Calls that wait fail. The daemon may close instead of
   * answering, and one that does not answer is waited for no longer than 5 seconds. Resolves when it is closed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Sends a call, keeps it until there is a connection, or fails it where there will be none. */
  #submit(call: Call): void {
    const { state } = this;
    if (state === "open") this.#link.peer.adopt(call);
    else if (state === "lost") this.#reconnector?.hold(call);
    else call.fail(new TransportError("closed", "the connection is closed", { cause: this.#end?.error }));
  }

  async #close(): Promise<void> {
    const wasDown = this.#reconnector?.isDown === true;
    await this.#reconnector?.close(new TransportError("closed", "the connection was closed"));
    const { peer, maxCalls } = this.#link;
    let late: TransportError | undefined;
    // Behind a full number of calls CONNECT_CLOSE would only wait: the end of the connection says the same.
    if (!wasDown && peer.inFlight < maxCalls) {
      try {
        await peer.call(connectClose, undefined, { timeout: CLOSE_TIME });
      } catch (error) {
        // The end of the connection is as good as an answer, and after any other error it is closed all the same.
        if (error instanceof TimeoutError) late = new TransportError("io", "the daemon does not answer");
      }
    }
    await peer.close(late);
    this.#finish(undefined);
  }

  async #restore(link: OpenedConnection, gap: Gap): Promise<void> {
    this.#link = link;
    if (link.keepAlive && this.#keepAlive !== undefined) link.peer.setKeepAlive(this.#keepAlive);
    for (const listening of this.#listening) listening.detach = listening.attach(link.peer);
    const listeners = [...this.#reconnectedListeners];
    for (const result of await Promise.allSettled(listeners.map(async (listener) => listener(gap)))) {
      // That the connection was lost again is known; anything else is a mistake of the listener.
      if (result.status === "rejected" && !(result.reason instanceof TransportError)) uncaught(result.reason);
    }
  }

  #finish(error: Error | undefined): void {
    if (this.#end !== undefined) return;
    const end =
      this.#closing === undefined
        ? { reason: closeReason(error), error }
        : { reason: VirConnectCloseReason.VIR_CONNECT_CLOSE_REASON_CLIENT, error: undefined };
    this.#end = end;
    if (channels?.close.hasSubscribers === true) {
      channels.close.publish({ connection: this.identity.address, ...end } satisfies CloseDiagnostics);
    }
    const listeners = [...this.#closeListeners];
    this.#closeListeners.clear();
    this.#reconnectedListeners.clear();
    this.#listening.clear();
    for (const listener of listeners) harmless(() => listener(end.reason, end.error));
  }
}

/** @source virNetClientMarkClose and virNetClientKeepAliveDeadCB, libvirt src/rpc/virnetclient.c */
function closeReason(error: Error | undefined): VirConnectCloseReason {
  if (error instanceof TransportError) {
    if (error.code === "eof") return VirConnectCloseReason.VIR_CONNECT_CLOSE_REASON_EOF;
    if (error.code === "keepalive") return VirConnectCloseReason.VIR_CONNECT_CLOSE_REASON_KEEPALIVE;
  }
  return VirConnectCloseReason.VIR_CONNECT_CLOSE_REASON_ERROR;
}
