/** Bytes per second through streams: our client and server beside bare sockets, and real libvirtd by three clients. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type BenchResult, machine, rounded } from "../harness/result.ts";
import { median, quantile } from "../harness/statistics.ts";
import { type Built, buildC, buildGo, Client } from "../rpc/client.ts";
import { type Daemon, startDaemon } from "../rpc/daemon.ts";
import { makeCertificates } from "./certificates.ts";
import { printStream, type Ratio } from "./print.ts";
import { steadyState } from "./steady-state.ts";

export interface StreamOptions {
  readonly root: string;
  readonly full: boolean;
  readonly rounds: number | undefined;
  /** `bare`, `libvirtd`, `c`, `go`, `steady`; or all. */
  readonly peers: readonly string[] | undefined;
}

const MIB = 1 << 20;
/** Milliseconds that a transfer may take; more on a machine that is busy otherwise. See Client.ask. */
const PATIENCE = 10_000;
const POOL = "default";
const VOLUME = "bench.img";

/** A transfer that is timed in every round. */
interface Job {
  readonly key: string;
  readonly client: Client;
  readonly verb: "up" | "down" | "down-onread";
  readonly bytes: number;
  /** MiB per second, of each round. */
  readonly speeds: number[];
}

export async function stream(options: StreamOptions): Promise<BenchResult> {
  const { root, full } = options;
  // So that a signal, too, takes the daemon down and removes what was made.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  const rounds = options.rounds ?? (full ? 7 : 5);
  const wanted = (name: string) => options.peers?.includes(name) ?? true;
  const notes: Record<string, string> = {};
  const figures: Record<string, number> = { rounds };
  using stack = new Held();
  const folder = mkdtempSync(join(tmpdir(), "virtwire-bench-stream-"));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  process.on("exit", removeFolder); // after a signal nothing is disposed of
  stack.use({ [Symbol.dispose]: removeFolder });
  const program = (name: string) => join(root, "bench/dist/stream", name);
  const jobs: Job[] = [];
  const add = (key: string, client: Client, verb: Job["verb"], bytes: number) =>
    jobs.push({ key, client, verb, bytes, speeds: [] });

  makeCertificates(folder);
  const served = stack.use(await Served.start(program("served.js"), [folder]));
  const ofServed = (kind: "tcp" | "tls") => {
    const address = (served.line.split(" ")[kind === "tcp" ? 0 : 1] as string).replace(/^.*:\/\//, "");
    const uri = `bench+${kind}://${address}/system`;
    return [program("ours.js"), uri, "", "", ...(kind === "tls" ? [folder] : [])];
  };
  if (wanted("bare")) {
    const sizes = { tcp: (full ? 4096 : 1024) * MIB, tls: (full ? 4096 : 512) * MIB };
    for (const kind of ["tcp", "tls"] as const) {
      const server = stack.use(await Served.start(program("bare.js"), ["serve", kind, folder]));
      const args = [program("bare.js"), "client", kind, folder, server.line];
      const bare = stack.use(new Client("bare", process.execPath, args));
      const ours = stack.use(new Client("ours", process.execPath, ofServed(kind)));
      for (const verb of ["up", "down"] as const) {
        add(`${kind}.${verb}.bare`, bare, verb, sizes[kind]);
        add(`${kind}.${verb}.ours`, ours, verb, sizes[kind]);
      }
      add(`${kind}.down.bare-onread`, bare, "down-onread", sizes[kind]);
    }
  }
  if (wanted("libvirtd")) {
    const daemon = tryTo("libvirtd", "root, and what test/lab/setup installs", notes, () =>
      stack.use(startDaemon(root, "vst", "--pool", "5g")),
    );
    if (daemon !== undefined) {
      notes.libvirtd = `libvirtd ${daemon.version}, a volume on tmpfs`;
      const c = wanted("c") ? tryToBuild(stack, "c", "gcc pkg-config libvirt-dev", buildC, root, notes) : undefined;
      const goPackages = "golang-go golang-github-digitalocean-go-libvirt-dev";
      const go = wanted("go") ? tryToBuild(stack, "go", goPackages, buildGo, root, notes) : undefined;
      addLibvirtd({ stack, daemon, c, go, ours: program("ours.js"), bytes: (full ? 2048 : 512) * MIB, add });
    }
  }

  // Until the compilers are done with ours, and every page of the volume is there.
  for (const { client, verb, bytes } of jobs) await client.ask(verb, bytes, PATIENCE);
  for (let round = 0; round < rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${rounds} `);
    // Each round begins with another job, and every second one goes backwards.
    const turn = round % Math.max(1, jobs.length);
    const inTurn = [...jobs.slice(turn), ...jobs.slice(0, turn)];
    if (round % 2 === 1) inTurn.reverse();
    for (const { client, verb, bytes, speeds } of inTurn) {
      const [ns] = await client.ask(verb, bytes, PATIENCE);
      speeds.push(bytes / MIB / ((ns as number) / 1e9));
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r");

  for (const { key, speeds } of jobs) figures[`${key}.mibs`] = rounded(median(speeds));
  const ratios: Record<string, number> = {};
  const spread: Record<string, readonly [number, number]> = {};
  const speedsOf = (key: string) => jobs.find((job) => job.key === key)?.speeds;
  for (const { key, ours, theirs } of ratiosWanted) {
    const of = speedsOf(theirs ?? "");
    const ratio = speedsOf(ours ?? "")?.map((speed, round) => speed / (of?.[round] as number));
    if (of === undefined || ratio === undefined) continue;
    ratios[key] = rounded(median(ratio));
    spread[key] = [rounded(quantile(ratio, 0.25)), rounded(quantile(ratio, 0.75))];
  }
  if (wanted("steady")) {
    const found = await steadyState({
      program,
      folder,
      addressOf: ofServed,
      served,
      bytes: (full ? 20_480 : 3072) * MIB,
    });
    Object.assign(figures, found.figures);
    Object.assign(ratios, found.ratios);
  }
  const result: BenchResult = { bench: "stream", machine: machine(), ratios, figures, spread, notes };
  printStream(result, ratiosWanted);
  return result;
}

const ratiosWanted: readonly Ratio[] = [
  ...(["tcp", "tls"] as const).flatMap((kind) =>
    (["up", "down"] as const).map((verb) => ({
      key: `${kind}.${verb}/bare`,
      ours: `${kind}.${verb}.ours`,
      theirs: `${kind}.${verb}.bare`,
      least: kind === "tcp" ? 0.85 : 0.92,
    })),
  ),
  ...(["tcp", "tls"] as const).map((kind) => ({
    key: `${kind}.down/bare-onread`,
    ours: `${kind}.down.ours`,
    theirs: `${kind}.down.bare-onread`,
  })),
  ...(["libvirtd", "libvirtd.tcp"] as const).flatMap((kind) =>
    (["up", "down"] as const).flatMap((verb) =>
      (["c", "go"] as const).map((peer) => ({
        key: `${kind}.${verb}/${peer}`,
        ours: `${kind}.${verb}.ours`,
        theirs: `${kind}.${verb}.${peer}`,
        least: peer === "c" ? 1.15 : 1,
      })),
    ),
  ),
  // Found by steadyState.
  { key: "getInfo.p99.busy/idle", least: 0.2 },
  { key: "gc.up/alloc", least: 5 },
  { key: "gc.down/alloc", least: 5 },
];

interface Libvirtd {
  readonly stack: Held;
  readonly daemon: Daemon;
  readonly c: Built | undefined;
  readonly go: Built | undefined;
  /** Our client's program. */
  readonly ours: string;
  readonly bytes: number;
  readonly add: (key: string, client: Client, verb: Job["verb"], bytes: number) => void;
}

/** A volume at a real daemon, and every client with one connection over unix and one over tcp. */
function addLibvirtd({ stack, daemon, c, go, ours, bytes, add }: Libvirtd): void {
  const uris = {
    libvirtd: `qemu+unix:///system?socket=${daemon.socket}`,
    "libvirtd.tcp": `qemu+tcp://${daemon.tcp}/system`,
  };
  execFileSync("virsh", ["-c", uris.libvirtd, "vol-create-as", POOL, VOLUME, String(bytes)], { stdio: "pipe" });
  for (const [key, uri] of Object.entries(uris)) {
    const clients = [
      c && new Client("c", c.command, [uri, POOL, VOLUME]),
      new Client("ours", process.execPath, [ours, uri, POOL, VOLUME]),
      go && new Client("go", go.command, [key === "libvirtd" ? daemon.socket : daemon.tcp, POOL, VOLUME]),
    ].filter((client) => client !== undefined);
    for (const client of clients) stack.use(client);
    for (const verb of ["up", "down"] as const) {
      for (const client of clients) add(`${key}.${verb}.${client.name}`, client, verb, bytes);
    }
  }
}

/** What is to be given back at the end, the last first: DisposableStack, which Node 20 does not have. */
class Held {
  readonly #all: Disposable[] = [];

  use<T extends Disposable>(one: T): T {
    this.#all.push(one);
    return one;
  }

  [Symbol.dispose](): void {
    for (const one of this.#all.reverse()) one[Symbol.dispose]();
  }
}

/** A program that says on its first line where it serves. */
export class Served {
  readonly line: string;
  readonly #child: ReturnType<typeof spawn>;
  readonly #lines: AsyncIterator<string>;

  private constructor(line: string, child: ReturnType<typeof spawn>, lines: AsyncIterator<string>) {
    this.line = line;
    this.#child = child;
    this.#lines = lines;
  }

  /** @param flags of node */
  static async start(program: string, args: readonly string[], flags: readonly string[] = []): Promise<Served> {
    const child = spawn(process.execPath, [...flags, program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    if (child.stdout === null) throw new Error(`${program} has no output`);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done === true) throw new Error(`${program} ended`);
    return new Served(first.value, child, lines);
  }

  /** Its vital signs. */
  async signs(): Promise<number[]> {
    this.#child.stdin?.write("signs\n");
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("the server ended");
    return line.value.split(" ").map(Number);
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

function tryToBuild(
  stack: Held,
  name: string,
  packages: string,
  build: (root: string, bench: string) => Built,
  root: string,
  notes: Record<string, string>,
): Built | undefined {
  const built = tryTo(name, `on Debian: apt-get install ${packages}`, notes, () => stack.use(build(root, "stream")));
  if (built !== undefined) notes[name] = built.note;
  return built;
}

/** Starts a peer, or says once why there is none. */
function tryTo<T>(name: string, needs: string, notes: Record<string, string>, start: () => T): T | undefined {
  try {
    return start();
  } catch (error) {
    notes[name] = "not measured";
    console.log(`${name} is not measured (${needs}): ${error}`);
    return undefined;
  }
}
