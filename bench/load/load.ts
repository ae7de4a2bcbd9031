/**
 * Everything at once against our daemon, for as long as wanted: calls, lives of guests, events, streams, clients that
 * come and go, and clients that mean harm. What counts is that nothing fails and that the daemon's memory stays flat.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchResult, machine, rounded } from "../harness/result.ts";
import { median } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";
import { startDaemon } from "./daemon.ts";
import { type Role, roles } from "./roles.ts";

export interface LoadOptions {
  readonly root: string;
  /** Default 1, with `full` 30. */
  readonly minutes: number | undefined;
  readonly full: boolean;
}

/** Milliseconds between two looks at the daemon's memory. */
const SAMPLE = 2000;

export async function load({ root, full, minutes = full ? 30 : 1 }: LoadOptions): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), "vwl-"));
  const daemon = await startDaemon(root, folder);
  const ended = new AbortController();
  const counts = new Map<string, number>();
  const failures: string[] = [];
  const context = {
    uri: daemon.uri,
    socket: daemon.socket,
    signal: ended.signal,
    count: (what: string, by = 1) => counts.set(what, (counts.get(what) ?? 0) + by),
  };
  const play = async (name: string, role: Role, player: number) => {
    try {
      await role(context, player);
    } catch (error) {
      if (!ended.signal.aborted) failures.push(`${name} ${player}: ${(error as Error).stack ?? error}`);
    }
  };
  const playing = Object.entries(roles).flatMap(([name, { players, role }]) =>
    Array.from({ length: players }, (_, i) => play(name, role, i)),
  );
  const samples: number[] = [];
  const end = Date.now() + minutes * 60_000;
  try {
    while (Date.now() < end && failures.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE));
      samples.push(residentBytes(daemon.pid));
      if (process.stderr.isTTY) {
        const left = Math.ceil((end - Date.now()) / 1000);
        process.stderr.write(`\r${left} s left, ${Math.round((samples.at(-1) ?? 0) / 2 ** 20)} MiB `);
      }
    }
  } finally {
    ended.abort();
    await Promise.all(playing);
    await daemon.close();
    rmSync(folder, { recursive: true, force: true });
  }
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (failures.length > 0) throw new Error(`the load broke off:\n${failures.join("\n")}`);
  return report(minutes, counts, samples);
}

function report(minutes: number, counts: ReadonlyMap<string, number>, samples: readonly number[]): BenchResult {
  // The first quarter warms up; then the middle of what is left is compared with its end.
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  const early = median(samples.slice(quarter, 2 * quarter));
  const late = median(samples.slice(-quarter));
  const mib = (bytes: number) => rounded(bytes / 2 ** 20);
  const figures: Record<string, number> = { minutes };
  for (const [what, count] of [...counts].toSorted()) figures[what] = count;
  figures["rss.second-quarter.MiB"] = mib(early);
  figures["rss.last-quarter.MiB"] = mib(late);
  figures["rss.greatest.MiB"] = mib(Math.max(...samples));
  console.log(
    table(
      ["what", "how much"],
      Object.entries(figures).map(([what, count]) => [what, String(count)]),
    ),
  );
  const ratios = { "rss.early/late": rounded(early / late) };
  console.log(`\nmemory in the second quarter over memory in the last: ${ratios["rss.early/late"]} (1 is flat)\n`);
  return { bench: "load", machine: machine(), ratios, figures };
}

function residentBytes(pid: number): number {
  const pages = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(pages) * 1024;
}
