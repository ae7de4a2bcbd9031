import { Presets, SingleBar } from "cli-progress";
import { type MigrationEvent, type MigrationStep, progressOf } from "../../migration/index.ts";
import { print } from "../output.ts";

/** Which host each call goes to. */
const hostOf = {
  begin: "source",
  prepare: "destination",
  perform: "source",
  finish: "destination",
  confirm: "source",
} as const satisfies Record<MigrationStep, "source" | "destination">;

const NUMBER = ["begin", "prepare", "perform", "finish", "confirm"] satisfies MigrationStep[];

/** Shows a migration while it runs: one line per call, and how far Perform is: a bar on a terminal, lines elsewhere. */
export class StepTable {
  readonly #names: { readonly source: string; readonly destination: string };
  readonly #bar: SingleBar | undefined;
  #barShown = false;
  /** Of a plain listing: the quarter that was shown last. */
  #quarter = 0;

  constructor(names: { readonly source: string; readonly destination: string }, terminal: boolean) {
    this.#names = names;
    if (terminal) {
      const format = "  3 perform  {bar} {percentage} %  {moved} of {size}";
      this.#bar = new SingleBar(
        { format, hideCursor: true, clearOnComplete: true, barsize: 30 },
        Presets.shades_classic,
      );
    }
  }

  show(event: MigrationEvent): void {
    if (event.phase === "running") this.#running(event);
    else if (event.phase === "done") this.#line(event, "");
    else if (event.phase === "failed") {
      this.#line(event, `  ${event.error instanceof Error ? event.error.message : String(event.error)}`);
    }
  }

  /** Gives the terminal back. */
  stop(): void {
    if (this.#barShown) this.#bar?.stop();
    this.#barShown = false;
  }

  #running({ job }: MigrationEvent & { phase: "running" }): void {
    const share = progressOf(job);
    if (share === undefined) return;
    const payload = { moved: mebibytes(job.dataProcessed), size: mebibytes(job.dataTotal) };
    if (this.#bar !== undefined) {
      if (!this.#barShown) this.#bar.start(100, 0, payload);
      this.#barShown = true;
      this.#bar.update(Math.floor(share * 100), payload);
    } else if (Math.floor(share * 4) > this.#quarter) {
      this.#quarter = Math.floor(share * 4);
      print(`    ${Math.floor(share * 100)} %, ${payload.moved} of ${payload.size}\n`);
    }
  }

  #line({ step, ms }: { readonly step: MigrationStep; readonly ms: number }, rest: string): void {
    this.stop();
    const number = NUMBER.indexOf(step) + 1;
    const host = this.#names[hostOf[step]].padEnd(6);
    print(`  ${number} ${step.padEnd(8)} ${host}${milliseconds(ms).padStart(10)}${rest}\n`);
  }
}

export function mebibytes(bytes: bigint | number): string {
  return `${(Number(bytes) / 2 ** 20).toFixed(1)} MiB`;
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}
