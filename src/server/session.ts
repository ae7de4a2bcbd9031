import {
  type AnyProcedure,
  type KeepAliveOptions,
  type Peer,
  type ServerStreamOptions,
  type StreamRun,
  TransportError,
} from "../rpc/index.ts";
import type { PeerIdentity } from "../transport/index.ts";
import type { EventProcedure } from "../xdr/index.ts";
import type { ListenerSettings } from "./listener-options.ts";

/** What a handler learns beside its arguments. */
export interface CallContext {
  /** The connection that calls. */
  readonly session: Session;
  /** Aborted when the client goes: nobody waits for the answer any more. One signal for the whole session. */
  readonly signal: AbortSignal;
  readonly procedure: AnyProcedure;
  /**
   * Opens the stream of this call, where the procedure has one. When the handler's OK reply has gone out, `run` is
   * called with the server's half; when it resolves, the end of the stream is agreed on with the client, when it
   * rejects the client gets the error. Where the handler fails, `run` is never called.
   * @throws {VirtError} VIR_ERR_RESOURCE_BUSY where the client has too many streams
   */
  stream(run: StreamRun, options?: ServerStreamOptions): void;
}

/** What a client has proved to be, beside what its transport says. Each part is set by what has checked it. */
export interface ClientIdentity {
  unixUserId?: number;
  unixGroupId?: number;
  unixUserName?: string;
  unixGroupName?: string;
  /** The groups that the system lists the user in, the process' own first. */
  unixGroups?: readonly string[];
  unixProcessId?: number;
  /** Clock ticks since the machine started. */
  unixProcessTime?: bigint;
  saslUserName?: string;
  /** The name of its certificate as libvirt writes it: `C=GB,O=example,CN=client`. */
  tlsDistinguishedName?: string;
  selinuxContext?: string;
}

/** What a session is made from, by the server. */
export interface SessionOptions {
  readonly id: number;
  readonly peer: Peer;
  readonly listener: ListenerSettings;
  readonly keepAlive: KeepAliveOptions | false;
  readonly readOnly: boolean;
  readonly authenticated: boolean;
  /** Called when the client has logged in. */
  readonly onAuthenticated: () => void;
}

/** Events that may wait for an access policy that takes its time. */
const MAX_UNDECIDED = 4096;
const decided = Promise.resolve();

/** One client's connection, as drivers see it. */
export class Session {
  /** Counts up from 1 per server. */
  readonly id: number;
  /** What the client has proved to be. */
  readonly client: ClientIdentity = {};
  /** When it connected: seconds since 1970. */
  readonly connectedAt: number = Math.floor(Date.now() / 1000);
  readonly #listener: ListenerSettings;
  readonly #peer: Peer;
  readonly #keepAlive: KeepAliveOptions | false;
  readonly #onAuthenticated: () => void;
  #readOnly: boolean;
  #authenticated: boolean;
  /** Decides which events the client gets: set where there is an access policy. */
  eventFilter: ((message: unknown) => boolean | Promise<boolean>) | undefined;
  #undecided = 0;
  #lastEvent: Promise<void> = decided;
  #closed = false;
  #reason: Error | undefined;
  #gone: AbortController | undefined;

  constructor(options: SessionOptions) {
    const { id, peer, listener, keepAlive } = options;
    this.id = id;
    this.#listener = listener;
    this.#peer = peer;
    this.#keepAlive = keepAlive;
    this.#readOnly = options.readOnly;
    this.#authenticated = options.authenticated;
    this.#onAuthenticated = options.onAuthenticated;
    // First of all listeners: those of the drivers find the signal aborted.
    peer.onClose((reason) => {
      this.#closed = true;
      this.#reason = reason;
      this.#gone?.abort(this.#whyGone());
    });
  }

  /** What the listener it came by says of its clients. Empty where the transport was handed to `accept`. */
  get listener(): ListenerSettings {
    return this.#listener; // no field of the object's own: it may hold keys, and sessions are logged
  }

  /** What the transport knows of who is there. It is secure, too, once SASL has begun to encrypt it. */
  get identity(): PeerIdentity {
    return this.#peer.identity;
  }

  /** Aborted when the connection is over. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController(); // when somebody asks: most sessions never need one, and it takes 1 kB
      if (this.#closed) this.#gone.abort(this.#whyGone());
    }
    return this.#gone.signal;
  }

  /** Whether the connection is over. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Set when the client opens its connection read-only, and from the start at a read-only listener. Never unset. */
  get readOnly(): boolean {
    return this.#readOnly;
  }

  set readOnly(readOnly: boolean) {
    this.#readOnly ||= readOnly;
  }

  /**
   * False until the client has logged in, where its listener wants that: only AUTH_ procedures are answered. Never
   * unset, and not set for a client that has gone.
   */
  get authenticated(): boolean {
    return this.#authenticated;
  }

  set authenticated(authenticated: boolean) {
    if (!authenticated || this.#authenticated || this.#closed) return;
    this.#authenticated = true;
    this.#onAuthenticated();
  }

  /**
   * Pings the client from now on when it is silent, as the server's options say. For a client that has said that it
   * answers: one that asked for VIR_DRV_FEATURE_PROGRAM_KEEPALIVE; C's client hangs up on pings it did not ask for.
   */
  startKeepAlive(): void {
    this.#peer.setKeepAlive(this.#keepAlive);
  }

  /**
   * Sends an event to the client, unless the access policy keeps it from it. False when the client has gone.
   * @throws {XdrError} where the message does not fit
   */
  send<Msg>(event: EventProcedure<Msg>, message: Msg): boolean {
    if (this.eventFilter === undefined) return this.#peer.send(event, message);
    return this.#sendFiltered(event, message, this.eventFilter(message));
  }

  /** In order, also where an answer for an earlier one is still to come. */
  #sendFiltered<Msg>(event: EventProcedure<Msg>, message: Msg, allowed: boolean | Promise<boolean>): boolean {
    if (this.#undecided === 0 && typeof allowed === "boolean") return !allowed || this.#peer.send(event, message);
    if (allowed instanceof Promise) allowed.catch(() => {}); // its turn may come late, or never
    if (this.#closed) return false;
    if (++this.#undecided > MAX_UNDECIDED) {
      void this.#peer.close(new TransportError("io", "more events than the access policy can decide on"));
      return false;
    }
    this.#lastEvent = this.#lastEvent
      .then(() => allowed)
      .then((yes) => void (yes && this.#peer.send(event, message)))
      .catch(() => {}) // one that does not fit, or was not decided on, is not sent
      .finally(() => {
        this.#undecided--;
      });
    return true;
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

  #whyGone(): Error {
    return this.#reason ?? new TransportError("closed", "the connection was closed");
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
