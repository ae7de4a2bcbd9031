import type { Clock } from "./clock.ts";

interface Waiter {
  readonly at: number;
  readonly resolve: () => void;
}

/** A clock for tests: it stands still until it is moved. */
export class ManualClock implements Clock {
  readonly #began: number;
  #now = 0;
  #waiters: Waiter[] = [];

  /** @param date what `date` says at first, in milliseconds since 1970. Default: 2000-01-01, 0:00 UTC. */
  constructor(date: Date | number = 946_684_800_000) {
    this.#began = Number(date);
  }

  /** How many wait for it. */
  get waiting(): number {
    return this.#waiters.length;
  }

  now(): number {
    return this.#now;
  }

  date(): number {
    return this.#began + this.#now;
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const waiter: Waiter = {
        at: this.#now + Math.max(0, ms),
        resolve: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.#waiters = this.#waiters.filter((each) => each !== waiter);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /**
   * Lets time pass: who waits for a moment in it goes on, in the order of these moments. Who then waits again waits from
   * the end of it.
   *
   * @throws {RangeError} for time that goes back
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time cannot advance by ${ms} ms`);
    this.#now += ms;
    const due = this.#waiters.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at);
    this.#waiters = this.#waiters.filter(({ at }) => at > this.#now);
    for (const { resolve } of due) resolve();
  }
}
