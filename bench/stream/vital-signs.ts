import { PerformanceObserver } from "node:perf_hooks";
import { sharedPool } from "virtwire/buffer";

/** What streaming costs a process besides time. In the order in which a process tells them. */
export interface VitalSigns {
  readonly heapUsed: number;
  readonly rss: number;
  /** Nanoseconds spent collecting garbage since the beginning, and how often. */
  readonly gcTime: number;
  readonly gcCount: number;
  /** Bytes that the pool has, and what is in use. */
  readonly poolAllocated: number;
  readonly poolLeases: number;
}

let gcTime = 0;
let gcCount = 0;

/** Begins to count collections. */
export function watchGarbage(): void {
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      gcTime += duration * 1e6;
      gcCount++;
    }
  }).observe({ entryTypes: ["gc"] });
}

/** As a line of numbers. */
export async function vitalSigns(): Promise<number[]> {
  await new Promise((resolve) => setImmediate(resolve)); // the observer hears of collections in a later turn
  const { heapUsed, rss } = process.memoryUsage();
  const { allocated, leases } = sharedPool.stats;
  return [heapUsed, rss, gcTime, gcCount, allocated, leases];
}

export function readVitalSigns(line: readonly number[]): VitalSigns {
  const [heapUsed, rss, gcTime, gcCount, poolAllocated, poolLeases] = line as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { heapUsed, rss, gcTime, gcCount, poolAllocated, poolLeases };
}
