import { VirDomainMigrateFlags, VirDrvFeature } from "../generated/libvirt/index.ts";
import type { NonnullDomain, TypedParam } from "../generated/remote/index.ts";
import { AbortError } from "../rpc/index.ts";
import type { Caller } from "../xdr/index.ts";
import { checkFlags, checkSupport, chooseFamily } from "./choice.ts";
import type { MigrationEvent } from "./events.ts";
import { supports } from "./features.ts";
import { type Clock, systemClock } from "./job-watch.ts";
import { type MigrationParameters, requestedParameters } from "./parameters.ts";
import { type Plan, runV3 } from "./v3.ts";

/** Milliseconds between two looks at the source's job; virsh looks every 500. */
const DEFAULT_JOB_INTERVAL = 250;

export interface MigrateOptions {
  /** The guest keeps running while its memory moves: VIR_MIGRATE_LIVE, added to `flags`. Default false. */
  readonly live?: boolean;
  /** VIR_MIGRATE_* bits ({@link VirDomainMigrateFlags}). Default 0. */
  readonly flags?: number;
  /** The guest's XML for the destination; what the guest sees of its hardware must not change. `destination_xml`. */
  readonly dxml?: string;
  /** The guest's name on the destination. `destination_name`. */
  readonly name?: string;
  /** Where the source sends the guest's memory; normally left to the destination. `migrate_uri`. */
  readonly uri?: string;
  /** MiB/s; 0 means the hypervisor's default. `bandwidth`. */
  readonly bandwidth?: number | bigint;
  /** More parameters: a record, or a list of exactly what is to be sent, which comes after those above. */
  readonly params?: MigrationParameters | readonly TypedParam[];
  /**
   * Gives the migration up: the source's job is aborted while Perform runs; between two calls the next one is replaced
   * by the clean-up. The guest then runs on the source and the promise rejects with an AbortError. Too late once
   * Finish has been sent, or, with VIR_MIGRATE_POSTCOPY, once Perform has ended: then the migration is completed.
   */
  readonly signal?: AbortSignal;
  /** Called for each event, in order. If it throws, the migration is given up as with `signal`, that error its reason. */
  readonly onProgress?: (event: MigrationEvent) => void;
  /** Milliseconds between two `running` events. Default 250. */
  readonly jobInterval?: number;
  /** For tests. */
  readonly clock?: Clock;
}

/** `migrate` between anything that can call procedures of `remote`. Answers with the guest on the destination. */
export async function migrateBetween(
  source: Caller,
  domain: NonnullDomain,
  destination: Caller,
  options: MigrateOptions,
): Promise<NonnullDomain> {
  const flags = (options.flags ?? 0) | (options.live ? VirDomainMigrateFlags.VIR_MIGRATE_LIVE : 0);
  const params = requestedParameters(options);
  checkFlags(flags);
  if (options.signal?.aborted) throw new AbortError(options.signal.reason);
  await checkSupport(source, destination, flags);
  const family = await chooseFamily(source, destination, params);
  const plan: Plan = {
    source,
    destination,
    domain,
    family,
    flags: flags & ~VirDomainMigrateFlags.VIR_MIGRATE_CHANGE_PROTECTION,
    protection: await supports(source, VirDrvFeature.VIR_DRV_FEATURE_MIGRATE_CHANGE_PROTECTION),
    params,
    jobInterval: options.jobInterval ?? DEFAULT_JOB_INTERVAL,
    clock: options.clock ?? systemClock,
    ...guarded(options),
  };
  if (plan.signal?.aborted) throw new AbortError(plan.signal.reason);
  return runV3(plan);
}

/**
 * A listener that throws must not end up in the middle of the sequence: it gives the migration up instead, and hears
 * no more of it.
 */
function guarded({ onProgress, signal }: MigrateOptions): Pick<Plan, "report" | "signal"> {
  if (onProgress === undefined) return { signal };
  const failed = new AbortController();
  const report = (event: MigrationEvent) => {
    if (failed.signal.aborted) return;
    try {
      onProgress(event);
    } catch (error) {
      failed.abort(error);
    }
  };
  return { report, signal: signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]) };
}
