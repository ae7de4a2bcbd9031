import {
  type AnyProcedure,
  checkKeepAlive,
  Dispatcher,
  type DropReason,
  type Header,
  type KeepAliveOptions,
  Peer,
  type PeerOptions,
  startTimer,
  TransportError,
} from "../rpc/index.ts";
import type { Transport } from "../transport/index.ts";
import { type Listener, type ListenerOptions, listen, parseListenAddress } from "./listener.ts";
import type { ServedProgram } from "./program.ts";
import { type CallContext, Session } from "./session.ts";

export interface ServerLimits {
  /**
   * Connections served at once; further ones are accepted and find silence until one ends, as at libvirtd.
   * Default 5000.
   */
  readonly maxClients?: number;
  /** Connections that may wait so, libvirt's max_queued_clients; further ones are closed. Default 1000. */
  readonly maxQueuedClients?: number;
  /** Calls in progress per connection; with so many it is not read. Default 5. */
  readonly maxClientRequests?: number;
  /** The longest message taken, in bytes. Default 33554436. */
  readonly maxFrame?: number;
  /** Bytes of events that may wait for a client that does not read, before it is dropped. Default 16 MiB. */
  readonly maxQueuedEvents?: number;
}

export interface ServerOptions extends ListenerOptions {
  /** `unix:/run/x-sock`, `tcp://127.0.0.1:0`. Default: none, for servers that only `accept`. */
  readonly listen?: readonly string[];
  readonly programs: readonly ServedProgram[];
  readonly limits?: ServerLimits;
  /**
   * When to ping a silent client that answers pings, and when to take it for dead; false for never. Default
   * `{ interval: 5, count: 5 }` as libvirtd: its connection ends 30 seconds after it fell silent.
   */
  readonly keepAlive?: KeepAliveOptions | false;
  /** Learns what handlers threw that is no VirtError: the client learns only that its call failed. */
  readonly onError?: (error: unknown, context: CallContext) => void;
  /** Learns of messages that were dropped: for logs and tests. */
  readonly onDrop?: (reason: DropReason, header: Header, session: Session) => void;
}

export interface CloseOptions {
  /** Milliseconds that calls in progress get to be answered. Default 0: their handlers are aborted at once. */
  readonly drain?: number;
}

/** libvirtd's `keepalive_interval` and `keepalive_count`. */
const KEEP_ALIVE: KeepAliveOptions = { interval: 5, count: 5 };

/** Procedures that are answered before authentication: 66 to 70 of the REMOTE program. */
function isAuthentication(procedure: AnyProcedure): boolean {
  return procedure.program.name === "REMOTE" && procedure.name.startsWith("AUTH_");
}

/** Makes a server. It serves once `listen` is called, or a transport is handed to `accept`. */
export function createServer(options: ServerOptions): Server {
  return new Server(options);
}

/** Serves programs to any number of clients. */
export class Server implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly #dispatcher: Dispatcher<CallContext>;
  readonly #peers = new Map<Session, Peer>();
  /** Transports that wait for a client to leave. */
  readonly #waiting: Transport[] = [];
  #listeners: Listener[] = [];
  #state: "new" | "listening" | "closed" = "new";
  #lastId = 0;

  /** @throws {TypeError} for an address that cannot be listened at, a program served twice, or a senseless keepAlive */
  constructor(options: ServerOptions) {
    this.#options = options;
    for (const address of options.listen ?? []) parseListenAddress(address, options);
    const { onError, keepAlive = false } = options;
    if (keepAlive !== false) checkKeepAlive(keepAlive);
    this.#dispatcher = new Dispatcher(options.programs, {
      needsAuthentication: (procedure, { session }) => !session.authenticated && !isAuthentication(procedure),
      ...(onError === undefined ? {} : { onError }),
    });
  }

  /** Where it listens: `unix:/path` and `tcp://host:port`, in the order of the options, with the ports chosen. */
  get addresses(): readonly string[] {
    return this.#listeners.map(({ address }) => address);
  }

  /** The connections being served. */
  get sessions(): readonly Session[] {
    return [...this.#peers.keys()];
  }

  /** Starts to listen at all addresses, or at none. @throws {TransportError} `connect` */
  async listen(): Promise<void> {
    if (this.#state !== "new") throw new TypeError(`the server is ${this.#state}`);
    this.#state = "listening";
    const accept = (transport: Transport) => void this.accept(transport);
    try {
      for (const address of this.#options.listen ?? []) {
        const listener = await listen(parseListenAddress(address, this.#options), accept, this.#options);
        if (this.#isClosed()) {
          await listener.close();
          throw new TransportError("closed", "the server was closed while it began to listen");
        }
        this.#listeners.push(listener);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Serves the client at the other end of a transport.
   * @returns its session, or undefined where it has to wait for another client to leave, or was closed because too
   *   many wait already, or because the server is closed
   */
  accept(transport: Transport): Session | undefined {
    if (this.#isClosed()) {
      void transport.close(new TransportError("closed", "the server is closed"));
      return undefined;
    }
    const { limits = {}, onDrop } = this.#options;
    if (this.#peers.size >= (limits.maxClients ?? 5000)) {
      if (this.#waiting.length < (limits.maxQueuedClients ?? 1000)) this.#waiting.push(transport);
      else void transport.close(new TransportError("closed", "too many clients"));
      return undefined;
    }
    const gone = new AbortController();
    const options: PeerOptions = {
      answer: (header, payload) =>
        this.#dispatcher.answer(header, payload, (procedure) => ({ session, signal: gone.signal, procedure })),
      ...(limits.maxClientRequests === undefined ? {} : { maxRequests: limits.maxClientRequests }),
      ...(limits.maxFrame === undefined ? {} : { maxFrame: limits.maxFrame }),
      ...(limits.maxQueuedEvents === undefined ? {} : { maxQueuedEvents: limits.maxQueuedEvents }),
      ...(onDrop === undefined ? {} : { onDrop: (reason, header) => onDrop(reason, header, session) }),
    };
    const peer = new Peer(transport, options);
    const session = new Session(++this.#lastId, peer, gone.signal, this.#options.keepAlive ?? KEEP_ALIVE);
    this.#peers.set(session, peer);
    peer.onClose((reason) => {
      this.#peers.delete(session);
      gone.abort(reason ?? new TransportError("closed", "the connection was closed"));
      const next = this.#waiting.shift();
      if (next !== undefined) this.accept(next);
    });
    return session;
  }

  /** Accepts no more clients, lets calls in progress end for as long as `drain` says, and closes all connections. */
  async close({ drain = 0 }: CloseOptions = {}): Promise<void> {
    this.#state = "closed";
    const reason = new TransportError("closed", "the server is closed");
    const listeners = this.#listeners;
    this.#listeners = [];
    await Promise.all([
      ...listeners.map((listener) => listener.close()),
      ...this.#waiting.splice(0).map((transport) => transport.close(reason)),
      ...[...this.#peers.values()].map((peer) => closePeer(peer, drain)),
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }
}

async function closePeer(peer: Peer, drain: number): Promise<void> {
  if (drain > 0) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = startTimer(resolve, drain);
    });
    await Promise.race([peer.drain(), late]);
    clearTimeout(timer);
  }
  await peer.close();
}
