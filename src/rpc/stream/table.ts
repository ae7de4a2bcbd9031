import type { Keep } from "../../transport/index.ts";
import { channels, type StreamDiagnostics } from "../diagnostics.ts";
import { TimeoutError } from "../errors.ts";
import type { Header } from "../header.ts";
import type { BulkSource } from "../send-queue.ts";
import { startTimer } from "../timer.ts";

/** How much streams may take of a connection. */
export interface StreamLimits {
  /**
   * Bytes received and not taken, of one stream; all streams of a connection together may have four times as much.
   * Above that the connection is not read until half of it is taken. Default 4 MiB.
   */
  readonly receiveWindow?: number;
  /** Streams open at once that the other side opened. Default 256. */
  readonly maxStreams?: number;
  /**
   * Milliseconds that a stream which nobody reads may keep calls of this side from being answered; then it fails with
   * a TimeoutError. Default 30000, Infinity for never.
   */
  readonly stallTimeout?: number;
}

/** What streams need of their connection. */
export interface StreamHost {
  /** For diagnostics: the address of the other side. */
  readonly connection: string;
  readonly limits: StreamLimits;
  /** Sends a frame before all data. */
  send(frame: Uint8Array): void;
  /** Lets a source send in its turn. */
  enqueue(source: BulkSource): void;
  /** So much is queued that nothing more is to be read, or no longer. */
  paceChanged(isFull: boolean): void;
  /** A stream is over. */
  left(): void;
  /** Whether calls of this side wait for their answers. */
  callsWait(): boolean;
  /** Tells the other side that this one lives, where both do keepalive. */
  sendPong(): void;
}

/** A stream as its connection sees it. */
export interface StreamEntry {
  /** Of the call that opened it. */
  readonly header: Header;
  /** Whether it ends by itself, when all is on the other side, and not when somebody wants it. */
  readonly isTransfer: boolean;
  /** A piece of data, at least one byte, of any size. @param keep where it can be kept without a copy */
  data(piece: Uint8Array, keep: Keep | undefined): void;
  /** Any other STREAM or STREAM_HOLE. */
  message(header: Header, payload: Uint8Array): void;
  /** REPLY/ERROR behind the reply that opened it: how libvirtd refuses a hole. */
  refusedLate(payload: Uint8Array): void;
  /** Nobody reads it, and others wait. */
  stalled(error: Error): void;
  lost(error: Error): void;
}

/** Milliseconds between two looks at a connection that is not read. */
const TICK = 2000;

/** The streams of a connection, and how much was received for them. A stream that is over is not remembered. */
export class StreamTable {
  readonly host: StreamHost;
  readonly receiveWindow: number;
  readonly maxStreams: number;
  readonly #stallTimeout: number;
  readonly #entries = new Map<number, StreamEntry>();
  /** Streams whose own window is full. */
  readonly #full = new Set<StreamEntry>();
  #queued = 0;
  #isFull = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When something was taken last, while full. */
  #progress = 0;
  /** Streams being served: those, too, whose client has gone off and whose handler has not noticed. */
  serving = 0;
  /** Whether the other side may open further ones. */
  takesMore = true;
  /** Whether a hole was ever sent: the answer to a bad one may come when its stream is forgotten. */
  sentHoles = false;

  constructor(host: StreamHost) {
    this.host = host;
    const { receiveWindow = 4 << 20, maxStreams = 256, stallTimeout = 30_000 } = host.limits;
    this.receiveWindow = receiveWindow;
    this.maxStreams = maxStreams;
    this.#stallTimeout = stallTimeout;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many will end by themselves. */
  get transfers(): number {
    let count = 0;
    for (const { isTransfer } of this.#entries.values()) if (isTransfer) count++;
    return count;
  }

  has(serial: number): boolean {
    return this.#entries.has(serial);
  }

  add(entry: StreamEntry): void {
    this.#entries.set(entry.header.serial, entry);
  }

  remove(entry: StreamEntry): void {
    const { serial } = entry.header;
    if (this.#entries.get(serial) === entry) this.#entries.delete(serial);
    this.#full.delete(entry);
    this.#repace();
    this.host.left();
  }

  /** The stream that a packet belongs to: program, version, procedure and serial are those of its opening call. */
  find({ prog, vers, proc, serial }: Header): StreamEntry | undefined {
    const entry = this.#entries.get(serial);
    if (entry === undefined) return undefined;
    const { header } = entry;
    return header.prog === prog && header.vers === vers && header.proc === proc ? entry : undefined;
  }

  /** What a stream has queued grew or shrank. @param held what it has now */
  queued(entry: StreamEntry, by: number, held: number): void {
    this.#queued += by;
    if (held > this.receiveWindow) this.#full.add(entry);
    else if (held <= this.receiveWindow / 2) this.#full.delete(entry);
    if (by < 0) this.#progress = performance.now();
    this.#repace();
  }

  /** The connection is over. */
  lost(error: Error): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const entry of [...this.#entries.values()]) entry.lost(error);
    this.#entries.clear();
  }

  report(entry: StreamEntry, change: Omit<StreamDiagnostics, "connection" | "program" | "procedure" | "serial">): void {
    if (channels?.stream.hasSubscribers !== true) return;
    const { prog: program, proc: procedure, serial } = entry.header;
    const { connection } = this.host;
    channels.stream.publish({ connection, program, procedure, serial, ...change } satisfies StreamDiagnostics);
  }

  #repace(): void {
    const most = 4 * this.receiveWindow;
    const isFull = this.#full.size > 0 || this.#queued > (this.#isFull ? most / 2 : most);
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (isFull) {
      this.#progress = performance.now();
      this.#wait();
    }
    this.host.paceChanged(isFull);
  }

  #wait(): void {
    this.#timer = startTimer(() => this.#tick(), Math.min(TICK, this.#stallTimeout));
    (this.#timer as { unref?: () => void }).unref?.(); // a number in browsers
  }

  /** The other side hears of us although we do not hear it. */
  #tick(): void {
    this.host.sendPong();
    if (this.host.callsWait() && performance.now() - this.#progress >= this.#stallTimeout) {
      const detail = `the stream was not read for ${this.#stallTimeout} ms, and kept calls from being answered`;
      const held = this.#full.size > 0 ? [...this.#full] : [...this.#entries.values()];
      for (const entry of held) entry.stalled(new TimeoutError(detail));
    }
    if (this.#isFull) this.#wait();
  }
}
