import type { Transport } from "../transport/index.ts";
import { PING, PONG } from "./keepalive.ts";

/** Bytes handed to the transport in one write, where several frames wait. */
const BATCH = 65_536;

/**
 * Frames on their way out, in order, with keepalive first: a peer that waits for a pong closes the connection, and bulk data
 * in front of it may take too long. The transport gets no more than it can take, so that this stays true.
 */
export class SendQueue {
  readonly #transport: Transport;
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

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Whether everything has been taken by the transport, which has room for more. */
  get empty(): boolean {
    return !this.#full && this.#pongs === 0 && !this.#ping && this.#next === this.#frames.length;
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

  addPong(): void {
    this.#pongs++;
  }

  addPing(): void {
    this.#ping = true;
  }

  /** Gives the transport what it can take. */
  flush(): void {
    while (!this.#full && !this.#closed && !this.empty) {
      const keepalive = this.#takeKeepalive();
      const end = keepalive === undefined ? this.#batchEnd() : this.#next;
      const taken = this.#sent.length > 0 ? this.#sent.slice(this.#next, end) : undefined;
      const parts = keepalive ?? this.#takeTo(end);
      if (this.#transport.write(parts)) {
        this.#settle(taken);
      } else {
        this.#full = true;
        void this.#transport.drained().then(() => {
          this.#full = false;
          this.#settle(taken);
          this.flush();
        });
      }
    }
    if (this.empty || this.#closed) {
      const idle = this.#idle;
      this.#idle = undefined;
      idle?.();
    }
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
