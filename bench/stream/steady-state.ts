import { rounded } from "../harness/result.ts";
import { Client } from "../rpc/client.ts";
import { Served } from "./stream.ts";
import { readVitalSigns, type VitalSigns } from "./vital-signs.ts";

const MIB = 1 << 20;
/** What is streamed for each figure of the garbage collector. */
const SOME = 2048 * MIB;
/** Enough that nothing is collected while the heap's growth is measured. */
const ROOMY = ["--min-semi-space-size=64", "--max-semi-space-size=64"];

interface Options {
  readonly program: (name: string) => string;
  readonly folder: string;
  /** The arguments of our client for our server. */
  readonly addressOf: (kind: "tcp") => string[];
  readonly served: Served;
  readonly bytes: number;
}

/** What a long transfer costs besides time, and what it costs others on the same connection. */
export async function steadyState({ program, folder, addressOf, served, bytes }: Options) {
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  using client = new Client("ours", process.execPath, addressOf("tcp"));
  const both = async () => ({ client: await signsOf(client), server: readVitalSigns(await served.signs()) });
  for (const verb of ["up", "down"] as const) await client.ask(verb, SOME / 2, 5000);

  // A call beside a full-speed upload.
  const latencies = { idle: await client.ask("idle", 0, 1500), busy: await client.ask("busy", SOME, 5000) };
  for (const [name, [p50 = 0, p99 = 0]] of Object.entries(latencies)) {
    figures[`getInfo.${name}.p50.us`] = rounded(p50 / 1000);
    figures[`getInfo.${name}.p99.us`] = rounded(p99 / 1000);
  }
  ratios["getInfo.p99.busy/idle"] = rounded((latencies.idle[1] ?? 0) / (latencies.busy[1] ?? 0));

  // Time of the garbage collector, beside that of new memory for each chunk.
  for (const verb of ["up", "down"] as const) {
    const gc: number[] = [];
    for (const which of [verb, `${verb}-alloc`] as const) {
      const before = await signsOf(client);
      await client.ask(which, SOME, 5000);
      gc.push((await signsOf(client)).gcTime - before.gcTime);
    }
    const [ours = 0, alloc = 0] = gc;
    figures[`gc.${verb}.ours.ms`] = rounded(ours / 1e6);
    figures[`gc.${verb}.alloc.ms`] = rounded(alloc / 1e6);
    // No time at all counts as a tenth of a millisecond.
    ratios[`gc.${verb}/alloc`] = rounded(alloc / Math.max(ours, 1e5));
  }

  // Memory, over a long time.
  const before = await both();
  const peak = { client: before.client.rss, server: before.server.rss, pool: 0 };
  for (let left = bytes; left > 0; left -= SOME) {
    for (const verb of ["up", "down"] as const) await client.ask(verb, Math.min(left, SOME) / 2, 5000);
    const { client: ofClient, server: ofServer } = await both();
    peak.client = Math.max(peak.client, ofClient.rss);
    peak.server = Math.max(peak.server, ofServer.rss);
    peak.pool = Math.max(peak.pool, ofClient.poolAllocated, ofServer.poolAllocated);
  }
  const after = await both();
  figures["streamed.gib"] = rounded(bytes / 2 ** 30);
  figures["rss.client.growth.mib"] = rounded((peak.client - before.client.rss) / MIB);
  figures["rss.server.growth.mib"] = rounded((peak.server - before.server.rss) / MIB);
  figures["pool.mib"] = rounded(peak.pool / MIB);
  figures["pool.leases.left"] = after.client.poolLeases + after.server.poolLeases;

  // What is allocated on the heap.
  using roomyServer = await Served.start(program("served.js"), [folder], ROOMY);
  const address = (roomyServer.line.split(" ")[0] as string).replace(/^.*:\/\//, "");
  const args = [...ROOMY, program("ours.js"), `bench+tcp://${address}/system`, "", ""];
  using roomy = new Client("ours", process.execPath, args);
  for (const verb of ["up", "down"] as const) {
    await roomy.ask(verb, SOME / 2, 5000);
    const begin = { client: await signsOf(roomy), server: readVitalSigns(await roomyServer.signs()) };
    await roomy.ask(verb, SOME / 4, 5000);
    const end = { client: await signsOf(roomy), server: readVitalSigns(await roomyServer.signs()) };
    for (const side of ["client", "server"] as const) {
      const allocated = end[side].heapUsed - begin[side].heapUsed;
      const collected = end[side].gcCount !== begin[side].gcCount;
      if (!collected) figures[`heap.${verb}.${side}.bytes-per-mib`] = rounded(allocated / (SOME / 4 / MIB));
    }
  }
  return { figures, ratios };
}

async function signsOf(client: Client): Promise<VitalSigns> {
  return readVitalSigns(await client.ask("signs", 0, 1000));
}
