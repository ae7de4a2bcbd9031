/** Calls on one unix connection to real libvirtd: our client, libvirt's own in C, and go-libvirt. */
import { join } from "node:path";
import { connect } from "virtwire";
import { type BenchResult, machine, rounded } from "../harness/result.ts";
import { median, quantile } from "../harness/statistics.ts";
import { table, times } from "../harness/table.ts";
import { type Built, buildC, buildGo, Client, type Verb } from "./client.ts";
import { startDaemon } from "./daemon.ts";

export interface RpcOptions {
  readonly root: string;
  readonly full: boolean;
  readonly rounds: number | undefined;
  /** Names of peers (`c`, `go`), or all. */
  readonly peers: readonly string[] | undefined;
}

/** Defined besides the one that the test driver has. */
const DOMAINS = 500;
/** Calls that are made at once: many more than any client has in flight. */
const AT_ONCE = 1000;
/** Threads or goroutines that call at the same time: as many as we have calls in flight. */
const PARALLEL = 4;

interface Job {
  readonly key: string;
  readonly client: Client;
  readonly verb: Verb;
  readonly units: number;
  /** Nanoseconds, of each round. */
  readonly timings: number[];
}

interface Ratio {
  readonly key: string;
  /** Of ours. */
  readonly ours: string;
  /** Of the peer. */
  readonly theirs: string;
  /** What issue 4 asks for. */
  readonly least?: number;
}

const ratiosWanted: readonly Ratio[] = [
  { key: "serial/c", ours: "serial.ours", theirs: "serial.c", least: 1.15 },
  { key: "serial/go", ours: "serial.ours", theirs: "serial.go", least: 1 },
  // Over the serial one, which is what a program gets that makes one call after the other.
  { key: "pipelined/c", ours: "pipelined.ours", theirs: "serial.c", least: 1.9 },
  { key: "pipelined/go", ours: "pipelined.ours", theirs: "serial.go", least: 1 },
  // Like with like: threads and goroutines on the one connection.
  { key: "pipelined/c-threads", ours: "pipelined.ours", theirs: "parallel.c" },
  { key: "pipelined/go-routines", ours: "pipelined.ours", theirs: "parallel.go" },
  { key: "list/c", ours: "list.ours", theirs: "list.c", least: 1.5 },
  { key: "list/go", ours: "list.ours", theirs: "list.go", least: 1 },
];

export async function rpc(options: RpcOptions): Promise<BenchResult> {
  const { root } = options;
  // So that a signal, too, takes the daemon down and removes what was built.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  const rounds = options.rounds ?? (options.full ? 60 : 15);
  const ms = options.full ? 200 : 120;
  const wanted = (name: string) => options.peers?.includes(name) ?? true;
  const notes: Record<string, string> = {};

  using c = wanted("c") ? tryToBuild("c", "gcc pkg-config libvirt-dev", buildC, root, notes) : undefined;
  const goPackages = "golang-go golang-github-digitalocean-go-libvirt-dev";
  using go = wanted("go") ? tryToBuild("go", goPackages, buildGo, root, notes) : undefined;
  using daemon = startDaemon(root);
  notes.daemon = `libvirtd ${daemon.version}, its test driver, over its unix socket`;
  const uri = `test+unix:///default?socket=${daemon.socket}`;
  // The domains live as long as one connection to the driver is open.
  await using holder = await connect(uri);
  await Promise.all(
    Array.from({ length: DOMAINS }, (_, i) =>
      holder.defineXML(
        `<domain type="test"><name>bench-${i}</name><memory>1024</memory><os><type>hvm</type></os></domain>`,
      ),
    ),
  );
  const domains = (await holder.listAllDomains()).length;

  const jobs: Job[] = [];
  const add = (client: Client, verb: Verb, units: number) =>
    jobs.push({ key: `${verb}.${client.name}`, client, verb, units, timings: [] });
  using ours = new Client("ours", process.execPath, [join(root, "bench/dist/rpc/ours.js"), uri]);
  using ofC = c && new Client("c", c.command, [uri]);
  using ofGo = go && new Client("go", go.command, [daemon.socket]);
  const clients = [ofC, ours, ofGo].filter((client) => client !== undefined);
  for (const client of clients) add(client, "serial", 1);
  for (const client of clients) {
    if (client === ours) add(client, "pipelined", AT_ONCE);
    else add(client, "parallel", PARALLEL);
  }
  for (const client of clients) add(client, "list", domains);

  // Until the compilers are done with ours.
  for (const { client, verb, units } of jobs) await client.ask(verb, units, client === ours ? 1000 : 200);
  const latencies = new Map<string, [number[], number[]]>(clients.map(({ name }) => [name, [[], []]]));
  for (let round = 0; round < rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${rounds} `);
    // Each round begins with another job, and every second one goes backwards.
    const turn = round % jobs.length;
    const inTurn = [...jobs.slice(turn), ...jobs.slice(0, turn)];
    if (round % 2 === 1) inTurn.reverse();
    for (const { client, verb, units, timings } of inTurn) {
      const [ns] = await client.ask(verb, units, ms);
      timings.push(ns as number);
    }
    for (const client of clients) {
      const [p50, p99] = await client.ask("latency", 1, ms);
      const [p50s, p99s] = latencies.get(client.name) as [number[], number[]];
      p50s.push(p50 as number);
      p99s.push(p99 as number);
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r");

  const figures: Record<string, number> = { rounds, domains };
  for (const { key, timings } of jobs) figures[`${key}.us`] = rounded(median(timings) / 1000);
  for (const [name, [p50s, p99s]] of latencies) {
    figures[`latency.${name}.p50.us`] = rounded(median(p50s) / 1000);
    figures[`latency.${name}.p99.us`] = rounded(median(p99s) / 1000);
  }
  const ratios: Record<string, number> = {};
  const spread: Record<string, readonly [number, number]> = {};
  const timingsOf = (key: string) => jobs.find((job) => job.key === key)?.timings;
  for (const { key, ours, theirs } of ratiosWanted) {
    const of = timingsOf(ours) as number[];
    const ratio = timingsOf(theirs)?.map((ns, round) => ns / (of[round] as number));
    if (ratio === undefined) continue;
    ratios[key] = rounded(median(ratio));
    spread[key] = [rounded(quantile(ratio, 0.25)), rounded(quantile(ratio, 0.75))];
  }
  const result: BenchResult = { bench: "rpc", machine: machine(), ratios, figures, spread, notes };
  print(result, clients);
  return result;
}

/** Builds a peer, or says once why there is none. */
function tryToBuild(
  name: string,
  packages: string,
  build: (root: string) => Built,
  root: string,
  notes: Record<string, string>,
): Built | undefined {
  try {
    const built = build(root);
    notes[name] = built.note;
    return built;
  } catch (error) {
    notes[name] = "not measured";
    console.log(`${name} is not measured (on Debian: apt-get install ${packages}): ${error}`);
    return undefined;
  }
}

function print({ ratios, figures, spread }: BenchResult, clients: readonly Client[]): void {
  const perSecond = (key: string) => {
    const us = figures[`${key}.us`];
    return us === undefined ? "" : String(Math.round(1e6 / us));
  };
  const head = ["per second", ...clients.map(({ name }) => name)];
  const row = (label: string, key: (name: string) => string) => [label, ...clients.map(({ name }) => key(name))];
  console.log(
    table(head, [
      row("calls, one after the other", (name) => perSecond(`serial.${name}`)),
      row("calls, pipelined or by threads", (name) =>
        perSecond(`${name === "ours" ? "pipelined" : "parallel"}.${name}`),
      ),
      row(`lists of ${figures.domains} domains`, (name) => perSecond(`list.${name}`)),
      row("latency of a call, p50 µs", (name) => String(figures[`latency.${name}.p50.us`])),
      row("latency of a call, p99 µs", (name) => String(figures[`latency.${name}.p99.us`])),
    ]),
  );
  const rows = ratiosWanted
    .filter(({ key }) => ratios[key] !== undefined)
    .map(({ key, least }) => {
      const [low, high] = spread?.[key] ?? [];
      const holds = least === undefined ? "" : (ratios[key] as number) >= least ? "holds" : "missed";
      return [
        key,
        times(ratios[key]),
        `${times(low)} to ${times(high)}`,
        least === undefined ? "" : String(least),
        holds,
      ];
    });
  console.log(`\n${table(["ours over", "ratio", "middle half", "wanted", ""], rows)}
More than 1: ours is faster. pipelined/c and pipelined/go are over the peer's calls one after the other.\n`);
}
