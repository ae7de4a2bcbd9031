import { connectClose, connectSupportsFeature } from "../generated/remote/index.ts";
import { type Peer, TransportError } from "../rpc/index.ts";
import type { PeerIdentity } from "../transport/index.ts";
import type { Caller, CallOptions, EventProcedure, Procedure, StreamProcedure, StreamReply } from "../xdr/index.ts";

/**
 * Calls in flight at once. libvirtd stops reading a client that has five open, keepalive included; one less leaves
 * room for it.
 */
export const MAX_CALLS = 4;
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
  /** Whether the daemon sends events with callback ids, VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK. */
  readonly eventCallback: boolean;
  /** Whether the daemon reports the loss of its driver, VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK. */
  readonly closeCallback: boolean;
}

/**
 * An open connection to a daemon: calls of any procedure, events, and its end. `Connection` adds the API objects and
 * stubs; this much alone keeps a bundle small. At most four calls are in flight at once, the rest wait in order. A call that was
 * given up counts until its late reply, because the daemon still works on it.
 */
export class CoreConnection implements Caller<never>, AsyncDisposable {
  /** The URI that it was opened with, or the daemon's own where that was empty. */
  readonly uri: string;
  readonly readOnly: boolean;
  /** What the daemon said while the connection was opened. */
  readonly features: { readonly eventCallback: boolean; readonly closeCallback: boolean };
  /** Resolves when the connection is over: with the reason, or with undefined after `close`. */
  readonly closed: Promise<Error | undefined>;
  readonly #peer: Peer;
  #closing: Promise<void> | undefined;

  /** For connections that `connect` or `connectTransport` opened. */
  constructor({ peer, uri, readOnly, eventCallback, closeCallback }: OpenedConnection) {
    this.#peer = peer;
    this.uri = uri;
    this.readOnly = readOnly;
    this.features = { eventCallback, closeCallback };
    this.closed = peer.closed.then((reason) => (this.#closing === undefined ? reason : undefined));
  }

  /** Who is at the other end. */
  get identity(): PeerIdentity {
    return this.#peer.identity;
  }

  /** Calls any procedure by its descriptor: what everything else stands on. See `Peer.call` for what it rejects with. */
  call<Args, Ret>(procedure: Procedure<Args, Ret>, args: Args, options?: CallOptions): Promise<Ret> {
    return this.#peer.call(procedure, args, options);
  }

  /** Streams come with a later release: rejects with VIR_ERR_NO_SUPPORT. */
  open<Args, Ret>(procedure: StreamProcedure<Args, Ret>): Promise<StreamReply<Ret, never>> {
    return this.#peer.open(procedure);
  }

  /** Listens to messages of the daemon. That it sends any has to be asked for by a call. @returns what ends it */
  on<Msg>(event: EventProcedure<Msg>, listener: (message: Msg) => void): () => void {
    return this.#peer.on(event, listener);
  }

  /** Whether daemon and driver have a feature, by its VIR_DRV_FEATURE_ number. */
  async supportsFeature(feature: number, options?: CallOptions): Promise<boolean> {
    if (feature === FEATURE_REMOTE) return true;
    return (await this.call(connectSupportsFeature, { feature }, options)).supported !== 0;
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

  async #close(): Promise<void> {
    const late = new AbortController();
    // Behind a full number of calls CONNECT_CLOSE would only wait: the end of the connection says the same.
    if (this.#peer.inFlight < MAX_CALLS) {
      const timer = setTimeout(() => late.abort(new TransportError("io", "the daemon does not answer")), CLOSE_TIME);
      try {
        await this.call(connectClose, undefined, { signal: late.signal });
      } catch {
        // The end of the connection is as good as an answer, and after any other error it is closed all the same.
      } finally {
        clearTimeout(timer);
      }
    }
    await this.#peer.close(late.signal.reason);
  }
}
