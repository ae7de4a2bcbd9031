import { type BufferPool, sharedPool } from "../buffer/index.ts";
import { TransportError } from "./errors.ts";
import { keeperOf } from "./owned.ts";
import type { PeerIdentity, PoolOptions, Transport, TransportSink } from "./transport.ts";

/** Bytes on their way above which `write` says that the pipe is full. */
const HIGH_WATER = 65_536;

// Taken once, so that a test which replaces the timers does not stop the pipes. A macrotask, so that two ends which
// talk without pause leave room for timers and sockets.
const immediate = (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate;
const timeout = globalThis.setTimeout;
const soon: (run: () => void) => unknown = immediate ?? ((run) => timeout(run, 0));

/** Two ends of a pipe inside this process: what one writes, the other reads, in a later turn of the event loop. */
export function pair({ pool = sharedPool }: PoolOptions = {}): [Transport, Transport] {
  const a = new PairEnd(pool);
  const b = new PairEnd(pool);
  a.join(b);
  b.join(a);
  return [a, b];
}

class PairEnd implements Transport {
  readonly peer: PeerIdentity = {
    transport: "pair",
    address: "pair:",
    secure: true,
    local: true,
    security: { encrypted: false, ssf: 0 },
  };
  readonly #pool: BufferPool;
  #other!: PairEnd;
  #sink: TransportSink | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #paused = false;
  /** What the other end wrote and this one has not read. */
  #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  /** The other end is closed: nothing follows what is in `#incoming`. */
  #ended = false;
  #endError: Error | undefined;
  #scheduled = false;
  #waiting: (() => void)[] = [];
  #closing: (() => void)[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  join(other: PairEnd): void {
    this.#other = other;
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  write(parts: readonly Uint8Array[]): boolean {
    const other = this.#other;
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (this.#state !== "open" || other.#state !== "open" || length === 0) return true;
    // A copy: the writer may use its bytes again before they are read.
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    other.#incoming.push(bytes);
    other.#incomingBytes += length;
    other.#schedule();
    return other.#incomingBytes <= HIGH_WATER;
  }

  drained(): Promise<void> {
    const other = this.#other;
    if (this.#state === "closed" || other.#state === "closed" || other.#incomingBytes <= HIGH_WATER) {
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(reason?: Error): Promise<void> {
    this.#sink = undefined;
    if (this.#state === "closed") return Promise.resolve();
    if (reason !== undefined) {
      // As on a socket that is reset, what the other end has not read is lost.
      this.#other.#drop();
      this.#close(new TransportError("io", "the other end of the pair broke off", { cause: reason }));
      return Promise.resolve();
    }
    this.#state = "closing";
    // Nobody here reads this any more, and the other end must not wait for it when it closes too.
    this.#drop();
    this.#roomForOther();
    if (this.#other.#incomingBytes === 0) {
      this.#close();
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#closing.push(resolve));
  }

  #close(error?: Error): void {
    this.#state = "closed";
    this.#drop();
    const other = this.#other;
    other.#ended = true;
    other.#endError = error;
    other.#schedule();
    other.#roomForOther();
    this.#roomForOther();
    for (const resolve of this.#waiting.splice(0)) resolve();
    for (const resolve of this.#closing.splice(0)) resolve();
  }

  /** Forgets what the other end wrote. */
  #drop(): void {
    this.#incoming = [];
    this.#incomingBytes = 0;
  }

  /** Tells the other end that this one has read. */
  #roomForOther(): void {
    const other = this.#other;
    if (this.#incomingBytes <= HIGH_WATER) for (const resolve of other.#waiting.splice(0)) resolve();
    if (this.#incomingBytes === 0 && other.#state === "closing") other.#close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    soon(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#state !== "open" || this.#sink === undefined) return;
    const chunks = this.#incoming;
    let at = 0;
    while (at < chunks.length && !this.#paused && chunks === this.#incoming) {
      const chunk = chunks[at++] as Uint8Array;
      this.#incomingBytes -= chunk.byteLength;
      this.#sink?.bytes(chunk, keeperOf(this.#pool, chunk));
    }
    if (chunks === this.#incoming) this.#incoming = chunks.slice(at);
    this.#roomForOther();
    if (this.#ended && this.#incoming.length === 0 && !this.#paused) {
      const sink = this.#sink;
      this.#sink = undefined;
      sink?.end(this.#endError);
    }
  }
}
