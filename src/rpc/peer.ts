import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import { type PeerIdentity, type Transport, TransportError } from "../transport/index.ts";
import type { Caller, CallOptions, EventProcedure, Procedure, StreamProcedure, StreamReply } from "../xdr/index.ts";
import { Call, type Opening } from "./call.ts";
import { CallTable, type LostCalls } from "./call-table.ts";
import { AbortError, ProtocolError } from "./errors.ts";
import { EventListeners } from "./event-listeners.ts";
import { encodeFrame } from "./frame.ts";
import { HEADER_BYTES, type Header, LENGTH_BYTES, readHeader, readWord } from "./header.ts";
import { Intake } from "./intake.ts";
import { checkKeepAlive, KeepAlive, type KeepAliveOptions, PING, PONG } from "./keepalive.ts";
import { areMessagesWatched, reportMessage } from "./message-report.ts";
import type { PeerOptions } from "./peer-options.ts";
import { Requests } from "./requests.ts";
import { Routing } from "./routing.ts";
import { SendQueue } from "./send-queue.ts";
import type { StreamHost, StreamTable } from "./stream/table.ts";
import type { Stream } from "./stream/types.ts";
import { startTimer } from "./timer.ts";
import { harmless } from "./uncaught.ts";

/**
 * - `open`: everything goes.
 * - `retiring`: the same, but no stream begins. Those that carry something from here to there come to their end.
 * - `draining`: nothing is read any more; calls of the other side are being answered.
 * - `closing`: what is queued goes out.
 * - `closed`
 */
type State = "open" | "retiring" | "draining" | "closing" | "closed";

/** Whose turn it is to move: an arrow that is missing means that nothing happens. */
const moves = {
  open: ["retiring", "draining", "closing", "closed"],
  retiring: ["draining", "closing", "closed"],
  draining: ["closing", "closed"],
  closing: ["closed"],
  closed: [],
} as const satisfies Record<State, readonly State[]>;

/**
 * One side of a connection, client or server: routes messages, matches replies to calls, and sends.
 * @source virNetClientCallDispatch, libvirt src/rpc/virnetclient.c, and virNetServerClientDispatchMessage,
 *   src/rpc/virnetserverclient.c
 */
export class Peer implements Caller<Stream>, AsyncDisposable {
  /** Resolves when the connection is over: with the reason, or with undefined where this side closed it in order. */
  readonly closed: Promise<Error | undefined>;
  readonly #transport: Transport;
  readonly #intake: Intake;
  readonly #queue: SendQueue;
  readonly #calls: CallTable;
  readonly #requests: Requests;
  readonly #routing: Routing;
  readonly #listeners = new EventListeners();
  readonly #closeListeners = new Set<(reason: Error | undefined) => void>();
  readonly #options: PeerOptions;
  #state: State = "open";
  /** Bytes of events that the transport has not taken. */
  #eventBytes = 0;
  #closeAfterReply = false;
  #drained: (() => void) | undefined;
  #reason: Error | undefined;
  #over: Promise<void> | undefined;
  #keepAlive: KeepAlive | undefined;
  /** Whether both sides do keepalive. */
  #doesKeepAlive = false;
  #onLost: ((calls: LostCalls, reason: Error) => void) | undefined;

  /** Starts reading at once. */
  constructor(transport: Transport, options: PeerOptions = {}) {
    this.#transport = transport;
    this.#options = options;
    this.#queue = new SendQueue(transport, (head) => {
      if (areMessagesWatched()) this.#report("out", head.subarray(LENGTH_BYTES), readWord(head, 0) >>> 0);
    });
    this.#requests = new Requests(
      {
        send: (frame, sent) => this.#send(frame, sent),
        answered: () => this.#answered(),
        fail: (error) => this.#fail(error),
      },
      options.maxRequests,
    );
    this.#intake = new Intake(transport, options.maxFrame, this.#requests, this.#queue, {
      heard: () => this.#keepAlive?.heard(),
      message: (frame) => {
        if (areMessagesWatched()) this.#report("in", frame, frame.byteLength + LENGTH_BYTES + this.#intake.dataToCome);
        this.#routing.message(readHeader(frame), behind(frame, HEADER_BYTES));
      },
      data: (piece, keep) => this.#routing.data(piece, keep),
      fail: (error) => this.#fail(error),
    });
    this.#calls = new CallTable(
      options.maxCalls ?? Number.POSITIVE_INFINITY,
      (frame, { opening }, serial) => {
        opening?.sent(this, { ...readHeader(frame.subarray(LENGTH_BYTES)), serial });
        this.#send(frame);
      },
      0,
      (serial) => this.#routing.streams?.has(serial) === true,
    );
    const intake = this.#intake;
    this.#routing = new Routing({
      connection: transport.peer.address,
      calls: this.#calls,
      requests: this.#requests,
      listeners: this.#listeners,
      options,
      get dataToCome() {
        return intake.dataToCome;
      },
      skip: (bytes) => intake.skip(bytes),
      sendPong: () => this.#sendPong(),
    });
    this.closed = new Promise((resolve) => this.onClose(resolve));
    transport.start({ bytes: (chunk, keep) => this.#intake.bytes(chunk, keep), end: (error) => this.#end(error) });
  }

  get identity(): PeerIdentity {
    return this.#transport.peer;
  }

  /** Calls of ours that were sent and not answered, those whose callers gave up included. */
  get inFlight(): number {
    return this.#calls.inFlight;
  }

  /** Changes `maxRequests` of the options. */
  set maxRequests(count: number) {
    this.#requests.max = count;
    this.#intake.resume();
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
    opening?: Opening,
  ): Call {
    const { callTimeout } = this.#options;
    const limits =
      callTimeout === undefined || options?.timeout !== undefined ? options : { ...options, timeout: callTimeout };
    return new Call(procedure, args, limits, this, resolve as (value: unknown) => void, reject, opening);
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
    this.#doesKeepAlive = true;
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    if (options === false || this.#state === "closed") return;
    const ping = () => {
      if (areMessagesWatched()) this.#report("out", PING.subarray(LENGTH_BYTES));
      this.#queue.addPing();
      this.#flush();
    };
    this.#keepAlive = new KeepAlive(options, ping, (error) => {
      // Where this side does not read, the other one's silence means nothing.
      if (!this.#intake.listens) this.setKeepAlive(options);
      else this.#fail(error);
    });
  }

  /**
   * Calls a procedure that opens a stream. Rejects as `call` does. The signal goes on to abort the stream. A stream
   * that is not wanted any more must be finished or aborted: the other side keeps it until then.
   * @param submit for layers that keep calls while there is no connection: sends the call
   */
  async open<Args, Ret>(
    procedure: StreamProcedure<Args, Ret>,
    args: Args,
    options?: CallOptions,
    submit: (call: Call) => void = (call) => this.adopt(call),
  ): Promise<StreamReply<Ret, Stream>> {
    const { openStream } = await import("./stream/client-stream.ts"); // what opens none does not load it
    if (options?.signal?.aborted === true) throw new AbortError(options.signal.reason);
    return openStream(this, procedure, args, options, submit);
  }

  /** For streams: the table of this connection's, which is made when the first one comes. */
  streams(make: (host: StreamHost) => StreamTable): StreamTable {
    const routing = this.#routing;
    if (routing.streams !== undefined) return routing.streams;
    const table = make({
      connection: this.identity.address,
      limits: this.#options.streams ?? {},
      send: (frame) => this.#send(frame),
      enqueue: (source) => {
        this.#queue.addBulk(source);
        this.#flush();
      },
      paceChanged: (isFull) => this.#intake.repace(isFull),
      left: () => this.#checkRetired(),
      callsWait: () => this.#calls.inFlight > 0,
      sendPong: () => {
        if (this.#doesKeepAlive && (this.#state === "open" || this.#state === "retiring")) this.#sendPong();
      },
    });
    table.takesMore = this.#state === "open";
    routing.streams = table;
    return table;
  }

  /** Calls back when the reply to a call of the other side is on its way: whether it is OK. Once per call. */
  whenAnswered(call: Header, then: (isOk: boolean) => void): void {
    this.#requests.whenAnswered(call, then);
  }

  /**
   * Sends an event. False when the connection is over, which then knows nobody to send it to.
   * @throws {XdrError} where the message does not fit its type
   */
  send<Msg>(event: EventProcedure<Msg>, message: Msg): boolean {
    if (this.#state === "closing" || this.#state === "closed") return false;
    const { number: prog, version: vers } = event.program;
    const { VIR_NET_MESSAGE: type } = VirNetMessageType;
    // libvirtd sends serial 1 in every event, whatever its documents say.
    const header: Header = { prog, vers, proc: event.number, type, serial: 1, status: VirNetMessageStatus.VIR_NET_OK };
    const encoded = encodeFrame(header, event.msg.encode, message, "msg");
    // A small one that waits would keep all the memory that it shares: a hundred times what is counted here.
    const frame = this.#queue.full && encoded.buffer.byteLength > encoded.length ? encoded.slice() : encoded;
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
    return this.#listeners.add(event, deliver);
  }

  /**
   * Resolves when the calls of the other side that were read have been answered, and transfers by streams are at their end.
   * Nothing is read but what these need. Consoles, which end when somebody wants it, do not count.
   */
  drain(): Promise<void> {
    if (!this.#move("retiring")) return this.closed.then(() => {});
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.onClose(() => resolve());
      const { streams } = this.#routing;
      if (streams !== undefined) streams.takesMore = false;
      this.#checkRetired();
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
      this.#stopReading();
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
    if (this.#requests.count === 0) {
      void this.close();
      return;
    }
    this.#move("draining");
    this.#stopReading();
    this.#closeAfterReply = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A reply has gone out. */
  #answered(): void {
    if (this.#closeAfterReply) {
      this.#closeAfterReply = false;
      void this.close();
      return;
    }
    this.#checkDrained();
    this.#intake.resume();
  }

  #stopReading(): void {
    this.#intake.close();
    this.#intake.pause();
  }

  #checkRetired(): void {
    if (this.#state !== "retiring" || (this.#routing.streams?.transfers ?? 0) > 0) return;
    this.#move("draining");
    this.#stopReading();
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.#state === "draining" && this.#requests.count === 0) this.#queue.whenEmpty(() => this.#drained?.());
  }

  #sendPong(): void {
    if (areMessagesWatched()) this.#report("out", PONG.subarray(LENGTH_BYTES));
    this.#queue.addPong();
    this.#flush();
  }

  #send(frame: Uint8Array, sent?: () => void): void {
    if (areMessagesWatched()) this.#report("out", frame.subarray(LENGTH_BYTES));
    this.#queue.add(frame, sent);
    this.#flush();
  }

  #flush(): void {
    if (!this.#intake.isBusy) this.#queue.flush();
  }

  #end(error: Error | undefined): void {
    if (this.#state === "closing" && error === undefined) {
      void this.#transport.close().then(() => this.#finish(undefined));
      return;
    }
    const where = this.#intake.pending > 0 ? " in the middle of a message" : "";
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
    this.#intake.close();
    this.#reason = reason;
    this.#keepAlive?.stop();
    const unsent = this.#queue.close();
    const listeners = [...this.#closeListeners];
    this.#closeListeners.clear();
    for (const listener of listeners) harmless(() => listener(reason));
    this.#requests.clear();
    if (reason !== undefined) {
      const lost = this.#calls.clear(unsent);
      for (const { opening } of lost.unsent) opening?.unsent();
      this.#routing.streams?.lost(reason);
      if (this.#onLost !== undefined) this.#onLost(lost, reason);
      else for (const call of [...lost.sent, ...lost.unsent]) call.fail(reason);
    }
    this.#listeners.clear();
  }

  #rejectCalls(reason: Error): void {
    this.#routing.streams?.lost(reason);
    const { sent, unsent } = this.#calls.clear(new Set());
    for (const call of [...sent, ...unsent]) call.fail(reason);
  }

  /** @param frame without its length word, or the beginning of one */
  #report(direction: "in" | "out", frame: Uint8Array, length: number = frame.byteLength + LENGTH_BYTES): void {
    reportMessage(this.#transport.peer.address, direction, frame, length, {
      calls: this.#calls,
      listeners: this.#listeners,
      nameOf: this.#options.nameOf,
    });
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

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((r) => {
    resolve = r;
  });
  return { promise, resolve };
}
