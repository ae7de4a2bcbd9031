import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { type Connection, connect, type Domain } from "../../api/index.ts";
import {
  VirConnectListAllDomainsFlags,
  VirDomainGetJobStatsFlags,
  VirDomainMemoryFlags,
  VirDomainState,
} from "../../generated/libvirt/index.ts";
import { REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX as PIECE } from "../../generated/remote/index.ts";
import { migrate } from "../../migration/index.ts";
import { type DaemonProcess, startDaemon } from "../demo/daemon-process.ts";
import { mebibytes, milliseconds, StepTable } from "../demo/step-table.ts";
import { stateWord } from "../domain-words.ts";
import { print } from "../output.ts";
import { wholeNumber } from "../verb.ts";

const MEMORY_MIB = 256;
const NAME = "demo";
const NEW_NAME = "demo-moved";
const TITLE = "defined on alpha";
const NEW_TITLE = "migrated to beta";
/** Milliseconds after which something is wrong. The whole takes a few seconds. */
const DEADLINE = 60_000;
/** Milliseconds that a migration gets to end in order after ^C. */
const GRACE = 3000;
/** Milliseconds between two looks at the migration. */
const JOB_INTERVAL = 50;

const GUEST_XML = `<domain type='virtwire'>
  <name>${NAME}</name>
  <title>${TITLE}</title>
  <memory unit='MiB'>${MEMORY_MIB}</memory>
  <vcpu>2</vcpu>
  <os>
    <type>hvm</type>
  </os>
</domain>
`;

export function demo(): Command {
  return new Command("demo")
    .description("migrate a running guest between two daemons of ours and check that it has arrived whole")
    .option("--bandwidth <MiB/s>", "migration bandwidth limit; 0 for none", wholeNumber, 128)
    .action(async ({ bandwidth }: { bandwidth: number }) => {
      const interrupted = new AbortController();
      const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
      const interrupt = () => interrupted.abort(new Error("interrupted"));
      for (const name of signals) process.on(name, interrupt);
      const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(DEADLINE)]);
      const ground = new Ground();
      const onAbort = () => setTimeout(() => ground.kill(), GRACE).unref();
      signal.addEventListener("abort", onAbort);
      try {
        const holds = await play(ground, bandwidth, signal);
        if (!holds) process.exitCode = 1;
      } catch (error) {
        if (!interrupted.signal.aborted) throw error;
        print("\ninterrupted\n");
        process.exitCode = 130;
      } finally {
        signal.removeEventListener("abort", onAbort);
        await ground.close();
        for (const name of signals) process.removeListener(name, interrupt);
      }
    });
}

/** What the demo must not leave behind: two daemons, their connections and a directory. */
class Ground {
  readonly #daemons: DaemonProcess[] = [];
  readonly #connections: Connection[] = [];
  #dir: string | undefined;
  // Should this process end by an error that nobody caught.
  readonly #lastChance = () => {
    this.kill();
    this.#removeDir();
  };

  constructor() {
    process.on("exit", this.#lastChance);
  }

  /** Starts daemons side by side. Where one fails the others are waited for all the same, so that they can be ended. */
  async hosts(...names: string[]): Promise<Host[]> {
    const dir = mkdtempSync(join(tmpdir(), "virtwire-demo-"));
    this.#dir = dir;
    const outcomes = await Promise.allSettled(names.map((name) => this.#host(name, dir)));
    return outcomes.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
  }

  async #host(name: string, dir: string): Promise<Host> {
    const daemon = await startDaemon(name, dir);
    this.#daemons.push(daemon);
    const conn = await connect(daemon.uri);
    this.#connections.push(conn);
    return { name, conn, daemon };
  }

  kill(): void {
    for (const daemon of this.#daemons) daemon.kill();
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#connections.map((conn) => conn.close()));
    await Promise.allSettled(this.#daemons.map((daemon) => daemon.close()));
    this.#removeDir();
    process.removeListener("exit", this.#lastChance);
  }

  #removeDir(): void {
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true });
    this.#dir = undefined;
  }
}

interface Host {
  readonly name: string;
  readonly conn: Connection;
  readonly daemon: DaemonProcess;
}

/** @returns whether everything that was promised holds. */
async function play(ground: Ground, bandwidth: number, signal: AbortSignal): Promise<boolean> {
  print("Live migration of a running guest by libvirt's migration protocol 3\n\n");
  const [alpha, beta] = (await ground.hosts("alpha", "beta")) as [Host, Host];
  for (const { name, daemon } of [alpha, beta]) print(`  ${name.padEnd(6)} process ${daemon.pid}, ${daemon.uri}\n`);
  signal.throwIfAborted();

  const guest = await alpha.conn.defineXML(GUEST_XML);
  await guest.create();
  print(`  guest  '${NAME}' runs on alpha, id ${guest.getID()}, ${MEMORY_MIB} MiB\n`);
  const before = await memoryHash(guest, signal);
  print(`  memory sha256 ${before}\n\n`);

  const limit = bandwidth === 0 ? "" : `, at most ${bandwidth} MiB/s`;
  print(`Migrating alpha -> beta, live, renamed to '${NEW_NAME}', with a changed title${limit}\n`);
  const steps = new StepTable({ source: "alpha", destination: "beta" }, process.stdout.isTTY === true);
  let moved: Domain;
  try {
    const xml = (await guest.getXMLDesc()).replace(TITLE, NEW_TITLE);
    moved = await migrate(guest, beta.conn, {
      live: true,
      dxml: xml,
      name: NEW_NAME,
      bandwidth,
      signal,
      jobInterval: JOB_INTERVAL,
      onProgress: (event) => steps.show(event),
    });
  } finally {
    steps.stop();
  }
  const { processed, downtime } = await transferred(guest);
  print(`  ${mebibytes(processed)} moved, the guest stood still for ${milliseconds(Number(downtime))}\n\n`);

  print("Verdict\n");
  const checks = [...(await checkBeta(beta, moved)), await checkAlpha(alpha, guest)];
  const after = await memoryHash(moved, signal);
  checks.push({ holds: after === before, text: `memory on beta: sha256 ${after}` });
  checks.push({ holds: processed >= BigInt(MEMORY_MIB * 2 ** 20), text: `${mebibytes(processed)} moved` });
  for (const { holds, text } of checks) print(`  ${holds ? "ok  " : "FAIL"} ${text}\n`);
  const holds = checks.every((check) => check.holds);
  print(
    holds ? "\nThe guest runs on beta only, with its memory intact.\n" : "\nThe migration is not what it should be.\n",
  );
  return holds;
}

interface Check {
  readonly holds: boolean;
  readonly text: string;
}

async function checkBeta(beta: Host, moved: Domain): Promise<Check[]> {
  const { VIR_CONNECT_LIST_DOMAINS_ACTIVE } = VirConnectListAllDomainsFlags;
  const found = (await beta.conn.listAllDomains(VIR_CONNECT_LIST_DOMAINS_ACTIVE)).find(sameGuest(moved));
  if (found === undefined) return [{ holds: false, text: "beta does not list the guest as running" }];
  const { state } = await found.getState();
  const xml = await found.getXMLDesc();
  return [
    { holds: state === VirDomainState.VIR_DOMAIN_RUNNING, text: `on beta: '${found.getName()}' ${stateWord(state)}` },
    {
      holds: found.getName() === NEW_NAME && xml.includes(`<name>${NEW_NAME}</name>`),
      text: "the new name is in effect",
    },
    { holds: xml.includes(`<title>${NEW_TITLE}</title>`), text: `the changed XML is in effect: title '${NEW_TITLE}'` },
  ];
}

async function checkAlpha(alpha: Host, guest: Domain): Promise<Check> {
  const found = (await alpha.conn.listAllDomains()).find(sameGuest(guest));
  if (found === undefined) return { holds: true, text: "on alpha: gone" };
  const { state } = await found.getState();
  const stopped = state === VirDomainState.VIR_DOMAIN_SHUTOFF && found.getID() === -1;
  return { holds: stopped, text: `on alpha: '${found.getName()}' ${stateWord(state)}` };
}

function sameGuest(guest: Domain): (other: Domain) => boolean {
  return (other) => other.getUUIDString() === guest.getUUIDString();
}

/** SHA-256 of all of a guest's memory, read through DOMAIN_MEMORY_PEEK. */
async function memoryHash(guest: Domain, signal: AbortSignal): Promise<string> {
  const size = MEMORY_MIB * 2 ** 20;
  const hash = createHash("sha256");
  for (let offset = 0; offset < size; offset += PIECE) {
    signal.throwIfAborted();
    const length = Math.min(PIECE, size - offset);
    hash.update(await guest.memoryPeek(BigInt(offset), length, VirDomainMemoryFlags.VIR_MEMORY_PHYSICAL));
  }
  return hash.digest("hex");
}

/** What the source says of the migration once it is over: bytes moved, milliseconds that the guest stood still. */
async function transferred(guest: Domain): Promise<{ processed: bigint; downtime: bigint }> {
  const { params } = await guest.getJobStats(VirDomainGetJobStatsFlags.VIR_DOMAIN_JOB_STATS_COMPLETED);
  const number = (name: string) => {
    const value = params[name];
    return typeof value === "bigint" ? value : 0n;
  };
  return { processed: number("memory_processed"), downtime: number("downtime") };
}
