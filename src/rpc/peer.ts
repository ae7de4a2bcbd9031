import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { decodeVirNetMessageError, VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import { type PeerIdentity, type Transport, TransportError } from "../transport/index.ts";
import {
  type Caller,
  type CallOptions,
  type EventProcedure,
  inField,
  type Procedure,
  type StreamProcedure,
  type StreamReply,
  XdrReader,
} from "../xdr/index.ts";
import { Call } from "./call.ts";
import { CallTable, type LostCalls } from "./call-table.ts";
import { channels, type EventDiagnostics, type MessageDiagnostics } from "./diagnostics.ts";
import { AbortError, ProtocolError } from "./errors.ts";
import { FD_COUNT_BYTES, readFdCount } from "./file-descriptors.ts";
import { encodeFrame, FrameScanner } from "./frame.ts";
import { HEADER_BYTES, type Header, LENGTH_BYTES, readHeader } from "./header.ts";
import { checkKeepAlive, isKeepalive, isPing, KeepAlive, type KeepAliveOptions, PING, PONG } from "./keepalive.ts";
import { SendQueue } from "./send-queue.ts";
import { startTimer } from "./timer.ts";
import { harmless } from "./uncaught.ts";
import { VirtError, virtError } from "./virt-error.ts";

/** Answers a call of the other side: the reply's frame, or the promise of it, which must not reject. */
export type Answer = (header: Header, payload: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Why a message was dropped without harm to the connection. */
export type DropReason =
  | "late-reply" // its caller had given up
  | "unmatched-reply" // a reply to a side that serves, which made no such call
  | "unknown-message" // an event of a program or number that nobody here listens to
  | "bad-message" // an event with a status, or a payload that does not fit
  | "unknown-stream" // stream data or hole without its stream
  | "unknown-type"; // to a side that serves, which ignores it

export interface PeerOptions {
  /** Serves the calls of the other side. Without it this is a client, and a call breaks the protocol. */
  readonly answer?: Answer;
  /** Calls of ours in flight at once; the rest wait in order. Default: no limit. */
  readonly maxCalls?: number;
  /** Milliseconds that a call of ours may take where it does not say so itself. Default: any time. */
  readonly callTimeout?: number;
  /** Looks at an error of the other side before the caller gets it, and may give another one. Must not reject. */
  readonly explain?: (call: AnyProcedure, error: VirtError) => Error | Promise<Error>;
  /**
   * Calls of the other side in progress at once, libvirt's max_client_requests. With so many nothing more is read,
   * keepalive and the end of the connection included, until a reply is written. Default 5.
   */
  readonly maxRequests?: number;
  /** The longest frame taken, in bytes. Default 33554436. */
  readonly maxFrame?: number;
  /**
   * Bytes of events that may wait to be sent. Above that the other side is taken for dead, and the connection is
   * closed with a ProtocolError `send-queue`. Default 16 MiB.
   */
  readonly maxQueuedEvents?: number;
  /** Milliseconds that an orderly close waits for the other side to read. Default 5000. */
  readonly linger?: number;
  /** Learns of messages that were dropped: for logs and tests. */
  readonly onDrop?: (reason: DropReason, header: Header) => void;
  /** The names of procedures that the other side calls: for logs. */
  readonly nameOf?: (header: Header) => string | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: each procedure has its own types
type AnyProcedure = Procedure<any, any>;

/**
 * - `open`: everything goes.
 * - `draining`: nothing is read any more; calls of the other side are being answered.
 * - `closing`: what is queued goes out.
 * - `closed`
 */
type State = "open" | "draining" | "closing" | "closed";

/** Whose turn it is to move: an arrow that is missing means that nothing happens. */
const moves = {
  open: ["draining", "closing", "closed"],
  draining: ["closing", "closed"],
  closing: ["closed"],
  closed: [],
} as const satisfies Record<State, readonly State[]>;

interface Listener {
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own type; Peer.on gives the typed view
  readonly event: EventProcedure<any>;
  readonly deliver: (message: unknown) => void;
}

/**
 * One side of a connection, client or server: cuts bytes into messages, routes them, matches replies to calls, and
 * sends.
 * @source virNetClientCallDispatch, libvirt src/rpc/virnetclient.c, and virNetServerClientDispatchMessage,
 *   src/rpc/virnetserverclient.c
 */
export class Peer implements Caller<never>, AsyncDisposable {
  /** Resolves when the connection is over: with the reason, or with undefined where this side closed it in order. */
  readonly closed: Promise<Error | undefined>;
  readonly #transport: Transport;
  readonly #scanner: FrameScanner;
  readonly #queue: SendQueue;
  readonly #calls: CallTable;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #closeListeners = new Set<(reason: Error | undefined) => void>();
  readonly #options: PeerOptions;
  readonly #maxRequests: number;
  #state: State = "open";
  /** Calls of the other side whose reply is not written. */
  #requests = 0;
  /** Bytes of events that the transport has not taken. */
  #eventBytes = 0;
  #reading = false;
  #paused = false;
  #closeAfterReply = false;
  #drained: (() => void) | undefined;
  #reason: Error | undefined;
  #over: Promise<void> | undefined;
  #keepAlive: KeepAlive | undefined;
  #onLost: ((calls: LostCalls, reason: Error) => void) | undefined;

  /** Starts reading at once. */
  constructor(transport: Transport, options: PeerOptions = {}) {
    this.#transport = transport;
    this.#options = options;
    this.#maxRequests = options.maxRequests ?? 5;
    this.#scanner = new FrameScanner(options.maxFrame);
    this.#queue = new SendQueue(transport);
    this.#calls = new CallTable(options.maxCalls ?? Number.POSITIVE_INFINITY, (frame) => this.#send(frame));
    this.closed = new Promise((resolve) => this.onClose(resolve));
    transport.start({ bytes: (chunk) => this.#bytes(chunk), end: (error) => this.#end(error) });
  }

  get identity(): PeerIdentity {
    return this.#transport.peer;
  }

  /** Calls of ours that were sent and not answered, those whose callers gave up included. */
  get inFlight(): number {
    return this.#calls.inFlight;
  }

  /**
   * Calls `listener` once when the connection is over, before pending calls fail; at once if it is.
   * @returns what takes it back
   */
  onClose(listener: (reason: Error | undefined) => void): () => void {
    if (this.#state === "closed") listener(this.#reason);
    else this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  /**
   * Calls a procedure of the other side.
   *
   * Rejects with: VirtError, the answer of the other side; XdrError where arguments or result do not fit their type;
   * AbortError when `signal` gives up and TimeoutError when the time is over (nothing stops the other side: the
   * protocol cannot cancel a call); TransportError or ProtocolError when the connection is over.
   */
  call<Args, Ret>(procedure: Procedure<Args, Ret>, args: Args, options?: CallOptions): Promise<Ret> {
    return new Promise<Ret>((resolve, reject) => {
      if (options?.signal?.aborted === true) throw new AbortError(options.signal.reason);
      if (this.#state !== "open") {
        throw new TransportError("closed", "the connection is closed", { cause: this.#reason });
      }
      this.adopt(this.prepare(procedure, args, options, resolve, reject));
    });
  }

  /** For layers that keep calls while there is no connection: a call that is not sent yet. @throws {XdrError} */
  prepare<Args, Ret>(
    procedure: Procedure<Args, Ret>,
    args: Args,
    options: CallOptions | undefined,
    resolve: (value: Ret) => void,
    reject: (error: unknown) => void,
  ): Call {
    const { callTimeout } = this.#options;
    const limits =
      callTimeout === undefined || options?.timeout !== undefined ? options : { ...options, timeout: callTimeout };
    return new Call(procedure, args, limits, this, resolve as (value: unknown) => void, reject);
  }

  /** For the same: sends a call, or fails it where the connection is over. */
  adopt(call: Call): void {
    if (this.#state === "open") this.#calls.add(call);
    else call.fail(new TransportError("closed", "the connection is closed", { cause: this.#reason }));
  }

  /**
   * For the same: when the connection is lost, `take` gets the calls that would fail otherwise. Not when it is closed
   * in order.
   */
  onLost(take: (calls: LostCalls, reason: Error) => void): void {
    if (this.#state === "closed" && this.#reason !== undefined) take({ sent: [], unsent: [] }, this.#reason);
    else this.#onLost = take;
  }

  /**
   * Begins to send pings when the other side is silent; where it does not answer the connection is closed with a
   * TransportError `keepalive`. Only for sides that answer pings: a client asks VIR_DRV_FEATURE_PROGRAM_KEEPALIVE and
   * believes the answer, a server pings clients that asked. Replaces what was said before; `false` ends it.
   * @throws {TypeError} where the numbers make no sense
   */
  setKeepAlive(options: KeepAliveOptions | false): void {
    if (options !== false) checkKeepAlive(options);
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    if (options === false || this.#state === "closed") return;
    const ping = () => {
      if (channels?.message.hasSubscribers === true) this.#report("out", PING.subarray(LENGTH_BYTES));
      this.#queue.addPing();
      this.#flush();
    };
    this.#keepAlive = new KeepAlive(options, ping, (error) => {
      // Where this side does not read, the other one's silence means nothing.
      if (this.#paused) this.setKeepAlive(options);
      else this.#fail(error);
    });
  }

  /** Streams come with a later release: rejects with VIR_ERR_NO_SUPPORT. */
  open<Args, Ret>(procedure: StreamProcedure<Args, Ret>): Promise<StreamReply<Ret, never>> {
    const detail = `${procedure.name}: streams arrive with a later release`;
    return Promise.reject(virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_STREAMS, detail));
  }

  /**
   * Sends an event. False when the connection is over, which then knows nobody to send it to.
   * @throws {XdrError} where the message does not fit its type
   */
  send<Msg>(event: EventProcedure<Msg>, message: Msg): boolean {
    if (this.#state !== "open" && this.#state !== "draining") return false;
    const { number: prog, version: vers } = event.program;
    const { VIR_NET_MESSAGE: type } = VirNetMessageType;
    // libvirtd sends serial 1 in every event, whatever its documents say.
    const header: Header = { prog, vers, proc: event.number, type, serial: 1, status: VirNetMessageStatus.VIR_NET_OK };
    const frame = encodeFrame(header, event.msg.encode, message, "msg");
    this.#eventBytes += frame.byteLength;
    this.#send(frame, () => {
      this.#eventBytes -= frame.byteLength;
    });
    const { maxQueuedEvents: max = 16 * 1024 * 1024 } = this.#options;
    const queued = this.#eventBytes;
    if (queued > max) this.#fail(new ProtocolError("send-queue", "the other side does not read", { queued, max }));
    return queued <= max;
  }

  /** Listens to an event. @returns what ends it */
  on<Msg>(event: EventProcedure<Msg>, deliver: (message: Msg) => void): () => void {
    const key = listenerKey(event.program.number, event.program.version, event.number);
    const listener: Listener = { event, deliver: deliver as (message: unknown) => void };
    const all = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, all.add(listener));
    return () => {
      if (all.delete(listener) && all.size === 0 && this.#listeners.get(key) === all) this.#listeners.delete(key);
    };
  }

  /** Reads nothing more, and resolves when the calls of the other side that were read have been answered. */
  drain(): Promise<void> {
    if (!this.#move("draining")) return this.closed.then(() => {});
    this.#pause();
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.onClose(() => resolve());
      this.#checkDrained();
    });
  }

  /**
   * Closes the connection. Calls of ours that wait fail. What is queued goes out first; with a reason nothing does.
   * Resolves when the transport is closed.
   */
  close(reason?: Error): Promise<void> {
    if (reason !== undefined) {
      this.#fail(reason);
    } else if (this.#move("closing")) {
      this.#pause();
      this.#rejectCalls(new TransportError("closed", "the connection was closed"));
      const { promise, resolve } = withResolvers();
      this.#over = promise;
      const { linger = 5000 } = this.#options;
      const timer = startTimer(() => this.#fail(new TransportError("io", "the other side does not read")), linger);
      this.onClose(() => {
        clearTimeout(timer);
        void this.#transport.close().then(resolve);
      });
      this.#queue.whenEmpty(() => {
        if (this.#state !== "closing") return;
        void this.#transport.close().then(() => this.#finish(undefined));
      });
    }
    return this.#over ?? Promise.resolve();
  }

  /**
   * Reads nothing more, and closes once the next reply has gone out: how libvirtd ends a connection after it has
   * answered CONNECT_CLOSE.
   */
  closeAfterReply(): void {
    if (this.#requests === 0) {
      void this.close();
      return;
    }
    this.#move("draining");
    this.#pause();
    this.#closeAfterReply = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #bytes(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#keepAlive?.heard();
    this.#scanner.push(chunk);
    this.#read();
  }

  /** Routes the frames that are there, as long as there may be more calls in progress. */
  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (;;) {
        let frame: Uint8Array | undefined;
        while (this.#state === "open" && this.#requests < this.#maxRequests) {
          frame = this.#scanner.next();
          if (frame === undefined) break;
          if (channels?.message.hasSubscribers === true) this.#report("in", frame);
          this.#route(readHeader(frame), behind(frame, HEADER_BYTES));
        }
        const full = this.#requests >= this.#maxRequests;
        this.#queue.flush(); // replies together, and with them room for further calls
        if (this.#state !== "open" || !full || this.#requests >= this.#maxRequests) break;
      }
      this.#scanner.keep();
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#reading = false;
    }
    if (this.#state === "open" && this.#requests >= this.#maxRequests) this.#pause();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#transport.pause();
  }

  #route(header: Header, body: Uint8Array): void {
    switch (header.type) {
      case VirNetMessageType.VIR_NET_CALL:
        this.#serve(header, body);
        return;
      case VirNetMessageType.VIR_NET_CALL_WITH_FDS: {
        const count = readFdCount(body);
        if (count > 0) throw new ProtocolError("fds-unsupported", "a call with file descriptors", { count });
        this.#serve(header, behind(body, FD_COUNT_BYTES));
        return;
      }
      case VirNetMessageType.VIR_NET_REPLY:
        this.#reply(header, body, 0);
        return;
      case VirNetMessageType.VIR_NET_REPLY_WITH_FDS: {
        if (this.#options.answer !== undefined) {
          this.#drop("unmatched-reply", header);
          return;
        }
        const count = readFdCount(body);
        this.#scanner.skip(count); // each descriptor comes with a byte outside the frame
        this.#reply(header, behind(body, FD_COUNT_BYTES), count);
        return;
      }
      case VirNetMessageType.VIR_NET_MESSAGE:
        if (isPing(header)) {
          if (channels?.message.hasSubscribers === true) this.#report("out", PONG.subarray(LENGTH_BYTES));
          this.#queue.addPong();
          this.#flush();
        } else if (!isKeepalive(header)) {
          this.#event(header, body);
        }
        return;
      case VirNetMessageType.VIR_NET_STREAM:
      case VirNetMessageType.VIR_NET_STREAM_HOLE:
        this.#drop("unknown-stream", header);
        return;
      default:
        if (this.#options.answer === undefined) {
          throw new ProtocolError("unexpected-type", "a message of no known type", { type: header.type });
        }
        this.#drop("unknown-type", header);
    }
  }

  #serve(header: Header, payload: Uint8Array): void {
    const { answer } = this.#options;
    if (answer === undefined) {
      const { prog, vers, proc, serial } = header;
      throw new ProtocolError("unexpected-call", "a call to a client", { prog, vers, proc, serial });
    }
    this.#requests++;
    const reply = answer(header, payload);
    if (reply instanceof Uint8Array) this.#send(reply, this.#answered);
    else {
      reply.then(
        (frame) => this.#send(frame, this.#answered),
        (error: unknown) => this.#fail(error as Error),
      );
    }
  }

  /** A reply has gone out. */
  readonly #answered = (): void => {
    this.#requests--;
    if (this.#closeAfterReply) {
      this.#closeAfterReply = false;
      void this.close();
      return;
    }
    this.#checkDrained();
    if (this.#reading || !this.#paused || this.#state !== "open") return;
    this.#read(); // frames that were there before the pause
    if (this.#state === "open" && this.#requests < this.#maxRequests) {
      this.#paused = false;
      this.#keepAlive?.heard(); // there was nobody to hear
      this.#transport.resume();
    }
  };

  #checkDrained(): void {
    if (this.#state === "draining" && this.#requests === 0) this.#queue.whenEmpty(() => this.#drained?.());
  }

  #reply(header: Header, payload: Uint8Array, fds: number): void {
    const { prog, vers, proc, serial, status } = header;
    const call = this.#calls.take(prog, vers, serial);
    if (call === undefined) {
      if (this.#options.answer === undefined) {
        throw new ProtocolError("unexpected-reply", "no call is waiting for it", { prog, vers, proc, serial });
      }
      this.#drop("unmatched-reply", header);
    } else if (call.abandoned) {
      this.#drop("late-reply", header);
    } else if (proc !== call.procedure.number) {
      const detail = `Unexpected message proc ${proc} != ${call.procedure.number}`;
      call.fail(virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail));
    } else {
      this.#settle(call, status, payload, fds);
    }
  }

  #settle(call: Call, status: number, payload: Uint8Array, fds: number): void {
    switch (status) {
      case VirNetMessageStatus.VIR_NET_OK: {
        if (fds > 0) {
          const detail = `${call.procedure.name}: the ${fds} file descriptors of the reply cannot be received`;
          call.fail(virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_RPC, detail));
          return;
        }
        let value: unknown;
        try {
          value = call.procedure.ret.decode(new XdrReader(payload));
        } catch (error) {
          call.fail(inField(error, "ret"));
          return;
        }
        call.succeed(value);
        return;
      }
      case VirNetMessageStatus.VIR_NET_ERROR: {
        let error: VirtError;
        try {
          error = VirtError.fromMessage(decodeVirNetMessageError(new XdrReader(payload)));
        } catch (cause) {
          call.fail(inField(cause, "error"));
          return;
        }
        const explained = this.#options.explain?.(call.procedure, error) ?? error;
        if (explained instanceof Error) call.fail(explained);
        else explained.then((better) => call.fail(better));
        return;
      }
      default: {
        const detail = `Unexpected message status ${status >>> 0}`;
        call.fail(virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_RPC, detail));
      }
    }
  }

  #event(header: Header, payload: Uint8Array): void {
    const listeners = this.#listeners.get(listenerKey(header.prog, header.vers, header.proc));
    const first = listeners?.values().next().value;
    if (listeners === undefined || first === undefined) {
      this.#drop("unknown-message", header);
      return;
    }
    if (channels?.event.hasSubscribers === true) {
      const { program, name: procedure, number } = first.event;
      const connection = this.#transport.peer.address;
      const bytes = payload.byteLength;
      const data: EventDiagnostics = { connection, program: program.name, procedure, number, bytes };
      channels.event.publish(data);
    }
    let message: unknown;
    try {
      if (header.status !== VirNetMessageStatus.VIR_NET_OK) throw new RangeError("status");
      message = first.event.msg.decode(new XdrReader(payload));
    } catch {
      this.#drop("bad-message", header);
      return;
    }
    for (const listener of [...listeners]) {
      // One may have ended another.
      if (listeners.has(listener)) harmless(() => listener.deliver(message));
    }
  }

  #drop(reason: DropReason, header: Header): void {
    harmless(() => this.#options.onDrop?.(reason, header));
  }

  #send(frame: Uint8Array, sent?: () => void): void {
    if (channels?.message.hasSubscribers === true) this.#report("out", frame.subarray(LENGTH_BYTES));
    this.#queue.add(frame, sent);
    this.#flush();
  }

  #flush(): void {
    if (!this.#reading) this.#queue.flush();
  }

  #end(error: Error | undefined): void {
    if (this.#state === "closing" && error === undefined) {
      void this.#transport.close().then(() => this.#finish(undefined));
      return;
    }
    const where = this.#scanner.pending > 0 ? " in the middle of a message" : "";
    this.#fail(error ?? new TransportError("eof", `the other side closed the connection${where}`));
  }

  /** The connection is over, at once. */
  #fail(reason: Error): void {
    if (this.#state === "closed") return;
    const over = this.#transport.close(reason);
    this.#over ??= over;
    this.#finish(reason);
  }

  #finish(reason: Error | undefined): void {
    if (!this.#move("closed")) return;
    this.#reason = reason;
    this.#keepAlive?.stop();
    const unsent = this.#queue.close();
    const listeners = [...this.#closeListeners];
    this.#closeListeners.clear();
    for (const listener of listeners) harmless(() => listener(reason));
    if (reason !== undefined) {
      const lost = this.#calls.clear(unsent);
      if (this.#onLost !== undefined) this.#onLost(lost, reason);
      else for (const call of [...lost.sent, ...lost.unsent]) call.fail(reason);
    }
    this.#listeners.clear();
  }

  #rejectCalls(reason: Error): void {
    const { sent, unsent } = this.#calls.clear(new Set());
    for (const call of [...sent, ...unsent]) call.fail(reason);
  }

  /** @param frame without its length word */
  #report(direction: "in" | "out", frame: Uint8Array): void {
    const header = readHeader(frame);
    const connection = this.#transport.peer.address;
    const length = frame.byteLength + LENGTH_BYTES;
    const data: MessageDiagnostics = { connection, direction, header, procedure: this.#nameOf(header), length };
    channels?.message.publish(data);
  }

  #nameOf(header: Header): string | undefined {
    const { prog, vers, proc, type, serial } = header;
    if (isKeepalive(header)) return isPing(header) ? "PING" : "PONG";
    if (this.#options.nameOf !== undefined) return this.#options.nameOf(header);
    if (type === VirNetMessageType.VIR_NET_MESSAGE) {
      return this.#listeners
        .get(listenerKey(prog, vers, proc))
        ?.values()
        .next().value?.event.name;
    }
    const procedure = this.#calls.get(serial)?.procedure;
    return procedure?.number === proc ? procedure.name : undefined;
  }

  #move(to: State): boolean {
    if (!(moves[this.#state] as readonly State[]).includes(to)) return false;
    this.#state = to;
    return true;
  }
}

/** `subarray(start)`, which takes longer. */
function behind(bytes: Uint8Array, start: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
}

function listenerKey(program: number, version: number, procedure: number): string {
  return `${program}/${version}/${procedure}`;
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((r) => {
    resolve = r;
  });
  return { promise, resolve };
}
