import { VirDomainJobType, VirErrorNumber } from "../../generated/libvirt/index.ts";
import type { Domain } from "./domain.ts";
import { driverError, notRunning, operationInvalid } from "./driver-errors.ts";
import type { Guest } from "./guest.ts";
import type { Host } from "./host.ts";
import { finishedJob, MemoryJob } from "./job.ts";

/** Something long that is done with a guest: one at a time. */
export class GuestJob {
  readonly guest: Guest;
  readonly job: MemoryJob;
  readonly #name: string;
  readonly #abort = new AbortController();

  /** @param name as in `operation aborted: domain save job: canceled by client` */
  constructor(guest: Guest, job: MemoryJob, name: string) {
    this.guest = guest;
    this.job = job;
    this.#name = name;
  }

  /** A virDomainJobType. */
  readonly jobType = VirDomainJobType.VIR_DOMAIN_JOB_UNBOUNDED;

  /** What virDomainAbortJob does. */
  abort(): void {
    const detail = `${this.#name}: canceled by client`;
    this.#abort.abort(driverError(VirErrorNumber.VIR_ERR_OPERATION_ABORTED, detail));
  }

  /** @throws {VirtError} when the job was aborted, or when its guest has stopped */
  check(): void {
    this.#abort.signal.throwIfAborted();
    if (this.guest.gone.aborted) throw notRunning();
  }

  get aborted(): boolean {
    return this.#abort.signal.aborted;
  }
}

/**
 * Runs a job with a domain's guest.
 *
 * @throws {VirtError} where the guest is not there, or where somebody else does something with it.
 */
export async function runJob<T>(
  host: Host,
  domain: Domain,
  operation: number,
  name: string,
  run: (job: GuestJob) => Promise<T>,
): Promise<T> {
  const guest = idleGuest(domain);
  const job = new GuestJob(guest, new MemoryJob(operation, guest.memory.size, host.clock), name);
  domain.job = job;
  try {
    const result = await run(job);
    domain.lastJob = finishedJob(job.job);
    return result;
  } catch (error) {
    const { VIR_DOMAIN_JOB_CANCELLED, VIR_DOMAIN_JOB_FAILED } = VirDomainJobType;
    const type = job.aborted ? VIR_DOMAIN_JOB_CANCELLED : VIR_DOMAIN_JOB_FAILED;
    domain.lastJob = finishedJob(job.job, { type, message: error instanceof Error ? error.message : String(error) });
    throw error;
  } finally {
    domain.job = undefined;
  }
}

/** The guest, where nothing goes on with it. @throws {VirtError} */
export function idleGuest(domain: Domain): Guest {
  const guest = domain.active;
  if (guest.state === "starting") throw operationInvalid(`domain '${domain.name}' is still starting`);
  if (domain.outgoing !== undefined || domain.incoming !== undefined) {
    throw operationInvalid(`domain '${domain.name}' is being migrated`);
  }
  if (domain.job !== undefined) {
    throw driverError(VirErrorNumber.VIR_ERR_OPERATION_TIMEOUT, "cannot acquire state change lock");
  }
  return guest;
}
