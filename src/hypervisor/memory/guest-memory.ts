import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import { driverError } from "./driver-errors.ts";

/** Bytes filled before other work gets its turn: a few milliseconds. */
const FILL_STEP = 1 << 20;

/** The memory that all guests of a host may have together. */
export class MemoryBudget {
  /** Bytes. */
  readonly limit: number;
  /** Bytes of each guest that are really there. */
  readonly #resident: number;
  #used = 0;

  constructor(limit: number, resident = Number.POSITIVE_INFINITY) {
    this.limit = limit;
    this.#resident = resident;
  }

  get used(): number {
    return this.#used;
  }

  /**
   * Takes memory for a guest, zeroed.
   *
   * @throws {VirtError} VIR_ERR_NO_MEMORY when the host's bound would be exceeded, or when the runtime has no more.
   */
  allocate(total: bigint): GuestMemory {
    const free = this.limit - this.#used;
    const bytes = total > this.#resident ? BigInt(this.#resident) : total;
    if (bytes > BigInt(free)) {
      const detail = `guest wants ${bytes} bytes of memory, ${free} of ${this.limit} are free`;
      throw driverError(VirErrorNumber.VIR_ERR_NO_MEMORY, detail);
    }
    const size = Number(bytes);
    try {
      return this.adopt(new Uint8Array(size), total);
    } catch {
      throw driverError(VirErrorNumber.VIR_ERR_NO_MEMORY, `cannot allocate ${size} bytes of guest memory`);
    }
  }

  /** Counts bytes that are there already as a guest's: those that one had which is gone. */
  adopt(bytes: Uint8Array<ArrayBuffer>, total: bigint): GuestMemory {
    const size = bytes.byteLength;
    this.#used += size;
    return new GuestMemory(bytes, total, () => {
      this.#used -= size;
    });
  }
}

/** The memory of one guest. */
export class GuestMemory {
  #bytes: Uint8Array<ArrayBuffer>;
  #release: (() => void) | undefined;
  /** Bytes that are really there. */
  readonly size: number;
  /** Bytes that the guest has. */
  readonly total: bigint;

  constructor(bytes: Uint8Array<ArrayBuffer>, total: bigint, release: () => void) {
    this.#bytes = bytes;
    this.#release = release;
    this.size = bytes.byteLength;
    this.total = total;
  }

  /** Those that are there, not a copy. Empty once freed. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /**
   * Part of what the guest has, as a copy where it goes beyond what is there.
   *
   * @returns undefined for what is not within it.
   */
  read(offset: bigint, length: number): Uint8Array | undefined {
    if (offset + BigInt(length) > this.total) return undefined;
    const there = this.#bytes.subarray(Number(offset > this.size ? this.size : offset)).subarray(0, length);
    if (there.byteLength === length) return there;
    const bytes = new Uint8Array(length);
    bytes.set(there);
    return bytes;
  }

  free(): void {
    this.#release?.();
    this.#release = undefined;
    this.#bytes = new Uint8Array(0);
  }

  /**
   * Writes what a guest of that seed has in its memory after booting: bytes without a pattern, the same each time.
   * Lets the event loop turn in between; ends early when `signal` is aborted.
   */
  async fill(seed: Uint8Array, signal: AbortSignal): Promise<void> {
    const bytes = this.#bytes;
    const state = createHash("sha256").update(seed).digest();
    let a = state.readUInt32LE(0) | 1; // the generator stands still where all of its state is zero
    let b = state.readUInt32LE(4);
    let c = state.readUInt32LE(8);
    let d = state.readUInt32LE(12);
    const words = new Uint32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4));
    for (let from = 0; from < words.length && !signal.aborted; from += FILL_STEP / 4) {
      const to = Math.min(from + FILL_STEP / 4, words.length);
      for (let i = from; i < to; i++) {
        // xorshift128, George Marsaglia 2003
        const t = a ^ (a << 11);
        a = b;
        b = c;
        c = d;
        d = d ^ (d >>> 19) ^ t ^ (t >>> 8);
        words[i] = d;
      }
      await turn();
    }
  }
}
