import { AbortError } from "../rpc/index.ts";
import { type Clock, systemClock } from "./clock.ts";

/** The least that may go at once where nothing else is said: less would be all timers. */
const LEAST_BURST = 65_536;

export interface RateLimitOptions {
  /** 0 stops everything until it is set to more; Infinity is no limit. */
  readonly bytesPerSecond: number;
  /** Bytes that may go at once after a pause. Default: those of a tenth of a second, 65536 at least. */
  readonly burst?: number;
  readonly clock?: Clock;
}

interface Waiter {
  readonly bytes: number;
  readonly go: () => void;
}

/**
 * A token bucket: so many bytes per second, for one stream or for several that share it, first come, first served. What
 * is larger than the burst goes when the bucket is full, and is paid for afterwards, so that the mean holds for pieces
 * of any size.
 */
export class RateLimit {
  readonly #clock: Clock;
  readonly #burst: number | undefined;
  readonly #waiters: Waiter[] = [];
  #bytesPerSecond: number;
  /** Below 0 where more went than was there. */
  #tokens: number;
  /** When the tokens were counted. */
  #at: number;
  #stopTimer: (() => void) | undefined;

  /** @throws {RangeError} where the numbers make no sense */
  constructor({ bytesPerSecond, burst, clock = systemClock }: RateLimitOptions) {
    if (burst !== undefined && !(burst > 0)) throw new RangeError(`a burst of ${burst} bytes`);
    this.#clock = clock;
    this.#burst = burst;
    this.#bytesPerSecond = checked(bytesPerSecond);
    this.#tokens = this.burst;
    this.#at = clock.now();
  }

  /** May be set at any time, and holds from then on for those who wait too. @throws {RangeError} */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }
  set bytesPerSecond(value: number) {
    this.#count();
    this.#bytesPerSecond = checked(value);
    this.#overflow();
    this.#serve();
  }

  get burst(): number {
    return this.#burst ?? Math.max(LEAST_BURST, this.#bytesPerSecond / 10);
  }

  /** Resolves when so many bytes may go. Rejects with an AbortError when `signal` gives up; they do not count then. */
  take(bytes: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw new AbortError(signal.reason);
      const onAbort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(new AbortError(signal?.reason));
        this.#serve(); // those behind it may want less
      };
      const waiter: Waiter = {
        bytes,
        go: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      if (this.#waiters.length === 0) this.#count();
      this.#waiters.push(waiter);
      if (this.#waiters.length === 1) this.#serve();
    });
  }

  #count(): void {
    const now = this.#clock.now();
    // Not a sum with Infinity times 0.
    const came = now > this.#at ? ((now - this.#at) / 1000) * this.#bytesPerSecond : 0;
    this.#tokens += came;
    this.#at = now;
    if (this.#waiters.length === 0) this.#overflow(); // else a late timer would make it slower
  }

  #overflow(): void {
    this.#tokens = Math.min(this.#tokens, this.burst);
  }

  #serve(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#count();
    for (let next = this.#waiters[0]; next !== undefined; next = this.#waiters[0]) {
      const missing = Math.min(next.bytes, this.burst) - this.#tokens;
      if (missing > 0 && this.#bytesPerSecond !== Number.POSITIVE_INFINITY) {
        if (this.#bytesPerSecond === 0) return;
        // Rounded up: a timer that comes too early would only be set again.
        const wait = Math.ceil((missing / this.#bytesPerSecond) * 1000);
        this.#stopTimer = this.#clock.after(wait, () => this.#serve());
        return;
      }
      this.#waiters.shift();
      if (this.#bytesPerSecond !== Number.POSITIVE_INFINITY) this.#tokens -= next.bytes;
      next.go();
    }
    this.#overflow();
  }
}

function checked(bytesPerSecond: number): number {
  if (!(bytesPerSecond >= 0)) throw new RangeError(`a rate of ${bytesPerSecond} bytes per second`);
  return bytesPerSecond;
}
