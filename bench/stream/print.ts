import type { BenchResult } from "../harness/result.ts";
import { table, times } from "../harness/table.ts";

export interface Ratio {
  readonly key: string;
  /** Whose speed over whose; none where the ratio is found otherwise. */
  readonly ours?: string;
  readonly theirs?: string;
  /** What issue 6 asks for. */
  readonly least?: number;
}

/** Figures with a limit. */
const limits: Readonly<Record<string, number>> = {
  "heap.up.client.bytes-per-mib": 1000,
  "heap.up.server.bytes-per-mib": 1000,
  "heap.down.client.bytes-per-mib": 1000,
  "heap.down.server.bytes-per-mib": 1000,
  "rss.client.growth.mib": 32,
  "rss.server.growth.mib": 32,
  "pool.leases.left": 0,
};

export function printStream({ ratios, figures, spread }: BenchResult, wanted: readonly Ratio[]): void {
  const speeds = Object.entries(figures).filter(([key]) => key.endsWith(".mibs"));
  console.log(
    table(
      ["MiB per second", ""],
      speeds.map(([key, value]) => [key.slice(0, -5), String(value)]),
    ),
  );
  const others = Object.entries(figures).filter(([key]) => !key.endsWith(".mibs"));
  const verdict = (key: string, value: number) => (value <= (limits[key] ?? 0) ? "holds" : "missed");
  const rows = others.map(([key, value]) =>
    key in limits ? [key, String(value), String(limits[key]), verdict(key, value)] : [key, String(value), "", ""],
  );
  console.log(`\n${table(["figure", "is", "at most", ""], rows)}`);
  const lines = wanted
    .filter(({ key }) => ratios[key] !== undefined)
    .map(({ key, least }) => {
      const ratio = ratios[key] as number;
      const [low, high] = spread?.[key] ?? [];
      const range = low === undefined ? "" : `${times(low)} to ${times(high)}`;
      const holds = least === undefined ? "" : ratio >= least ? "holds" : "missed";
      return [key, times(ratio), range, least === undefined ? "" : String(least), holds];
    });
  console.log(`\n${table(["ours over", "ratio", "middle half", "wanted", ""], lines)}\nMore than 1: ours is better.\n`);
}
