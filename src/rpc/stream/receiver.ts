import { type Lease, sharedPool } from "../../buffer/index.ts";
import type { Keep } from "../../transport/index.ts";
import type { StreamHole } from "./types.ts";

/** Bytes of zeros that a hole is read as at once. */
const ZEROS = 65_536;
/** Pieces up to this size are copied: a keystroke must not hold the slab of 64 KiB that it came in. */
const SMALL = 512;
/** What a queued piece costs beside its bytes, so that a flood of tiny ones is bounded too. */
const OVERHEAD = 512;

type Part = Lease | StreamHole;

interface Waiter {
  readonly resolve: (result: IteratorResult<Part, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** What was received and not taken. Its owner learns how much that is, and stops reading where it is too much. */
export class Receiver {
  readonly #changed: (by: number) => void;
  #queue: Part[] = [];
  #next = 0;
  #waiting: Waiter[] = [];
  #ended = false;
  #error: unknown;
  #failed = false;

  /** @param changed learns by how much the queue grows or shrinks, in bytes as they are counted */
  constructor(changed: (by: number) => void) {
    this.#changed = changed;
  }

  /** Whether a part can come, as far as this side knows. */
  get isOver(): boolean {
    return this.#ended || this.#failed;
  }

  data(piece: Uint8Array, keep: Keep | undefined): void {
    if (this.isOver) return;
    const isKept = keep !== undefined && piece.byteLength > SMALL;
    const lease = isKept ? keep(piece) : sharedPool.adopt(new Uint8Array(piece));
    this.#add(lease);
  }

  hole(hole: bigint): void {
    if (!this.isOver) this.#add({ hole });
  }

  /** No more comes. */
  end(): void {
    if (this.isOver) return;
    this.#ended = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  /** Nobody wants the rest: gives back what is queued. */
  stop(): void {
    this.end();
    this.#clear();
  }

  /** Gives back what is queued; whoever reads gets the error. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#error = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#clear();
  }

  #clear(): void {
    const queue = this.#queue;
    let freed = 0;
    for (let i = this.#next; i < queue.length; i++) {
      const part = queue[i] as Part;
      freed += chargeOf(part);
      if (!("hole" in part)) part.release();
    }
    this.#queue = [];
    this.#next = 0;
    if (freed > 0) this.#changed(-freed);
  }

  parts(): AsyncIterableIterator<Part> {
    const iterator: AsyncIterableIterator<Part> = {
      next: () => this.#take(),
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Where no holes come. Without a generator, which makes more promises for each piece. */
  leases(): AsyncIterator<Lease> {
    return this.parts() as AsyncIterator<Part> as AsyncIterator<Lease>;
  }

  /** With holes as zeros. */
  async *bytes(): AsyncGenerator<Lease, void> {
    for await (const part of this.parts()) {
      if ("hole" in part) yield* this.#zeros(part.hole);
      else yield part;
    }
  }

  #add(part: Part): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: part });
      return;
    }
    this.#queue.push(part);
    this.#changed(chargeOf(part));
  }

  #take(): Promise<IteratorResult<Part, undefined>> {
    const queued = this.#queue[this.#next];
    if (queued !== undefined) {
      if (++this.#next === this.#queue.length || this.#next >= 1024) {
        this.#queue = this.#queue.slice(this.#next);
        this.#next = 0;
      }
      this.#changed(-chargeOf(queued));
      return Promise.resolve({ done: false, value: queued });
    }
    if (this.#failed) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** As many zeros, in pieces of their own, which consumers may change. */
  async *#zeros(length: bigint): AsyncGenerator<Lease, void> {
    for (let left = length; left > 0n; ) {
      const size = left < BigInt(ZEROS) ? Number(left) : ZEROS;
      const piece = sharedPool.tryAcquire(size) ?? sharedPool.adopt(new Uint8Array(size));
      piece.bytes.fill(0);
      left -= BigInt(size);
      yield piece;
      if (this.#failed) throw this.#error;
    }
  }
}

/** What it counts in the queue. */
function chargeOf(part: Part): number {
  return "hole" in part ? OVERHEAD : part.bytes.length + OVERHEAD;
}
