import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { add, configure, suite } from "benny";
import { median } from "./statistics.ts";

/** One thing to time. What it returns is kept until the next call, so that no optimizer drops the work. */
export interface Case {
  readonly name: string;
  run(): unknown;
}

/**
 * What passed, or what the process used of its processors, helper threads for garbage and compilation included.
 * On a quiet machine `wall` is what a user waits for; on a busy one only `cpu` means anything.
 */
export type Clock = "wall" | "cpu";

/** Nanoseconds of one run, by case. */
export type Timing = Readonly<Record<string, number>>;

let kept: unknown;
/** Read by nobody; exported so that it counts as used. */
export const last = (): unknown => kept;

// A sweep between cases, so that none pays for the garbage of another. Code that is not used during many sweeps would be
// thrown away and compiled again in the next round: a program that does use it never sees that.
setFlagsFromString("--expose-gc");
setFlagsFromString("--no-flush-bytecode");
const sweep = runInNewContext("gc") as (options: { type: "minor" }) => void;

/** A case as benny runs it: many runs at once, so that reading a clock costs nothing beside them. */
class Batch {
  readonly name: string;
  readonly #run: () => unknown;
  #size = 1;
  #runs = 0;
  #cpu = 0;

  constructor({ name, run }: Case) {
    this.name = name;
    this.#run = run;
  }

  /** Runs until the compilers are done with it, and finds how many runs take a few milliseconds. */
  warmUp(ms: number): void {
    const began = process.cpuUsage();
    for (;;) {
      const before = cpuSince(began);
      this.once();
      const took = cpuSince(began) - before;
      if (cpuSince(began) >= ms * 1e6) {
        this.#size = Math.max(1, Math.round((this.#size * BATCH_NS) / Math.max(took, 1000)));
        return;
      }
      if (took < BATCH_NS / 2) this.#size *= 2;
    }
  }

  restart(): void {
    this.#runs = 0;
    this.#cpu = 0;
  }

  once(): void {
    const began = process.cpuUsage();
    for (let i = this.#size; i > 0; i--) kept = this.#run();
    this.#cpu += cpuSince(began);
    this.#runs += this.#size;
  }

  /** Nanoseconds of one run, given the seconds that benny found for a batch. */
  timing(clock: Clock, samples: number[]): number {
    if (samples.length === 0) throw new Error(`${this.name} gave no sample`);
    return clock === "cpu" ? this.#cpu / this.#runs : (median(samples) * 1e9) / this.#size;
  }
}

const BATCH_NS = 2e6;
/** Of each case in each round. */
const SAMPLES = 3;

/** Nanoseconds. */
function cpuSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) * 1000;
}

/** Cases that are timed one right after the other, again and again: each round gives a time of each. */
export class Suite {
  readonly #name: string;
  readonly #batches: readonly Batch[];
  #rounds = 0;

  constructor(name: string, cases: readonly Case[]) {
    this.#name = name;
    this.#batches = cases.map((one) => new Batch(one));
  }

  /** Runs each case for `ms` milliseconds, so that none is measured before it is compiled. */
  warmUp(ms: number): void {
    for (const batch of this.#batches) batch.warmUp(ms);
  }

  /** Times each case for about `ms` milliseconds. Each round begins with another case. */
  async round(clock: Clock, ms: number): Promise<Timing> {
    const turn = this.#rounds++ % this.#batches.length;
    const inTurn = [...this.#batches.slice(turn), ...this.#batches.slice(0, turn)];
    sweep({ type: "minor" });
    for (const batch of inTurn) batch.restart();
    const { results } = await quietly(() =>
      suite(
        this.#name,
        ...inTurn.map((batch) => add(batch.name, () => batch.once())),
        configure({ cases: { delay: 0, minSamples: SAMPLES, minTime: ms / SAMPLES / 1000, maxTime: ms / 1000 } }),
      ),
    );
    return Object.fromEntries(
      results.map(({ details }, i) => {
        const batch = inTurn[i] as Batch;
        return [batch.name, batch.timing(clock, details.sampleResults)];
      }),
    );
  }
}

/** benny announces every suite on the console; here one would be announced hundreds of times. */
async function quietly<T>(run: () => Promise<T>): Promise<T> {
  const { log } = console;
  console.log = () => {};
  try {
    return await run();
  } finally {
    console.log = log;
  }
}
