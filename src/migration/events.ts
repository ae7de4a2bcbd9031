import type { DomainGetJobInfoRet } from "../generated/remote/index.ts";

/** The calls of protocol 3, in order. `begin`, `perform` and `confirm` go to the source, the others to the destination. */
export type MigrationStep = "begin" | "prepare" | "perform" | "finish" | "confirm";

/** What a migration tells while it runs. */
export type MigrationEvent =
  /** `cancelled`: the call is a clean-up after something failed. */
  | { readonly step: MigrationStep; readonly phase: "started"; readonly cancelled: boolean }
  /** Only while Perform runs: what the source said of its job just now (times in milliseconds, sizes in bytes). */
  | { readonly step: "perform"; readonly phase: "running"; readonly ms: number; readonly job: DomainGetJobInfoRet }
  | {
      readonly step: MigrationStep;
      readonly phase: "done";
      readonly cancelled: boolean;
      /** How long the call took, milliseconds. */
      readonly ms: number;
      /** Perform: how many bytes the source had sent when it was last asked, where it said. */
      readonly bytes?: bigint;
    }
  | {
      readonly step: MigrationStep;
      readonly phase: "failed";
      readonly cancelled: boolean;
      readonly ms: number;
      readonly error: unknown;
    };

/**
 * Hands events from a producer that never waits to one reader. `running` events are only worth something while fresh:
 * a reader that lags gets the newest, so what waits here is bounded by the number of steps.
 */
export class EventQueue {
  readonly #waiting: MigrationEvent[] = [];
  #wake: (() => void) | undefined;
  #ended: { readonly error?: unknown } | undefined;

  push(event: MigrationEvent): void {
    if (event.phase === "running" && this.#waiting.at(-1)?.phase === "running") this.#waiting.pop();
    this.#waiting.push(event);
    this.#wake?.();
  }

  /** No more events; with an error, the reader gets it after the last event. */
  end(outcome: { readonly error?: unknown }): void {
    this.#ended = outcome;
    this.#wake?.();
  }

  /** For one reader. */
  async *read(): AsyncGenerator<MigrationEvent, void, undefined> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) {
        yield event;
      } else if (this.#ended !== undefined) {
        if (this.#ended.error !== undefined) throw this.#ended.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
