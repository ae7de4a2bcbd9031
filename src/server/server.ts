import {
  type AnyProcedure,
  checkKeepAlive,
  Dispatcher,
  type DropReason,
  type Header,
  type KeepAliveOptions,
  Peer,
  type PeerOptions,
  type ServerStreamOptions,
  type StreamRun,
  serveStream,
  startTimer,
  TransportError,
} from "../rpc/index.ts";
import type { Transport } from "../transport/index.ts";
import type { AccessPolicy } from "./access.ts";
import { guard } from "./access-guard.ts";
import type { AuditOptions } from "./audit.ts";
import { type AuthPolicy, beginLogin, checkAuthPolicy, loginTransport, needsNoLogin } from "./authentication.ts";
import { mergeLimits, type ServerLimits } from "./limits.ts";
import { parseListenAddress } from "./listen-address.ts";
import { type Listener, listen } from "./listener.ts";
import type { ListenerDefaults, ListenerOptions, ListenerSettings } from "./listener-options.ts";
import type { ServedProgram } from "./program.ts";
import { type CallContext, Session } from "./session.ts";
import { notifySystemd } from "./systemd.ts";
import { type WorkerFigures, Workers } from "./workers.ts";

export interface ServerOptions extends ListenerDefaults, AuditOptions {
  /** What the administration program calls it. Default `virtwire`. */
  readonly name?: string;
  /** Addresses, or objects where one has settings of its own. Default: none, for servers that only `accept`. */
  readonly listen?: readonly (string | ListenerOptions)[];
  readonly programs: readonly ServedProgram[];
  readonly limits?: ServerLimits;
  /** What clients may do, by the rights that the programs' files name. Default: all. */
  readonly access?: AccessPolicy;
  /**
   * When to ping a silent client that answers pings, and when to take it for dead; false for never. Default
   * `{ interval: 5, count: 5 }` as libvirtd: its connection ends 30 seconds after it fell silent.
   */
  readonly keepAlive?: KeepAliveOptions | false;
  /** Whether to tell systemd when the server is ready and when it stops, where NOTIFY_SOCKET is set. Default false. */
  readonly notify?: boolean;
  /** Learns what handlers threw that is no VirtError: the client learns only that its call failed. */
  readonly onError?: (error: unknown, context: CallContext) => void;
  /** Learns of messages that were dropped: for logs and tests. */
  readonly onDrop?: (reason: DropReason, header: Header, session: Session) => void;
  /** Learns of connections that never became sessions (a handshake that failed), and of listeners in trouble. */
  readonly onRefused?: (error: Error, address: string) => void;
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

/**
 * - `new`: nobody has called `listen`; `accept` serves.
 * - `listening`
 * - `draining`: no client is accepted, calls in progress are being answered.
 * - `closed`
 */
type State = "new" | "listening" | "draining" | "closed";

/** A connection that waits for another one to leave, or to log in. */
interface Waiting {
  readonly transport: Transport;
  readonly settings: ListenerSettings;
}

/** Makes a server. It serves once `listen` is called, or a transport is handed to `accept`. */
export function createServer(options: ServerOptions): Server {
  return new Server(options);
}

/** Serves programs to any number of clients. */
export class Server implements AsyncDisposable {
  readonly name: string;
  readonly #options: ServerOptions;
  readonly #listenerOptions: readonly ListenerOptions[];
  readonly #dispatcher: Dispatcher<CallContext>;
  readonly #workers: Workers;
  readonly #peers = new Map<Session, Peer>();
  readonly #waiting: Waiting[] = [];
  #limits: Required<ServerLimits>;
  #anonymous = 0;
  #listeners: Listener[] = [];
  #state: State = "new";
  #lastId = 0;

  /**
   * @throws {TypeError} for an address that cannot be listened at, limits or a keepAlive without sense, or a program
   *   that is served twice
   */
  constructor(options: ServerOptions) {
    const { name = "virtwire", onError, keepAlive = false } = options;
    this.name = name;
    this.#options = options;
    this.#limits = mergeLimits(options.limits ?? {});
    const { mode, group, insecure, tls, origins, auth } = options;
    const defaults = defined({ mode, group, insecure, tls, origins, auth });
    this.#listenerOptions = (options.listen ?? []).map((listener) => ({
      ...defaults,
      ...(typeof listener === "string" ? { address: listener } : listener),
    }));
    for (const listener of this.#listenerOptions) {
      parseListenAddress(listener);
      if (listener.auth !== undefined) checkAuthPolicy(listener.auth);
      if (listener.keepAlive) checkKeepAlive(listener.keepAlive);
    }
    if (keepAlive !== false) checkKeepAlive(keepAlive);
    this.#workers = new Workers(this.#limits);
    const programs = guard(options.programs, options.access, options).map((program) =>
      withWorkers(program, this.#workers),
    );
    this.#dispatcher = new Dispatcher(programs, {
      needsAuthentication: (procedure, { session }) => !session.authenticated && !isAuthentication(procedure),
      ...(onError === undefined ? {} : { onError }),
    });
  }

  /**
   * Where it listens, in the order of the options, with the ports that the system chose: `unix:/path`,
   * `tcp://host:port`, `tls://host:port`, `wss://host:port/path`.
   */
  get addresses(): readonly string[] {
    return this.#listeners.map(({ address }) => address);
  }

  /** The connections being served. */
  get sessions(): readonly Session[] {
    return [...this.#peers.keys()];
  }

  /** How many connections are served, how many of them have yet to log in, and how many wait to be served. */
  get clients(): { readonly served: number; readonly anonymous: number; readonly waiting: number } {
    return { served: this.#peers.size, anonymous: this.#anonymous, waiting: this.#waiting.length };
  }

  /** The limits in force. */
  get limits(): Required<ServerLimits> {
    return this.#limits;
  }

  /**
   * Changes limits; what is left out stays as it is. Nobody who is served is sent away: fewer get in until there is
   * room again.
   * @throws {TypeError} for numbers without sense, and then nothing changes
   */
  setLimits(changes: ServerLimits): void {
    this.#limits = mergeLimits(changes, this.#limits);
    this.#workers.limits = this.#limits;
    for (const peer of this.#peers.values()) peer.maxRequests = this.#limits.maxClientRequests;
    this.#serveWaiting();
  }

  /** The figures of the workers, libvirt's thread pool. */
  get workers(): WorkerFigures {
    return this.#workers.figures;
  }

  /** Starts to listen at all addresses, or at none. @throws {TransportError} `connect`, `own-certificate` */
  async listen(): Promise<void> {
    if (this.#state !== "new") throw new TypeError(`the server is ${this.#state}`);
    this.#state = "listening";
    try {
      for (const options of this.#listenerOptions) {
        const listener = await listen(options, {
          accept: (transport) => void this.accept(transport, options),
          maxPending: () => this.#limits.maxQueuedClients,
          onRefused: (error, address) => this.#options.onRefused?.(error, address),
        });
        if (this.#isClosed()) {
          await listener.close();
          throw new TransportError("closed", "the server was closed while it began to listen");
        }
        this.#listeners.push(listener);
      }
      if (this.#options.notify === true) await notifySystemd("ready");
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Reads the certificates and keys of all TLS listeners again; connections that are there stay.
   * @throws {TransportError} `own-certificate`, and then that listener goes on with what it had
   */
  async reloadCertificates(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.reload?.()));
  }

  /**
   * Serves the client at the other end of a transport.
   * @returns its session, or undefined where it has to wait for another client to leave, or was closed because too
   *   many wait already, or because the server is closed
   */
  accept(transport: Transport, settings: ListenerSettings = {}): Session | undefined {
    if (this.#isClosed()) {
      void transport.close(new TransportError("closed", "the server is closed"));
      return undefined;
    }
    if (this.#hasRoom(settings)) return this.#serve(transport, settings);
    if (this.#waiting.length < this.#limits.maxQueuedClients) this.#waiting.push({ transport, settings });
    else void transport.close(new TransportError("closed", "too many clients"));
    return undefined;
  }

  /**
   * Accepts no more clients, lets calls and transfers in progress end for as long as `drain` says, and closes all connections.
   * A further call waits for nobody: it cuts the connections that are still there.
   */
  async close({ drain = 0 }: CloseOptions = {}): Promise<void> {
    const reason = new TransportError("closed", "the server is closed");
    if (this.#isClosed()) {
      await Promise.all([...this.#peers.values()].map((peer) => peer.close(reason)));
      return;
    }
    this.#state = "draining";
    const told = this.#options.notify === true ? notifySystemd("stopping").catch(() => false) : undefined;
    const listeners = this.#listeners;
    this.#listeners = [];
    await Promise.all([
      told,
      ...listeners.map((listener) => listener.close()),
      ...this.#waiting.splice(0).map(({ transport }) => transport.close(reason)),
      ...[...this.#peers.values()].map((peer) => closePeer(peer, drain)),
    ]);
    this.#state = "closed";
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isClosed(): boolean {
    return this.#state === "draining" || this.#state === "closed";
  }

  #hasRoom({ auth }: ListenerSettings): boolean {
    const { maxClients, maxAnonymousClients } = this.#limits;
    if (this.#peers.size >= maxClients) return false;
    return needsNoLogin(auth) || maxAnonymousClients === 0 || this.#anonymous < maxAnonymousClients;
  }

  /** A client has left or logged in: others get their turn, in the order they came. */
  #serveWaiting(): void {
    for (let at = 0; at < this.#waiting.length && !this.#isClosed(); ) {
      const { transport, settings } = this.#waiting[at] as Waiting;
      if (this.#hasRoom(settings)) {
        this.#waiting.splice(at, 1);
        this.#serve(transport, settings);
      } else at++;
    }
  }

  #serve(transport: Transport, settings: ListenerSettings): Session {
    const { onDrop } = this.#options;
    const { maxClientRequests: maxRequests, maxFrame, maxQueuedEvents, maxStreams, receiveWindow } = this.#limits;
    const options: PeerOptions = {
      answer: (header, payload) => this.#dispatcher.answer(header, payload, contextOf),
      maxRequests,
      maxFrame,
      maxQueuedEvents,
      streams: { maxStreams, receiveWindow },
      ...(onDrop === undefined ? {} : { onDrop: (reason, header) => onDrop(reason, header, session) }),
    };
    const policy: AuthPolicy | undefined = settings.auth;
    const served = loginTransport(transport, policy);
    const peer = new Peer(served, options);
    const authenticated = needsNoLogin(policy);
    const session: Session = new Session({
      id: ++this.#lastId,
      peer,
      listener: settings,
      keepAlive: settings.keepAlive ?? this.#options.keepAlive ?? KEEP_ALIVE,
      readOnly: settings.readOnly ?? false,
      authenticated,
      onAuthenticated: () => {
        this.#anonymous--;
        this.#serveWaiting();
      },
    });
    const { onError } = this.#options;
    const contextOf = (procedure: AnyProcedure, header: Header): CallContext =>
      new HandlerContext(session, procedure, header, peer, onError);
    const { tls } = transport.peer;
    if (tls?.verified === true && tls.distinguishedName !== undefined) {
      session.client.tlsDistinguishedName = tls.distinguishedName;
    }
    beginLogin(session, { transport, served, policy, audit: this.#options });
    if (!authenticated) this.#anonymous++;
    this.#peers.set(session, peer);
    peer.onClose(() => {
      this.#peers.delete(session);
      if (!session.authenticated) this.#anonymous--;
      this.#workers.forget(session);
      this.#serveWaiting();
    });
    return session;
  }
}

/** What a handler is given. A class, so that what few handlers ask for is made only then: a signal, a stream. */
class HandlerContext implements CallContext {
  readonly session: Session;
  readonly procedure: AnyProcedure;
  readonly #header: Header;
  readonly #peer: Peer;
  readonly #onError: ServerOptions["onError"];

  constructor(
    session: Session,
    procedure: AnyProcedure,
    header: Header,
    peer: Peer,
    onError: ServerOptions["onError"],
  ) {
    this.session = session;
    this.procedure = procedure;
    this.#header = header;
    this.#peer = peer;
    this.#onError = onError;
  }

  get signal(): AbortSignal {
    return this.session.signal;
  }

  stream(run: StreamRun, options?: ServerStreamOptions): void {
    const onError = (error: unknown) => this.#onError?.(error, this);
    serveStream({ peer: this.#peer, header: this.#header, procedure: this.procedure, onError }, run, options);
  }
}

/** The program with each handler behind the workers. */
function withWorkers(program: ServedProgram, workers: Workers): ServedProgram {
  const { description, handlers } = program;
  const wrapped: Record<string, ServedProgram["handlers"][string]> = {};
  for (const [key, { priority }] of Object.entries(description.procedures)) {
    // What every object has, such as toString, serves no procedure that happens to be called so.
    const handler = handlers[key] === Reflect.get(Object.prototype, key) ? undefined : handlers[key];
    if (handler !== undefined) wrapped[key] = workers.wrap(handler.bind(handlers), priority);
  }
  return { ...program, handlers: wrapped };
}

/** Without the keys that say nothing, which would hide a default. */
function defined(defaults: { [Key in keyof ListenerDefaults]: ListenerDefaults[Key] | undefined }): ListenerDefaults {
  return Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== undefined));
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
