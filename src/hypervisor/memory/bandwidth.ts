import type { Clock } from "./clock.ts";

const MIB = 1 << 20;
/** How much time's worth may pile up unused and then go out at once. */
const BURST_MS = 50;
/** Longest wait before a new rate is noticed. */
const LONGEST_WAIT_MS = 100;
const LARGEST_PIECE = MIB;
const SMALLEST_PIECE = 4096;

/** A token bucket: bytes go out at a rate that may change while they do. */
export class Bandwidth {
  readonly #clock: Clock;
  /** Bytes per millisecond. */
  #rate = Number.POSITIVE_INFINITY;
  /** Bytes that may go now; below zero, a debt that time pays off. */
  #tokens = 0;
  #last: number;

  /** @param mibPerSecond 0 means as fast as possible. */
  constructor(clock: Clock, mibPerSecond: bigint) {
    this.#clock = clock;
    this.#last = clock.now();
    this.limit(mibPerSecond);
  }

  /** Sets the rate from now on. 0 means as fast as possible. */
  limit(mibPerSecond: bigint): void {
    this.#settle();
    this.#rate = mibPerSecond === 0n ? Number.POSITIVE_INFINITY : (Number(mibPerSecond) * MIB) / 1000;
    this.#tokens = Math.min(this.#tokens, this.#burst);
  }

  /** Bytes to send at once, so that a slow link still moves every few moments. */
  get piece(): number {
    return Math.max(SMALLEST_PIECE, Math.min(LARGEST_PIECE, Math.floor(this.#rate * BURST_MS)));
  }

  /** Waits until `bytes` may go. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#settle();
    this.#tokens -= bytes;
    while (this.#tokens < 0 && this.#rate !== Number.POSITIVE_INFINITY) {
      // At least one millisecond, or a remainder too small for the clock to show would never be paid off.
      await this.#clock.delay(Math.min(Math.max(-this.#tokens / this.#rate, 1), LONGEST_WAIT_MS), signal);
      this.#settle();
    }
  }

  get #burst(): number {
    return this.#rate === Number.POSITIVE_INFINITY ? 0 : this.#rate * BURST_MS;
  }

  #settle(): void {
    const now = this.#clock.now();
    if (this.#rate === Number.POSITIVE_INFINITY) this.#tokens = 0;
    else this.#tokens = Math.min(this.#tokens + (now - this.#last) * this.#rate, this.#burst);
    this.#last = now;
  }
}
