import type { Transport } from "../transport/index.ts";
import { PING, PONG } from "./keepalive.ts";

interface Outgoing {
  readonly frame: Uint8Array;
  /** Called when the transport has taken the frame and has room again. */
  readonly sent: (() => void) | undefined;
}

/** Bytes handed to the transport in one write, where several frames wait. */
const BATCH = 65_536;

/**
 * Frames on their way out, in order, with keepalive first: a peer that waits for a pong closes the connection, and bulk data
 * in front of it may take too long. The transport gets no more than it can take, so that this stays true.
 */
export class SendQueue {
  readonly #transport: Transport;
  #frames: Outgoing[] = [];
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

  /** Adds a frame. It goes out with the next `flush`. */
  add(frame: Uint8Array, sent?: () => void): void {
    if (this.#closed) return;
    this.#frames.push({ frame, sent });
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
      const parts: Uint8Array[] = [];
      const taken: Outgoing[] = [];
      if (this.#ping) {
        parts.push(PING);
        this.#ping = false;
      }
      for (let bytes = 0; bytes < BATCH && this.#pongs > 0; bytes += PONG.byteLength) {
        parts.push(PONG);
        this.#pongs--;
      }
      if (parts.length === 0) {
        for (let bytes = 0; bytes < BATCH && this.#next < this.#frames.length; ) {
          const out = this.#frames[this.#next++] as Outgoing;
          bytes += out.frame.byteLength;
          parts.push(out.frame);
          taken.push(out);
        }
        if (this.#next === this.#frames.length) {
          this.#frames = [];
          this.#next = 0;
        } else if (this.#next >= 1024) {
          this.#frames = this.#frames.slice(this.#next);
          this.#next = 0;
        }
      }
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
    const left = new Set(this.#frames.slice(this.#next).map(({ frame }) => frame));
    this.#closed = true;
    this.#frames = [];
    this.#next = 0;
    this.#pongs = 0;
    this.#ping = false;
    return left;
  }

  #settle(taken: readonly Outgoing[]): void {
    if (this.#closed) return;
    for (const { sent } of taken) sent?.();
  }
}
