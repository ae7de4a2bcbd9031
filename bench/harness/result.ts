import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { dirname } from "node:path";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** GiB */
  readonly memory: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
}

/** What one run of a bench found. Written as JSON, read by `report`. */
export interface BenchResult {
  readonly bench: string;
  readonly machine: Machine;
  /** Ours over the peer's, by what was measured and the peer: more than 1 is better for us. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Numbers that only this machine gives, and what reading the ratios needs besides. Keys end in their unit. */
  readonly figures: Readonly<Record<string, number>>;
  /** The quarter and three-quarter points of a ratio over all rounds, where there were rounds. */
  readonly spread?: Readonly<Record<string, readonly [number, number]>>;
  /** Versions of the peers, and what could not be measured with the reason. */
  readonly notes?: Readonly<Record<string, string>>;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
  };
}

export function save(file: string, result: BenchResult): void {
  mkdirSync(dirname(file), { recursive: true });
  // Pairs on one line, as the formatter of the repository wants them.
  const text = JSON.stringify(result, undefined, 2).replaceAll(/\[\s+([^\s,]+),\s+([^\s,]+)\s+\]/g, "[$1, $2]");
  writeFileSync(file, `${text}\n`);
  console.log(`written to ${file}`);
}

/** To three significant digits, which is more than any of these numbers is worth. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
