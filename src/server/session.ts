import type { AnyProcedure, KeepAliveOptions, Peer } from "../rpc/index.ts";
import type { PeerIdentity } from "../transport/index.ts";
import type { EventProcedure } from "../xdr/index.ts";

/** What a handler learns beside its arguments. */
export interface CallContext {
  /** The connection that calls. */
  readonly session: Session;
  /** Aborted when the client goes: nobody waits for the answer any more. One signal for the whole session. */
  readonly signal: AbortSignal;
  readonly procedure: AnyProcedure;
}

/** One client's connection, as drivers see it. */
export class Session {
  /** Counts up from 1 per server. */
  readonly id: number;
  /** Who is there. */
  readonly identity: PeerIdentity;
  /** Aborted when the connection is over. */
  readonly signal: AbortSignal;
  /** Set when the client opens its connection read-only. */
  readOnly = false;
  /** False until the client has authenticated, where the listener wants that: only AUTH_ procedures are answered. */
  authenticated = true;
  readonly #peer: Peer;
  readonly #keepAlive: KeepAliveOptions | false;

  constructor(id: number, peer: Peer, signal: AbortSignal, keepAlive: KeepAliveOptions | false) {
    this.id = id;
    this.identity = peer.identity;
    this.#peer = peer;
    this.signal = signal;
    this.#keepAlive = keepAlive;
  }

  /**
   * Pings the client from now on when it is silent, as the server's options say. For a client that has said that it
   * answers: one that asked for VIR_DRV_FEATURE_PROGRAM_KEEPALIVE; C's client hangs up on pings it did not ask for.
   */
  startKeepAlive(): void {
    this.#peer.setKeepAlive(this.#keepAlive);
  }

  /** Sends an event to the client. False when it has gone. @throws {XdrError} where the message does not fit */
  send<Msg>(event: EventProcedure<Msg>, message: Msg): boolean {
    return this.#peer.send(event, message);
  }

  /**
   * Calls back once when the connection is over, or at once if it is: where drivers give back what it held.
   * @returns what takes the listener back
   */
  onClose(listener: (reason: Error | undefined) => void): () => void {
    return this.#peer.onClose(listener);
  }

  /** Reads no more calls, and closes the connection once the next reply has gone out: for CONNECT_CLOSE's handler. */
  closeAfterReply(): void {
    this.#peer.closeAfterReply();
  }

  /** Closes the connection: what is queued goes out first, with a reason nothing does. */
  close(reason?: Error): Promise<void> {
    return this.#peer.close(reason);
  }
}

/**
 * Something that a driver keeps per connection. Made when first asked for, gone with the session.
 *
 * `const opened = new PerSession(() => ({ uri: "" }))`, then `opened.of(context.session).uri = …`
 */
export class PerSession<T> {
  readonly #values = new WeakMap<Session, T>();
  readonly #make: (session: Session) => T;

  constructor(make: (session: Session) => T) {
    this.#make = make;
  }

  of(session: Session): T {
    let value = this.#values.get(session);
    if (value === undefined && !this.#values.has(session)) {
      value = this.#make(session);
      this.#values.set(session, value);
    }
    return value as T;
  }
}
