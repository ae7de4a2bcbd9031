import { VirDomainMigrateFlags, VirDomainState, VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import type { NonnullDomain, TypedParam } from "../generated/remote/index.ts";
import { AbortError, VirtError, virtError } from "../rpc/index.ts";
import type { Caller } from "../xdr/index.ts";
import type { MigrationEvent, MigrationStep } from "./events.ts";
import type { Family, Request } from "./families.ts";
import { type Clock, watchJob } from "./job-watch.ts";
import { stringParameter, withString } from "./parameters.ts";

const NO_COOKIE: Uint8Array = new Uint8Array(0);

/** These mean nothing to a destination, and an older one refuses them. */
const SOURCE_ONLY = VirDomainMigrateFlags.VIR_MIGRATE_ABORT_ON_ERROR | VirDomainMigrateFlags.VIR_MIGRATE_AUTO_CONVERGE;

/** Everything that a run needs to know at its start. */
export interface Plan {
  readonly source: Caller;
  readonly destination: Caller;
  /** The guest as the source knows it. */
  readonly domain: NonnullDomain;
  readonly family: Family;
  /** As the user asked, without CHANGE_PROTECTION. */
  readonly flags: number;
  /** Whether the source protects the guest from Begin on, and so holds a job that has to be released. */
  readonly protection: boolean;
  readonly params: readonly TypedParam[];
  /** Absent where nobody listens: then the source's job is not polled. */
  readonly report?: ((event: MigrationEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds between two looks at the source's job. */
  readonly jobInterval: number;
  readonly clock: Clock;
}

/** What changes while the sequence goes on. */
interface Run extends Plan {
  /** With PAUSED where the guest was found paused. */
  flags: number;
  params: readonly TypedParam[];
  /** What the next call gets: exactly what the last one gave, nothing where that failed. */
  cookie: Uint8Array;
  /** The guest on the destination, once Finish has named it. */
  landed: NonnullDomain | undefined;
}

/** A call that undoes something: Finish or Confirm with `cancelled` = 1. */
type CleanUp = (run: Run, firstError: unknown) => Promise<unknown>;

interface Step {
  readonly name: MigrationStep;
  readonly skip?: (run: Run) => boolean;
  readonly call: (run: Run) => Promise<void>;
  /** Why the migration cannot go on although this call succeeded. */
  readonly stop?: (run: Run) => unknown;
  /** What must still be called where this call failed. */
  readonly afterFailure: readonly CleanUp[];
  /** What must still be called where the migration stops between this call and the next. */
  readonly afterStop: readonly CleanUp[];
}

/** The destination drops the guest that it prepared. It answers with error 93 where it did, never with a guest. */
const cancelFinish: CleanUp = async (run, firstError) => {
  try {
    await finish(run, 1);
  } catch (error) {
    return mergeErrors(firstError, error);
  }
  return firstError;
};

/** The source takes the guest back. Where even that fails there is nothing left to do: it may stay paused there. */
const cancelConfirm: CleanUp = async (run, firstError) => {
  await confirm(run, 1);
  return firstError;
};

/** The source ends the job that Begin started for the sake of change protection. There is no job without it. */
const releaseJob: CleanUp = (run, firstError) => {
  run.cookie = NO_COOKIE;
  return run.protection ? cancelConfirm(run, firstError) : Promise.resolve(firstError);
};

/** Protocol 3: virDomainMigrateVersion3Full, libvirt src/libvirt-domain.c. */
const steps: readonly Step[] = [
  { name: "begin", call: begin, stop: aborted, afterFailure: [], afterStop: [releaseJob] },
  {
    name: "prepare",
    call: prepare,
    stop: (run) => noUri(run) ?? aborted(run),
    afterFailure: [releaseJob],
    afterStop: [cancelFinish, cancelConfirm],
  },
  {
    name: "perform",
    skip: offline,
    call: perform,
    // A guest that may have switched to post-copy lives in both places; there is no way back, only forward.
    stop: (run) => (run.flags & VirDomainMigrateFlags.VIR_MIGRATE_POSTCOPY ? undefined : aborted(run)),
    // No Confirm: a source whose Perform failed has already taken the guest back.
    afterFailure: [cancelFinish],
    afterStop: [cancelFinish, cancelConfirm],
  },
  // From here on the destination owns the guest, so an abort comes too late.
  { name: "finish", call: (run) => finish(run, 0), afterFailure: [cancelConfirm], afterStop: [] },
];

/**
 * Runs the sequence and answers with the guest on the destination.
 * @throws the first error of the sequence, whatever else went wrong while cleaning up after it.
 */
export async function runV3(plan: Plan): Promise<NonnullDomain> {
  const run: Run = { ...plan, cookie: NO_COOKIE, landed: undefined };
  for (const step of steps) {
    if (step.skip?.(run)) continue;
    try {
      await step.call(run);
    } catch (error) {
      run.cookie = NO_COOKIE;
      throw await cleanUp(run, step.afterFailure, error);
    }
    const reason = step.stop?.(run);
    if (reason !== undefined) throw await cleanUp(run, step.afterStop, reason);
  }
  await confirm(run, 0);
  return run.landed!;
}

async function cleanUp(run: Run, calls: readonly CleanUp[], firstError: unknown): Promise<unknown> {
  let error = firstError;
  for (const call of calls) error = await call(run, error);
  return error;
}

async function begin(run: Run): Promise<void> {
  const { cookieOut, xml } = await timed(run, "begin", false, () => run.family.begin(toSource(run)));
  run.cookie = cookieOut;
  // Begin made it from destination_xml or from the guest itself; from here on it is what the destination gets.
  run.params = withString(run.params, "destination_xml", xml);
  const state = await run.family.state(toSource(run)).catch(() => undefined); // libvirt takes no notice either
  const resumed = (run.flags & VirDomainMigrateFlags.VIR_MIGRATE_POSTCOPY_RESUME) !== 0;
  if (state === VirDomainState.VIR_DOMAIN_PAUSED && !resumed) run.flags |= VirDomainMigrateFlags.VIR_MIGRATE_PAUSED;
}

async function prepare(run: Run): Promise<void> {
  const { cookieOut, uriOut } = await timed(run, "prepare", false, () => run.family.prepare(toDestination(run)));
  run.cookie = cookieOut;
  if (uriOut !== null) run.params = withString(run.params, "migrate_uri", uriOut);
}

async function perform(run: Run): Promise<void> {
  const watch = watchJob(run);
  const call = () => run.family.perform(toSource(run)).finally(() => watch.stop());
  try {
    run.cookie = (await timed(run, "perform", false, call, () => watch.bytes)).cookieOut;
  } catch (error) {
    throw isCancelledJob(error) ? (aborted(run) ?? error) : error;
  }
}

async function finish(run: Run, cancelled: 0 | 1): Promise<void> {
  if (cancelled === 0 && offline(run)) run.cookie = NO_COOKIE;
  const name = stringParameter(run.params, "destination_name") ?? run.domain.name;
  run.params = withString(run.params, "destination_name", name);
  const args = { ...toDestination(run), cancelled };
  run.cookie = NO_COOKIE;
  const { dom, cookieOut } = await timed(run, "finish", cancelled === 1, () => run.family.finish(args));
  run.cookie = cookieOut;
  run.landed = dom;
}

/** Never fails: the outcome of the migration is known by now, and libvirt ignores an error here too. */
async function confirm(run: Run, cancelled: 0 | 1): Promise<void> {
  const args = { ...toSource(run), cancelled };
  await timed(run, "confirm", cancelled === 1, () => run.family.confirm(args)).catch(() => {});
}

function toSource(run: Run): Request {
  const protection = run.protection ? VirDomainMigrateFlags.VIR_MIGRATE_CHANGE_PROTECTION : 0;
  return request(run, run.source, run.flags | protection);
}

function toDestination(run: Run): Request {
  return request(run, run.destination, run.flags & ~SOURCE_ONLY);
}

function request({ domain, params, cookie }: Run, host: Caller, flags: number): Request {
  return { host, domain, params, flags: flags >>> 0, cookie };
}

function offline(run: Run): boolean {
  return (run.flags & VirDomainMigrateFlags.VIR_MIGRATE_OFFLINE) !== 0;
}

function noUri(run: Run): unknown {
  if (stringParameter(run.params, "migrate_uri") !== null) return undefined;
  const detail = "domainMigratePrepare3 did not set uri";
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_DOMAIN, detail);
}

function aborted({ signal }: Run): AbortError | undefined {
  return signal?.aborted ? new AbortError(signal.reason) : undefined;
}

function isCancelledJob(error: unknown): boolean {
  return error instanceof VirtError && error.code === VirErrorNumber.VIR_ERR_OPERATION_ABORTED;
}

/** Where both hypervisors say what went wrong, the user gets both texts. */
function mergeErrors(first: unknown, second: unknown): unknown {
  const both =
    first instanceof VirtError &&
    second instanceof VirtError &&
    first.domain === VirErrorDomain.VIR_FROM_QEMU &&
    first.code === VirErrorNumber.VIR_ERR_OPERATION_FAILED &&
    second.domain === VirErrorDomain.VIR_FROM_QEMU &&
    second.code !== VirErrorNumber.VIR_ERR_MIGRATE_FINISH_OK;
  if (!both) return first;
  const detail =
    `migration failed. Message from the source host: ${first.message}. ` +
    `Message from the destination host: ${second.message}`;
  return virtError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, VirErrorDomain.VIR_FROM_DOMAIN, detail);
}

/** Reports a call's start, end and time. */
async function timed<T>(
  { report, clock }: Run,
  step: MigrationStep,
  cancelled: boolean,
  call: () => Promise<T>,
  moved: () => bigint | undefined = () => undefined,
): Promise<T> {
  const from = clock.now();
  report?.({ step, phase: "started", cancelled });
  try {
    const result = await call();
    const bytes = moved();
    report?.({ step, phase: "done", cancelled, ms: clock.now() - from, ...(bytes === undefined ? {} : { bytes }) });
    return result;
  } catch (error) {
    report?.({ step, phase: "failed", cancelled, ms: clock.now() - from, error });
    throw error;
  }
}
