import type { Readable, Writable } from "node:stream";
import { type BufferPool, sharedPool } from "../buffer/index.ts";
import { keeperOf } from "./owned.ts";
import type { SocketReader } from "./socket-reader.ts";
import type { PeerIdentity, Transport, TransportSink } from "./transport.ts";

/**
 * Bytes written in one turn of the event loop: a fast reader at the other side must not keep us from reading, and a slower
 * one's socket buffers must not fill with megabytes that the next call then waits behind. On loopback a call beside an upload
 * takes 0.1 ms with this much and 1.7 ms with eight times as much, and the upload is no slower.
 */
const TURN = 1 << 18;

/** From so many bytes on they are put together in memory of the pool, where that is needed. */
const JOINED = 65_536;

/** What a pair of Node streams cannot say of itself. */
export interface StreamEnds {
  /**
   * Closes both: after what was written has gone out, or at once for a reason. Resolves when nothing is left of them.
   * Never rejects.
   */
  close(reason?: Error): Promise<void>;
  /** Called when the input has ended: says why, as soon as that is known; undefined for an ordinary end. */
  why(): Error | undefined | Promise<Error | undefined>;
  /**
   * Called when reading starts: what the input gives its bytes to from now on, where it does not emit them. It still
   * emits what it has read before.
   */
  read?(): SocketReader | undefined;
  /** Counts what is kept of bytes that Node owns. Default: the shared one. */
  readonly pool?: BufferPool | undefined;
  /** Whether the output takes one piece at a time, and puts several together in new memory. */
  readonly joins?: boolean;
}

/** A stream to read and one to write, which may be the same, as a transport. */
export class StreamTransport implements Transport {
  readonly peer: PeerIdentity;
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #ends: StreamEnds;
  #sink: TransportSink | undefined;
  #reader: SocketReader | undefined;
  #ended = false;
  #closing: Promise<void> | undefined;
  #paused = false;
  /** The pool has no room for what is read. */
  #starved = false;
  /** Bytes written in this turn of the event loop. */
  #turn = 0;
  #turnEnds = false;
  #waiting: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(input: Readable, output: Writable, peer: PeerIdentity, ends: StreamEnds) {
    this.#input = input;
    this.#output = output;
    this.#ends = ends;
    this.peer = peer;
    input.on("end", () => void this.#end());
    input.on("close", () => void this.#end());
    // A pause right after a resume is undone by what that has left for the next turn.
    input.on("resume", () => {
      if (this.#paused || this.#starved) input.pause();
    });
    output.on("close", this.#wake);
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    if (this.#input.destroyed) {
      queueMicrotask(() => void this.#end());
      return;
    }
    const { pool = sharedPool } = this.#ends;
    const reader = this.#ends.read?.();
    this.#reader = reader;
    if (reader !== undefined) {
      reader.deliver = (chunk, keep) => this.#sink?.bytes(chunk, keep);
      reader.starved = (isStarved) => {
        this.#starved = isStarved;
        this.#flow();
      };
    }
    // Not the Buffer itself: its `slice` is a view, where everyone above expects a copy.
    this.#input.on("data", ({ buffer, byteOffset, byteLength }: Uint8Array) => {
      const chunk = new Uint8Array(buffer, byteOffset, byteLength);
      this.#sink?.bytes(chunk, keeperOf(pool, chunk));
    });
    this.#flow();
  }

  pause(): void {
    this.#paused = true;
    this.#flow();
  }

  resume(): void {
    this.#paused = false;
    this.#flow();
  }

  write(parts: readonly Uint8Array[]): boolean {
    const output = this.#output;
    if (parts.length === 0) return true;
    const last = parts.length - 1;
    if (this.#closing !== undefined || !output.writable) {
      // Dropped, and counted: who writes on and on must leave time for the news that the pipe is no more.
      for (const part of parts) this.#turn += part.byteLength;
    } else if (last === 0) {
      const part = parts[0] as Uint8Array;
      this.#turn += part.byteLength;
      output.write(part, this.#wake);
    } else if (this.#ends.joins !== true || !this.#writeJoined(parts)) {
      output.cork(); // so that all go to the system in one call
      const before = output.writableLength;
      for (let i = 0; i < last; i++) output.write(parts[i]);
      output.write(parts[last], this.#wake);
      this.#turn += output.writableLength - before;
      output.uncork();
    }
    if (this.#turn >= TURN && !this.#turnEnds) {
      this.#turnEnds = true;
      setImmediate(this.#nextTurn);
    }
    return this.#hasRoom;
  }

  /** @returns whether it did: where there are many bytes, and the pool has room */
  #writeJoined(parts: readonly Uint8Array[]): boolean {
    let length = 0;
    for (const part of parts) length += part.byteLength;
    if (length < JOINED) return false;
    const { pool = sharedPool } = this.#ends;
    const slab = pool.readSlab(length);
    if (slab === undefined) return false;
    let at = 0;
    for (const part of parts) {
      slab.bytes.set(part, at);
      at += part.byteLength;
    }
    this.#turn += length;
    this.#output.write(slab.first(length), () => {
      slab.letGo();
      this.#wake();
    });
    return true;
  }

  drained(): Promise<void> {
    if (this.#hasRoom) return Promise.resolve();
    if (this.#waiting === undefined) {
      let resolve!: () => void;
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#waiting = { promise, resolve };
    }
    return this.#waiting.promise;
  }

  close(reason?: Error): Promise<void> {
    this.#sink = undefined;
    if (this.#closing === undefined || reason !== undefined) this.#closing = this.#ends.close(reason);
    return this.#closing;
  }

  /** Whether all that was written has gone to the system, and not too much of it in this turn. */
  get #hasRoom(): boolean {
    return (this.#output.destroyed || this.#output.writableLength === 0) && this.#turn < TURN;
  }

  readonly #nextTurn = (): void => {
    this.#turn = 0;
    this.#turnEnds = false;
    this.#wake();
  };

  readonly #wake = (): void => {
    if (this.#waiting === undefined || !this.#hasRoom) return;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve();
  };

  #flow(): void {
    if (this.#paused || this.#starved) this.#input.pause();
    else if (this.#sink !== undefined) this.#input.resume();
  }

  async #end(): Promise<void> {
    if (this.#sink === undefined || this.#ended) return;
    this.#ended = true;
    this.#reader?.flush();
    const why = this.#ends.why();
    const error = why instanceof Promise ? await why : why;
    const sink = this.#sink; // unless it has closed the pipe meanwhile
    this.#sink = undefined;
    sink?.end(error);
  }
}
