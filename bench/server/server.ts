/** libvirt's own clients, calling our daemon and libvirtd in turn: one alone, and eight at once. */
import { join } from "node:path";
import { type BenchResult, machine, rounded } from "../harness/result.ts";
import { median, quantile } from "../harness/statistics.ts";
import { table, times } from "../harness/table.ts";
import { type Built, buildC, Client } from "../rpc/client.ts";
import { type Daemon, startDaemon } from "../rpc/daemon.ts";
import { idleCost } from "./idle.ts";
import { Served } from "./served.ts";

export interface ServerBenchOptions {
  readonly root: string;
  readonly full: boolean;
  readonly rounds: number | undefined;
  /** Whether to start libvirtd: `libvirtd` among them, or all. */
  readonly peers: readonly string[] | undefined;
}

/** Clients that call at the same time. */
const CLIENTS = 8;
/** Connections that do nothing. */
const IDLE = 5000;
/** Bytes that each of them may cost. */
const IDLE_BYTES = 20_000;

/** What is measured at one daemon, by round. */
interface Measured {
  readonly name: string;
  readonly clients: readonly Client[];
  /** Calls per second. */
  readonly one: number[];
  readonly eight: number[];
  /** Nanoseconds: the slowest in a hundred calls of one client, and the middle of that of eight. */
  readonly p99: number[];
  readonly p99OfEight: number[];
}

interface Ratio {
  readonly key: string;
  readonly of: (ours: Measured, theirs: Measured, round: number) => number;
  /** What issue 5 asks for. */
  readonly least: number;
}

const at = (values: readonly number[], round: number) => values[round] as number;

const ratiosWanted: readonly Ratio[] = [
  { key: "calls/libvirtd", of: (ours, theirs, i) => at(ours.eight, i) / at(theirs.eight, i), least: 2 },
  { key: "call/libvirtd", of: (ours, theirs, i) => at(ours.one, i) / at(theirs.one, i), least: 2.5 },
  { key: "p99/libvirtd", of: (ours, theirs, i) => at(theirs.p99OfEight, i) / at(ours.p99OfEight, i), least: 1 },
  { key: "p99.one/libvirtd", of: (ours, theirs, i) => at(theirs.p99, i) / at(ours.p99, i), least: 1 },
];

export async function serverBench(options: ServerBenchOptions): Promise<BenchResult> {
  const { root } = options;
  // So that a signal, too, takes the daemons down and removes what was built.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  const rounds = options.rounds ?? (options.full ? 40 : 10);
  const ms = options.full ? 1000 : 500;
  const notes: Record<string, string> = {};

  using c: Built = buildC(root);
  notes.c = c.note;
  using served = await Served.start(join(root, "bench/dist/server/ours.js"));
  using daemon = options.peers?.includes("libvirtd") === false ? undefined : lab(root, notes);
  const measured: Measured[] = [];
  const add = (name: string, socket: string) => {
    const uri = `test+unix:///default?socket=${socket}`;
    const clients = Array.from({ length: CLIENTS }, () => new Client(name, c.command, [uri]));
    measured.push({ name, clients, one: [], eight: [], p99: [], p99OfEight: [] });
  };
  try {
    add("ours", served.socket);
    if (daemon !== undefined) add("libvirtd", daemon.socket);
    // Until the compilers are done with ours.
    for (const { clients } of measured) await Promise.all(clients.map((client) => client.ask("serial", 1, 1500)));
    for (let round = 0; round < rounds; round++) {
      if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${rounds} `);
      for (const one of round % 2 === 0 ? measured : measured.toReversed()) await measure(one, ms);
    }
    if (process.stderr.isTTY) process.stderr.write("\r");
  } finally {
    for (const { clients } of measured) for (const client of clients) client[Symbol.dispose]();
  }

  const idle = await idleCost(served, IDLE);
  const figures: Record<string, number> = {
    rounds,
    "idle.connections": idle.connections,
    "idle.rss.bytes": Math.round(idle.rss),
    "idle.heap.bytes": Math.round(idle.heap),
  };
  for (const { name, one, eight, p99, p99OfEight } of measured) {
    figures[`calls.${name}.per-second`] = rounded(median(eight));
    figures[`call.${name}.per-second`] = rounded(median(one));
    figures[`p99.${name}.us`] = rounded(median(p99OfEight) / 1000);
    figures[`p99.one.${name}.us`] = rounded(median(p99) / 1000);
  }
  const ratios: Record<string, number> = {};
  const spread: Record<string, readonly [number, number]> = {};
  const [ours, theirs] = measured as [Measured, Measured | undefined];
  if (theirs !== undefined) {
    for (const { key, of } of ratiosWanted) {
      const all = Array.from({ length: rounds }, (_, round) => of(ours, theirs, round));
      ratios[key] = rounded(median(all));
      spread[key] = [rounded(quantile(all, 0.25)), rounded(quantile(all, 0.75))];
    }
  }
  const result: BenchResult = { bench: "server", machine: machine(), ratios, figures, spread, notes };
  print(result, measured);
  return result;
}

async function measure({ clients, one, eight, p99, p99OfEight }: Measured, ms: number): Promise<void> {
  const [first] = clients as [Client];
  one.push(1e9 / at(await first.ask("serial", 1, ms), 0));
  p99.push(at(await first.ask("latency", 1, ms), 1));
  const each = await Promise.all(clients.map((client) => client.ask("serial", 1, ms)));
  eight.push(each.reduce((sum, [ns]) => sum + 1e9 / (ns as number), 0));
  const slow = await Promise.all(clients.map((client) => client.ask("latency", 1, ms)));
  p99OfEight.push(median(slow.map((numbers) => at(numbers, 1))));
}

/** libvirtd, or a word why there is none. */
function lab(root: string, notes: Record<string, string>): Daemon | undefined {
  try {
    const daemon = startDaemon(root, "srvd");
    notes.libvirtd = `libvirtd ${daemon.version}, its test driver, over its unix socket`;
    return daemon;
  } catch (error) {
    notes.libvirtd = "not measured";
    console.log(`libvirtd is not measured (as root, with what test/lab/README.md names): ${error}`);
    return undefined;
  }
}

function print({ ratios, figures, spread }: BenchResult, measured: readonly Measured[]): void {
  const row = (label: string, key: (name: string) => string) => [
    label,
    ...measured.map(({ name }) => String(figures[key(name)] ?? "")),
  ];
  console.log(
    table(
      ["C clients", ...measured.map(({ name }) => name)],
      [
        row("calls per second, eight", (name) => `calls.${name}.per-second`),
        row("calls per second, one", (name) => `call.${name}.per-second`),
        row("latency p99 µs, eight", (name) => `p99.${name}.us`),
        row("latency p99 µs, one", (name) => `p99.one.${name}.us`),
      ],
    ),
  );
  const rows = ratiosWanted
    .filter(({ key }) => ratios[key] !== undefined)
    .map(({ key, least }) => {
      const [low, high] = spread?.[key] ?? [];
      const holds = (ratios[key] as number) >= least ? "holds" : "missed";
      return [key, times(ratios[key]), `${times(low)} to ${times(high)}`, String(least), holds];
    });
  if (rows.length > 0) console.log(`\n${table(["ours over", "ratio", "middle half", "wanted", ""], rows)}`);
  const { "idle.rss.bytes": rss = 0, "idle.heap.bytes": heap = 0, "idle.connections": connections } = figures;
  console.log(`
${connections} idle connections: ${rss} bytes each of the process, ${heap} of the heap (wanted: under ${IDLE_BYTES})
More than 1: ours is faster.\n`);
}
