import type { OnReadOpts } from "node:net";
import type { BufferPool, Lease, Slab } from "../buffer/index.ts";
import type { Keep } from "./transport.ts";

/** Bytes read at once by a connection that has begun to be busy, and by one that is very busy. */
const BUSY = 65_536;
const BUSIEST = 262_144;
/** Nobody reads into less: the rest of a slab is given up then. */
const LEAST = 16_384;
/** A read of so few bytes, none of them kept, ends a busy time. */
const FEW = 4096;
/** Where the next read begins is a multiple of this. */
const ALIGNMENT = 64;

export interface ReaderOptions {
  /**
   * Bytes in a full record, for a socket that brings one at a time: these are put together as long as more are
   * likely to follow at once.
   */
  readonly record?: number;
}

/**
 * Reads a socket into the pool's memory, past the stream's own queue. To be given to `connect` as `onread`, with the
 * socket paused until someone takes what is delivered.
 *
 * An idle connection has no memory of its own: all of a pool's read into the same scratch, from which what is kept is
 * copied. Once something is kept, or a read fills the scratch, the connection reads into slabs, larger ones as
 * long as it fills them, and what is kept stays where it was read. A few bytes that nobody keeps make it idle again.
 */
export class SocketReader implements OnReadOpts {
  readonly #pool: BufferPool;
  readonly #record: number;
  /** What the socket reads into next: a view of the scratch, or of the slab from `#to` on. */
  #target: Uint8Array;
  #slab: Slab | undefined;
  #inScratch = true;
  /** Of the slab: what was read and not delivered. */
  #from = 0;
  #to = 0;
  /** Bytes of the next slab. */
  #size = BUSY;
  /** Reads in a row that filled their buffer. */
  #filled = 0;
  #kept = false;
  /** In this slab. */
  #everKept = false;
  #scheduled: NodeJS.Immediate | undefined;
  #hunger: AbortController | undefined;
  #closed = false;
  deliver: ((chunk: Uint8Array, keep: Keep) => void) | undefined;
  /** Told when the pool has no room for what is kept, and when it has again: nothing must be read meanwhile. */
  starved: ((isStarved: boolean) => void) | undefined;

  constructor(pool: BufferPool, { record = Number.POSITIVE_INFINITY }: ReaderOptions = {}) {
    this.#pool = pool;
    this.#record = record;
    this.#target = pool.scratch.bytes;
  }

  /** What the socket asks for after each read. */
  readonly buffer = (): Uint8Array => this.#target;

  readonly callback = (bytes: number): boolean => {
    if (this.#inScratch) this.#readScratch(bytes);
    else this.#readSlab(bytes);
    return true;
  };

  /** Delivers what waits for more of it. Where the socket reads to next stays: it only asks for that after a read. */
  flush(): void {
    if (!this.#unschedule()) return;
    this.#deliver(this.#slab as Slab);
    this.#from = this.#to;
  }

  /** The socket reads no more. */
  close(): void {
    this.#closed = true;
    this.deliver = undefined;
    this.#unschedule();
    this.#hunger?.abort();
    this.#drop();
  }

  #readScratch(bytes: number): void {
    const { scratch } = this.#pool;
    this.#kept = false;
    this.deliver?.(scratch.first(bytes), this.#copy);
    const mayBeMore = bytes === scratch.bytes.length || bytes === this.#record;
    if (!this.#closed && (this.#kept || mayBeMore)) this.#takeSlab();
  }

  #readSlab(bytes: number): void {
    const isFull = bytes === this.#target.length;
    this.#to += bytes;
    const slab = this.#slab as Slab;
    const room = slab.bytes.length - this.#to;
    if (bytes === this.#record && room >= this.#record) {
      this.#scheduled ??= setImmediate(() => this.flush());
      this.#aim();
      return;
    }
    this.#filled = isFull || bytes === this.#record ? this.#filled + 1 : 0;
    this.#unschedule();
    const delivered = this.#to - this.#from;
    this.#deliver(slab);
    if (this.#closed) return;
    if (!this.#kept && delivered <= FEW) this.#becomeIdle();
    else this.#next(slab);
  }

  #unschedule(): boolean {
    if (this.#scheduled === undefined) return false;
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    return true;
  }

  #deliver(slab: Slab): void {
    const from = this.#from;
    const to = this.#to;
    const { buffer, byteOffset } = slab.bytes;
    this.#kept = false;
    this.deliver?.(from === 0 ? slab.first(to) : new Uint8Array(buffer, byteOffset + from, to - from), this.#keep);
  }

  /** Where to read next. */
  #next(slab: Slab): void {
    if (this.#filled > 1 && this.#size < BUSIEST) {
      this.#size *= 4;
      this.#filled = 0;
    }
    const isFree = slab.holders === 1 && !(this.#everKept && this.#pool.debug);
    const start = isFree ? 0 : Math.ceil(this.#to / ALIGNMENT) * ALIGNMENT;
    const room = slab.bytes.length - start;
    if ((isFree && slab.bytes.length < this.#size) || room < Math.max(LEAST, slab.bytes.length / 4)) {
      this.#drop();
      this.#takeSlab();
      return;
    }
    this.#from = this.#to = start;
    this.#aim();
  }

  #takeSlab(): void {
    if (this.#slab !== undefined && this.#slab.bytes.length - this.#to < LEAST) this.#drop();
    this.#slab ??= this.#pool.readSlab(this.#size) ?? this.#pool.readSlab(BUSY);
    if (this.#slab === undefined) this.#becomeIdle();
    else {
      this.#inScratch = false;
      this.#aim();
    }
  }

  #aim(): void {
    const { bytes } = this.#slab as Slab;
    this.#target = this.#to === 0 ? bytes : bytes.subarray(this.#to);
  }

  #becomeIdle(): void {
    this.#drop();
    this.#size = BUSY;
    this.#filled = 0;
    this.#inScratch = true;
    this.#target = this.#pool.scratch.bytes;
  }

  #drop(): void {
    const slab = this.#slab;
    this.#slab = undefined;
    this.#from = this.#to = 0;
    this.#everKept = false;
    slab?.letGo();
  }

  readonly #keep = (part: Uint8Array): Lease => {
    const slab = this.#slab as Slab;
    if (part.buffer !== slab.bytes.buffer) throw new TypeError("only a part of the chunk can be kept");
    this.#kept = this.#everKept = true;
    return slab.lease(part);
  };

  /** Keeps what lies in the scratch. */
  readonly #copy = (part: Uint8Array): Lease => {
    const pool = this.#pool;
    this.#kept = true;
    let slab = this.#slab ?? pool.readSlab(BUSY);
    if (slab !== undefined && slab.bytes.length - this.#to >= part.length) {
      this.#slab = slab;
      const start = this.#to;
      this.#from = this.#to = Math.min(Math.ceil((start + part.length) / ALIGNMENT) * ALIGNMENT, slab.bytes.length);
      this.#everKept = true;
      return copyInto(slab, start, part);
    }
    slab = pool.trySlab(part.length) ?? this.#overdraw(part.length);
    const lease = copyInto(slab, 0, part);
    slab.letGo();
    return lease;
  };

  #overdraw(bytes: number): Slab {
    const slab = this.#pool.overdraw(bytes);
    if (this.#hunger === undefined && !this.#closed) void this.#starve();
    return slab;
  }

  /** Reads nothing until there is room for as much as a read may bring. */
  async #starve(): Promise<void> {
    this.#hunger = new AbortController();
    this.starved?.(true);
    try {
      (await this.#pool.acquireSlab(Math.min(BUSY, this.#pool.capacity), this.#hunger)).letGo();
    } catch {
      return; // closed
    }
    this.#hunger = undefined;
    this.starved?.(false);
  }
}

function copyInto(slab: Slab, start: number, part: Uint8Array): Lease {
  slab.bytes.set(part, start);
  return slab.lease(slab.bytes.subarray(start, start + part.length));
}
