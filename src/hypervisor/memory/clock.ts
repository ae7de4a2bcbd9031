import { setTimeout as delay } from "node:timers/promises";

/** Time as this driver sees it; tests pass their own. */
export interface Clock {
  /** Milliseconds that never go back, from any start. */
  now(): number;
  /** Milliseconds since 1970: for what carries a date. */
  date(): number;
  /** Resolves after `ms` milliseconds. Rejects with the signal's reason as soon as that is aborted. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  async delay(ms, signal) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
};
