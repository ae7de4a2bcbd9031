import type { Transport } from "../transport/index.ts";
import { PING, PONG } from "./keepalive.ts";

/** Bytes handed to the transport in one write, where several frames wait. */
const BATCH = 65_536;

/** Something that has much to send: a stream. */
export interface BulkSource {
  /** The parts of its next frame, the first with the header; undefined where it has changed its mind. */
  take(): readonly Uint8Array[] | undefined;
  /** What was taken last is not needed any more. Called once for each. Wants to be queued again for the next. */
  written(): void;
}

/**
 * Frames on their way out, in order, with keepalive first: a peer that waits for a pong closes the connection, and bulk data
 * in front of it may take too long. Such data comes last, a frame of each source in turn. The transport gets no more
 * than it can take, so that this stays true.
 */
export class SendQueue {
  readonly #transport: Transport;
  readonly #bulkSent: (head: Uint8Array) => void;
  /** Those whose turn comes, each at most once. */
  #bulk: BulkSource[] = [];
  #frames: Uint8Array[] = [];
  /** By the frame's place, where there is one: a client's calls have none. */
  #sent: ((() => void) | undefined)[] = [];
  #next = 0;
  /** A number, not frames: a flood of pings costs no memory. */
  #pongs = 0;
  /** More than one that waits would ask the same. */
  #ping = false;
  #full = false;
  #idle: (() => void) | undefined;
  #closed = false;
  #flushing = false;

  /** @param bulkSent learns of the frames of sources, each by its beginning, which has the header */
  constructor(transport: Transport, bulkSent: (head: Uint8Array) => void = () => {}) {
    this.#transport = transport;
    this.#bulkSent = bulkSent;
  }

  /** Whether everything has been taken by the transport, which has room for more. */
  get empty(): boolean {
    return !this.#full && !this.#hasSmall && this.#bulk.length === 0;
  }

  /** Whether the transport has no room: what is added has to wait for the other side to read. */
  get full(): boolean {
    return this.#full;
  }

  get #hasSmall(): boolean {
    return this.#pongs > 0 || this.#ping || this.#next < this.#frames.length;
  }

  /**
   * Adds a frame. It goes out with the next `flush`.
   * @param sent called when the transport has taken the frame and has room again
   */
  add(frame: Uint8Array, sent?: () => void): void {
    if (this.#closed) return;
    if (sent !== undefined) this.#sent[this.#frames.length] = sent;
    this.#frames.push(frame);
  }

  /** Lets a source send its next frame when it is its turn. That comes with the next `flush`. */
  addBulk(source: BulkSource): void {
    if (!this.#closed) this.#bulk.push(source);
  }

  addPong(): void {
    this.#pongs++;
  }

  addPing(): void {
    this.#ping = true;
  }

  /** Gives the transport what it can take. */
  flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    while (!this.#full && !this.#closed && !this.empty) {
      if (!this.#hasSmall) {
        this.#writeBulk();
        continue;
      }
      const keepalive = this.#takeKeepalive();
      const end = keepalive === undefined ? this.#batchEnd() : this.#next;
      const taken = this.#sent.length > 0 ? this.#sent.slice(this.#next, end) : undefined;
      const parts = keepalive ?? this.#takeTo(end);
      if (this.#transport.write(parts)) {
        this.#settle(taken);
      } else {
        this.#wait(taken);
      }
    }
    this.#flushing = false;
    if (this.empty || this.#closed) {
      const idle = this.#idle;
      this.#idle = undefined;
      idle?.();
    }
  }

  #writeBulk(): void {
    const source = this.#bulk.shift() as BulkSource;
    const parts = source.take();
    if (parts === undefined) return;
    this.#bulkSent(parts[0] as Uint8Array);
    if (this.#transport.write(parts)) source.written();
    else this.#wait(undefined, source);
  }

  #wait(taken: readonly ((() => void) | undefined)[] | undefined, source?: BulkSource): void {
    this.#full = true;
    void this.#transport.drained().then(() => {
      this.#full = false;
      this.#settle(taken);
      source?.written();
      this.flush();
    });
  }

  /** Calls back, once, when everything has been taken. */
  whenEmpty(idle: () => void): void {
    this.#idle = idle;
    this.flush();
  }

  /** Forgets everything. @returns the frames that the transport has not got */
  close(): ReadonlySet<Uint8Array> {
    const left = new Set(this.#frames.slice(this.#next));
    this.#closed = true;
    this.#frames = [];
    this.#sent = [];
    this.#bulk = [];
    this.#next = 0;
    this.#pongs = 0;
    this.#ping = false;
    return left;
  }

  #takeKeepalive(): Uint8Array[] | undefined {
    if (!this.#ping && this.#pongs === 0) return undefined;
    const parts = this.#ping ? [PING] : [];
    this.#ping = false;
    for (let bytes = 0; bytes < BATCH && this.#pongs > 0; bytes += PONG.byteLength) {
      parts.push(PONG);
      this.#pongs--;
    }
    return parts;
  }

  /** Where the frames for one write end. */
  #batchEnd(): number {
    let end = this.#next;
    for (let bytes = 0; bytes < BATCH && end < this.#frames.length; )
      bytes += (this.#frames[end++] as Uint8Array).length;
    return end;
  }

  #takeTo(end: number): readonly Uint8Array[] {
    const frames = this.#frames;
    const parts = this.#next === 0 && end === frames.length ? frames : frames.slice(this.#next, end);
    this.#next = end;
    if (end === frames.length) {
      this.#frames = [];
      if (this.#sent.length > 0) this.#sent = [];
      this.#next = 0;
    } else if (end >= 1024) {
      this.#frames = frames.slice(end);
      this.#sent = this.#sent.slice(end);
      this.#next = 0;
    }
    return parts;
  }

  #settle(taken: readonly ((() => void) | undefined)[] | undefined): void {
    if (this.#closed || taken === undefined) return;
    for (const sent of taken) sent?.();
  }
}
