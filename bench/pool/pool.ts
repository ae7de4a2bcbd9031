/** Our buffer pool beside Node's three ways to allocate: how fast, and what the garbage of a long transfer costs. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BufferPool, type Lease } from "virtwire/buffer";
import { type BenchResult, machine, rounded } from "../harness/result.ts";
import { type Case, Suite, type Timing } from "../harness/rounds.ts";
import { median, quantile } from "../harness/statistics.ts";
import { table, times } from "../harness/table.ts";
import type { Streamed } from "./streaming.ts";

export interface PoolOptions {
  readonly full: boolean;
  readonly rounds: number | undefined;
}

const KIB = 1024;
const sizes = [64 * KIB, 256 * KIB];
const PEERS = ["allocUnsafe", "allocUnsafeSlow", "alloc"] as const;
/** How a transfer gets the memory that it reads into. */
export type Variant = "pool" | (typeof PEERS)[number];

export async function pool({ full, rounds = full ? 30 : 8 }: PoolOptions): Promise<BenchResult> {
  const ratios: Record<string, number> = {};
  const figures: Record<string, number> = {};
  const spread: Record<string, readonly [number, number]> = {};

  const rows: string[][] = [];
  for (const size of sizes) {
    const name = `acquire-${size / KIB}k`;
    const suite = new Suite(name, cases(size));
    suite.warmUp(100);
    const timings: Timing[] = [];
    for (let i = 0; i < rounds; i++) timings.push(await suite.round("wall", full ? 100 : 50));
    const of = (key: string) => median(timings.map((timing) => timing[key] as number));
    figures[`${name}.pool-ns`] = rounded(of("pool"));
    for (const peer of PEERS) {
      const all = timings.map((timing) => (timing[peer] as number) / (timing.pool as number));
      ratios[`${name}/${peer}`] = rounded(median(all));
      spread[`${name}/${peer}`] = [rounded(quantile(all, 0.25)), rounded(quantile(all, 0.75))];
      figures[`${name}.${peer}-ns`] = rounded(of(peer));
    }
    rows.push([name, of("pool").toFixed(0), ...PEERS.map((peer) => times(ratios[`${name}/${peer}`]))]);
  }
  console.log("Taking a buffer and giving it back; ours in ns, then how many times as long Node's ways take\n");
  console.log(table(["", "ours", ...PEERS], rows));

  const gib = full ? 20 : 3;
  console.log(`\n${gib} GiB over a TCP socket on loopback, 8 chunks in use at a time\n`);
  const streamed = new Map<Variant, Streamed>();
  for (const variant of ["pool", ...PEERS] as const) streamed.set(variant, await stream(variant, gib));
  const ours = streamed.get("pool") as Streamed;
  const results: string[][] = [];
  for (const [variant, it] of streamed) {
    for (const [key, value] of Object.entries(it)) figures[`stream.${variant}.${key}`] = rounded(value);
    results.push([
      variant,
      it["rate-mib-s"].toFixed(0),
      it["gc-count"].toFixed(0),
      it["gc-ms"].toFixed(1),
      it["rss-growth-mib"].toFixed(1),
      it["external-max-mib"].toFixed(1),
      it["cpu-ms-per-mib"].toFixed(3),
    ]);
    if (variant === "pool") continue;
    ratios[`stream.gc/${variant}`] = rounded(it["gc-ms"] / Math.max(ours["gc-ms"], 0.1));
    ratios[`stream.cpu/${variant}`] = rounded(it["cpu-ms-per-mib"] / ours["cpu-ms-per-mib"]);
    ratios[`stream.external/${variant}`] = rounded(it["external-max-mib"] / ours["external-max-mib"]);
  }
  console.log(table(["", "MiB/s", "GCs", "GC ms", "RSS grew MiB", "external MiB", "CPU ms/MiB"], results));
  return { bench: "pool", machine: machine(), ratios, figures, spread, notes: { streamed: `${gib} GiB` } };
}

function cases(size: number): Case[] {
  const pool = new BufferPool();
  return [
    {
      name: "pool",
      run() {
        const lease = pool.tryAcquire(size) as Lease;
        lease.release();
        return lease;
      },
    },
    { name: "allocUnsafe", run: () => Buffer.allocUnsafe(size) },
    { name: "allocUnsafeSlow", run: () => Buffer.allocUnsafeSlow(size) },
    { name: "alloc", run: () => Buffer.alloc(size) },
  ];
}

/** In a process of its own, whose garbage is that of the transfer alone. */
function stream(variant: Variant, gib: number): Promise<Streamed> {
  return new Promise((resolve, reject) => {
    const program = fileURLToPath(new URL("streaming.js", import.meta.url));
    const child = spawn(process.execPath, [program, "read", variant, String(gib)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve(JSON.parse(said) as Streamed);
      else reject(new Error(`the transfer with ${variant} ended with status ${status}`));
    });
  });
}
