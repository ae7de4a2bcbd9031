import { startTimer } from "../rpc/index.ts";

/** Where time comes from: another one makes tests that wait for nothing. */
export interface Clock {
  /** Milliseconds since whenever. */
  now(): number;
  /** Runs something later. @returns what takes it back */
  after(milliseconds: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, run) {
    const timer = startTimer(run, milliseconds);
    return () => clearTimeout(timer);
  },
};
