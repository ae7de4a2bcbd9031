/**
 * Our client, asked for times: the same questions and answers as c/client.c. `node ours.js URI`
 *
 * A process of its own, as the others are, so that it can be profiled alone: `node --cpu-prof`.
 */
import { createInterface } from "node:readline";
import { connect } from "virtwire";
import { quantile } from "../harness/statistics.ts";

await using conn = await connect(process.argv[2]);

/** Calls between two looks at the clock. */
const SOME = 20;

/** Nanoseconds of one run, asked again and again for `ms` milliseconds. */
async function repeat(ms: number, each: number, run: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  let took: number;
  let runs = 0;
  do {
    await run();
    runs += each;
    took = performance.now() - begin;
  } while (took < ms);
  return (took / runs) * 1e6;
}

const verbs: Record<string, (units: number, ms: number) => Promise<readonly number[]>> = {
  serial: async (_, ms) => [
    await repeat(ms, SOME, async () => {
      for (let i = 0; i < SOME; i++) await conn.getLibVersion();
    }),
  ],
  /** `units` calls at once, as often as there is time: how many of them are in flight is the client's affair. */
  pipelined: async (units, ms) => [
    await repeat(ms, units, async () => {
      await Promise.all(Array.from({ length: units }, () => conn.getLibVersion()));
    }),
  ],
  list: async (units, ms) => [
    await repeat(ms, 1, async () => {
      const { length } = await conn.listAllDomains();
      if (length !== units) throw new Error(`${length} domains instead of ${units}`);
    }),
  ],
  latency: async (_, ms) => {
    const took: number[] = [];
    const begin = performance.now();
    for (let last = begin; last - begin < ms; ) {
      await conn.getLibVersion();
      const now = performance.now();
      took.push((now - last) * 1e6);
      last = now;
    }
    return [quantile(took, 0.5), quantile(took, 0.99)];
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [verb = "", units, ms] = line.split(" ");
  console.log((await verbs[verb]?.(Number(units), Number(ms)))?.join(" "));
}
