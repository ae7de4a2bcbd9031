import type { StorageBudget } from "./storage-budget.ts";

/** Bytes of a block: what a first byte written to a place takes. */
export const BLOCK = 64 << 10;

/** A stretch of a volume that holds data, or is a hole. Offsets are bytes. */
export interface Extent {
  readonly hole: boolean;
  readonly start: number;
  readonly end: number;
}

interface Block {
  readonly bytes: Uint8Array;
  /** Told anew with every change. */
  version: number;
}

/** One for all volumes, so that a volume that takes the name of another has none of its blocks' numbers. */
let lastVersion = 0;

/** The bytes of a volume. Places never written read as zeros and take no memory. */
export class BlockMap {
  readonly #budget: StorageBudget;
  readonly #blocks = new Map<number, Block>();
  #order: readonly number[] | undefined;
  #version = ++lastVersion;

  constructor(budget: StorageBudget) {
    this.#budget = budget;
  }

  /** What it takes in memory. */
  get bytes(): number {
    return this.#blocks.size * BLOCK;
  }

  /** Another number after every change. */
  get version(): number {
    return this.#version;
  }

  /** Fills `into` with what stands from `offset` on. */
  read(offset: number, into: Uint8Array): void {
    for (const [index, from, at, length] of pieces(offset, into.byteLength)) {
      const block = this.#blocks.get(index);
      if (block === undefined) into.fill(0, at, at + length);
      else into.set(block.bytes.subarray(from, from + length), at);
    }
  }

  /**
   * Writes a copy of `data` at `offset`.
   *
   * @throws {VirtError} ENOSPC, when the budget is used up; what came before that place is written.
   */
  write(offset: number, data: Uint8Array): void {
    this.#version = ++lastVersion;
    for (const [index, from, at, length] of pieces(offset, data.byteLength)) {
      let block = this.#blocks.get(index);
      if (block === undefined) {
        this.#budget.take(BLOCK);
        block = { bytes: new Uint8Array(BLOCK), version: 0 };
        this.#blocks.set(index, block);
        this.#order = undefined;
      }
      block.bytes.set(data.subarray(at, at + length), from);
      block.version = this.#version;
    }
  }

  /** Makes a stretch zeros. Whole blocks in it are given back. */
  punch(start: number, end: number): void {
    this.#version = ++lastVersion;
    for (const [index, block] of this.#within(start, end)) {
      const from = Math.max(start - index * BLOCK, 0);
      const to = Math.min(end - index * BLOCK, BLOCK);
      if (from === 0 && to === BLOCK) {
        this.#drop(index);
      } else {
        block.bytes.fill(0, from, to);
        block.version = this.#version;
      }
    }
  }

  /** The stretch of data, or of nothing, that begins at `offset`. @param end where the volume ends */
  extentAt(offset: number, end: number): Extent {
    const hole = !this.#blocks.has(Math.floor(offset / BLOCK));
    if (hole) return { hole, start: offset, end: this.#nextBlock(offset, end) };
    let index = Math.floor(offset / BLOCK);
    while (index * BLOCK < end && this.#blocks.has(index)) index++;
    return { hole, start: offset, end: Math.min(index * BLOCK, end) };
  }

  /** Bytes that writing there would take more. */
  growth(start: number, end: number): number {
    let missing = 0;
    for (let index = Math.floor(start / BLOCK); index * BLOCK < end; index++) if (!this.#blocks.has(index)) missing++;
    return missing * BLOCK;
  }

  /** The offsets of the blocks that are there, in order. */
  offsets(): number[] {
    return this.#inOrder().map((index) => index * BLOCK);
  }

  /** The blocks that are there, in no order, each with a number that no other content of one has or had. */
  *versions(): Iterable<readonly [index: number, version: number]> {
    for (const [index, { version }] of this.#blocks) yield [index, version];
  }

  /** A copy of a block as it is now. */
  block(index: number): { readonly version: number; readonly bytes: Uint8Array } | undefined {
    const block = this.#blocks.get(index);
    return block && { version: block.version, bytes: Uint8Array.from(block.bytes) };
  }

  /** Forgets everything, and leaves nothing behind in memory. */
  clear(): void {
    this.#version = ++lastVersion;
    for (const { bytes } of this.#blocks.values()) bytes.fill(0);
    this.#budget.giveBack(this.bytes);
    this.#blocks.clear();
    this.#order = undefined;
  }

  /** Where the first block behind `offset` begins, or `end`. */
  #nextBlock(offset: number, end: number): number {
    const order = this.#inOrder();
    let low = 0;
    for (let high = order.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (order[middle]! * BLOCK > offset) high = middle;
      else low = middle + 1;
    }
    return Math.min((order[low] ?? Number.POSITIVE_INFINITY) * BLOCK, end);
  }

  /** The blocks' numbers in order, made anew when there are others. */
  #inOrder(): readonly number[] {
    this.#order ??= [...this.#blocks.keys()].sort((a, b) => a - b);
    return this.#order;
  }

  /** The blocks that a stretch touches. Takes as long as the shorter: the stretch, or all that there is. */
  *#within(start: number, end: number): Generator<[index: number, block: Block]> {
    const first = Math.floor(start / BLOCK);
    const last = Math.ceil(end / BLOCK);
    if (last - first > this.#blocks.size) {
      for (const entry of this.#blocks) if (entry[0] >= first && entry[0] < last) yield entry;
      return;
    }
    for (let index = first; index < last; index++) {
      const block = this.#blocks.get(index);
      if (block !== undefined) yield [index, block];
    }
  }

  #drop(index: number): void {
    this.#blocks.delete(index);
    this.#order = undefined;
    this.#budget.giveBack(BLOCK);
  }
}

/** Cuts a stretch at the blocks' ends: the block, where in it, where in the stretch, how long. */
function* pieces(
  offset: number,
  length: number,
): Generator<readonly [index: number, from: number, at: number, length: number]> {
  for (let at = 0; at < length; ) {
    const index = Math.floor((offset + at) / BLOCK);
    const from = offset + at - index * BLOCK;
    const size = Math.min(BLOCK - from, length - at);
    yield [index, from, at, size];
    at += size;
  }
}
