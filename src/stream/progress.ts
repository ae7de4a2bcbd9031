import { type Clock, systemClock } from "./clock.ts";

/** How far a transfer is. */
export interface Progress {
  /** Bytes of data. */
  readonly bytes: number;
  /** Bytes of holes, which are not sent. */
  readonly holes: number;
  /** What bytes and holes will be together, where that is known. */
  readonly total: number | undefined;
  /** Bytes of data per second: a mean that forgets. */
  readonly rate: number;
}

/** What a transfer was. */
export type Transferred = Pick<Progress, "bytes" | "holes">;

/** Milliseconds between two reports. */
const EVERY = 100;
/** Milliseconds after which a rate counts for little more than a third. */
const MEMORY = 1000;

/** Counts a transfer, and reports ten times a second and at the end. */
export class Meter {
  bytes = 0;
  holes = 0;
  total: number | undefined;
  readonly #report: ((progress: Progress) => void) | undefined;
  readonly #clock: Clock;
  readonly #began: number;
  #last: number;
  #lastBytes = 0;
  #rate = 0;

  constructor(report: ((progress: Progress) => void) | undefined, clock: Clock = systemClock) {
    this.#report = report;
    this.#clock = clock;
    this.#began = clock.now();
    this.#last = this.#began;
  }

  data(bytes: number): void {
    this.bytes += bytes;
    this.#tell();
  }

  hole(bytes: number): void {
    this.holes += bytes;
    this.#tell();
  }

  /** The last report, with the mean over all of it. */
  end(): Transferred {
    const took = this.#clock.now() - this.#began;
    this.#report?.(this.#progress(took > 0 ? (this.bytes / took) * 1000 : 0));
    return { bytes: this.bytes, holes: this.holes };
  }

  #tell(): void {
    if (this.#report === undefined) return;
    const now = this.#clock.now();
    const since = now - this.#last;
    if (since < EVERY) return;
    const current = ((this.bytes - this.#lastBytes) / since) * 1000;
    const old = this.#last === this.#began ? 0 : Math.exp(-since / MEMORY);
    this.#rate = old * this.#rate + (1 - old) * current;
    this.#last = now;
    this.#lastBytes = this.bytes;
    this.#report(this.#progress(this.#rate));
  }

  #progress(rate: number): Progress {
    const { bytes, holes, total } = this;
    return { bytes, holes, total, rate };
  }
}
