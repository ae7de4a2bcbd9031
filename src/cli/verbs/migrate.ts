import { type Command, InvalidArgumentError } from "commander";
import type { Domain } from "../../api/index.ts";
import { VirDomainMigrateFlags as Flag } from "../../generated/libvirt/index.ts";
import {
  type MigrateOptions,
  type MigrationEvent,
  type MigrationParameters,
  migrate as migrateGuest,
  progressOf,
} from "../../migration/index.ts";
import { AbortError } from "../../rpc/index.ts";
import { print, VerbError } from "../output.ts";
import {
  connectionUri,
  flagsOf,
  guestVerb,
  lookupGuest,
  operand,
  readText,
  refuseBoth,
  spelled,
  wholeNumber,
  withConnection,
} from "../verb.ts";

const migrateFlags = {
  live: Flag.VIR_MIGRATE_LIVE,
  offline: Flag.VIR_MIGRATE_OFFLINE,
  persistent: Flag.VIR_MIGRATE_PERSIST_DEST,
  undefinesource: Flag.VIR_MIGRATE_UNDEFINE_SOURCE,
  suspend: Flag.VIR_MIGRATE_PAUSED,
  copyStorageAll: Flag.VIR_MIGRATE_NON_SHARED_DISK,
  copyStorageInc: Flag.VIR_MIGRATE_NON_SHARED_INC,
  copyStorageSynchronousWrites: Flag.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES,
  changeProtection: Flag.VIR_MIGRATE_CHANGE_PROTECTION,
  unsafe: Flag.VIR_MIGRATE_UNSAFE,
  compressed: Flag.VIR_MIGRATE_COMPRESSED,
  autoConverge: Flag.VIR_MIGRATE_AUTO_CONVERGE,
  rdmaPinAll: Flag.VIR_MIGRATE_RDMA_PIN_ALL,
  abortOnError: Flag.VIR_MIGRATE_ABORT_ON_ERROR,
  postcopy: Flag.VIR_MIGRATE_POSTCOPY,
  postcopyResume: Flag.VIR_MIGRATE_POSTCOPY_RESUME,
  zerocopy: Flag.VIR_MIGRATE_ZEROCOPY,
  tls: Flag.VIR_MIGRATE_TLS,
  parallel: Flag.VIR_MIGRATE_PARALLEL,
};

interface Options extends Readonly<Record<string, unknown>> {
  readonly verbose?: boolean;
  readonly migrateuri?: string;
  readonly graphicsuri?: string;
  readonly listenAddress?: string;
  readonly dname?: string;
  readonly xml?: string;
  readonly persistentXml?: string;
  readonly migrateDisks?: string;
  readonly disksPort?: number;
  readonly disksUri?: string;
  readonly compMethods?: string;
  readonly compMtLevel?: number;
  readonly compMtThreads?: number;
  readonly compMtDthreads?: number;
  readonly compXbzrleCache?: number;
  readonly autoConvergeInitial?: number;
  readonly autoConvergeIncrement?: number;
  readonly bandwidth?: number;
  readonly postcopyBandwidth?: number;
  readonly parallelConnections?: number;
  readonly tlsDestination?: string;
  readonly timeout?: number;
  readonly timeoutSuspend?: boolean;
  readonly timeoutPostcopy?: boolean;
}

export function migrate(): Command {
  return guestVerb("migrate", "migrate domain to another host")
    .argument("[desturi]", "connection URI of the destination host as seen from here")
    .option("--desturi <string>", "connection URI of the destination host as seen from here")
    .option("--live", "live migration")
    .option("--offline", "offline migration")
    .option("--persistent", "persist VM on destination")
    .option("--undefinesource", "undefine VM on source")
    .option("--suspend", "do not restart the domain on the destination host")
    .option("--copy-storage-all", "migration with non-shared storage with full disk copy")
    .option("--copy-storage-inc", "migration with non-shared storage with incremental copy")
    .option(
      "--copy-storage-synchronous-writes",
      "force guest disk writes to be synchronously written to the destination",
    )
    .option("--change-protection", "prevent any configuration changes to domain until migration ends")
    .option("--unsafe", "force migration even if it may be unsafe")
    .option("--verbose", "display the progress of migration")
    .option("--compressed", "compress repeated pages during live migration")
    .option("--auto-converge", "force convergence during live migration")
    .option("--rdma-pin-all", "pin all memory before starting RDMA live migration")
    .option("--abort-on-error", "abort on soft errors during migration")
    .option("--postcopy", "enable post-copy migration")
    .option("--postcopy-resume", "resume failed post-copy migration")
    .option("--zerocopy", "use zero-copy mechanism for migrating memory pages")
    .option("--migrateuri <string>", "migration URI, usually can be omitted")
    .option("--graphicsuri <string>", "graphics URI to be used for seamless graphics migration")
    .option("--listen-address <string>", "listen address that destination should bind to for incoming migration")
    .option("--dname <string>", "rename to new name during migration (if supported)")
    .option("--timeout <seconds>", "act as --timeout-* says if live migration takes longer", seconds)
    .option("--timeout-suspend", "suspend the guest after timeout (default)")
    .option("--timeout-postcopy", "switch to post-copy after timeout")
    .option("--xml <file>", "filename containing updated XML for the target")
    .option("--migrate-disks <list>", "comma separated list of disks to be migrated")
    .option("--disks-port <number>", "port to use by target server for incoming disks migration", wholeNumber)
    .option("--disks-uri <string>", "URI to use for disks migration (overrides --disks-port)")
    .option("--comp-methods <list>", "comma separated list of compression methods to be used")
    .option("--comp-mt-level <number>", "compress level for multithread compression", wholeNumber)
    .option("--comp-mt-threads <number>", "number of compression threads for multithread compression", wholeNumber)
    .option("--comp-mt-dthreads <number>", "number of decompression threads for multithread compression", wholeNumber)
    .option("--comp-xbzrle-cache <bytes>", "page cache size for xbzrle compression", wholeNumber)
    .option("--auto-converge-initial <number>", "initial CPU throttling rate for auto-convergence", wholeNumber)
    .option("--auto-converge-increment <number>", "CPU throttling rate increment for auto-convergence", wholeNumber)
    .option("--persistent-xml <file>", "filename containing updated persistent XML for the target")
    .option("--tls", "use TLS for migration")
    .option("--postcopy-bandwidth <MiB/s>", "post-copy migration bandwidth limit", wholeNumber)
    .option("--parallel", "enable parallel migration")
    .option("--parallel-connections <number>", "number of connections for parallel migration", wholeNumber)
    .option("--bandwidth <MiB/s>", "migration bandwidth limit", wholeNumber)
    .option("--tls-destination <string>", "override the destination host name used for TLS verification")
    .action(run);
}

async function run(
  domainGiven: string | undefined,
  desturiGiven: string | undefined,
  options: Options,
  command: Command,
): Promise<void> {
  // `--domain web URI`: the one operand is the URI.
  const shifted = options.domain !== undefined && desturiGiven === undefined;
  const guest = operand(command, "domain", shifted ? undefined : domainGiven);
  const desturi = operand(command, "desturi", shifted ? domainGiven : desturiGiven);
  checkOptions(options);
  const wanted = await migrateOptions(options);

  await withConnection(connectionUri(command), (conn) =>
    withConnection(desturi, async (dconn) => {
      const domain = await lookupGuest(conn, guest);
      const interrupt = new AbortController();
      const onInterrupt = () => interrupt.abort(); // a second one ends the process
      process.once("SIGINT", onInterrupt);
      const timer = timeoutTimer(domain, options);
      try {
        await migrateGuest(domain, dconn, {
          ...wanted,
          signal: interrupt.signal,
          ...(options.verbose ? { onProgress: showProgress } : {}),
        });
        if (options.verbose) process.stderr.write("\rMigration: [100 %]\n");
      } catch (error) {
        if (options.verbose) process.stderr.write("\n");
        if (error instanceof AbortError) throw new VerbError("migration interrupted: the guest stays where it was");
        throw error;
      } finally {
        clearTimeout(timer);
        process.removeListener("SIGINT", onInterrupt);
      }
    }),
  );
  print("\n");
}

function checkOptions(options: Options): void {
  refuseBoth(options, [
    ["live", "offline"],
    ["timeoutSuspend", "timeoutPostcopy"],
  ]);
  const required = [
    ["timeoutPostcopy", "postcopy"],
    ["persistentXml", "persistent"],
    ["timeout", "live"],
    ["timeoutSuspend", "timeout"],
    ["timeoutPostcopy", "timeout"],
    ["tlsDestination", "tls"],
  ] as const;
  for (const [one, needed] of required) {
    if (options[one] !== undefined && options[needed] === undefined) {
      throw new VerbError(`Option ${spelled(needed)} is required by option ${spelled(one)}`);
    }
  }
}

async function migrateOptions(options: Options): Promise<MigrateOptions> {
  const params = {
    graphics_uri: options.graphicsuri,
    listen_address: options.listenAddress,
    migrate_disks: options.migrateDisks?.split(","),
    disks_port: options.disksPort,
    disks_uri: options.disksUri,
    compression: options.compMethods?.split(","),
    "compression.mt.level": options.compMtLevel,
    "compression.mt.threads": options.compMtThreads,
    "compression.mt.dthreads": options.compMtDthreads,
    "compression.xbzrle.cache": options.compXbzrleCache,
    "auto_converge.initial": options.autoConvergeInitial,
    "auto_converge.increment": options.autoConvergeIncrement,
    persistent_xml: options.persistentXml === undefined ? undefined : await readText(options.persistentXml),
    "bandwidth.postcopy": options.postcopyBandwidth,
    "parallel.connections": options.parallelConnections,
    "tls.destination": options.tlsDestination,
  };
  const dxml = options.xml === undefined ? undefined : await readText(options.xml);
  return {
    flags: flagsOf(options, migrateFlags),
    ...defined({ uri: options.migrateuri, name: options.dname, bandwidth: options.bandwidth, dxml }),
    params: defined(params) satisfies MigrationParameters,
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(record: T): Defined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** What setTimeout takes, in whole seconds: virsh's bound too. */
function seconds(text: string): number {
  const value = wholeNumber(text);
  if (value > 2147483) throw new InvalidArgumentError("2147483 is the most.");
  return value;
}

/**
 * virsh's --timeout: when it is up, the guest is suspended, or the migration switches to post-copy. 0 means never.
 */
function timeoutTimer(domain: Domain, options: Options): ReturnType<typeof setTimeout> | undefined {
  if (!options.timeout) return undefined;
  const act = () => (options.timeoutPostcopy ? domain.migrateStartPostCopy() : domain.suspend());
  return setTimeout(() => void act().catch(() => {}), options.timeout * 1000);
}

/** `Migration: [ 42 %]`: never 100 before it is over. */
function showProgress(event: MigrationEvent): void {
  if (event.phase !== "running") return;
  const share = progressOf(event.job);
  if (share === undefined) return;
  const percent = Math.min(99, Math.floor(share * 100));
  process.stderr.write(`\rMigration: [${String(percent).padStart(3)} %]`);
}
