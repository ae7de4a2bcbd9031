import { VirDomainJobOperation, VirDomainJobType } from "../../generated/libvirt/index.ts";
import {
  type DomainGetJobInfoRet,
  type DomainGetJobStatsRet,
  type TypedParam,
  VIR_TYPED_PARAM_BOOLEAN,
  VIR_TYPED_PARAM_INT,
  VIR_TYPED_PARAM_STRING,
  VIR_TYPED_PARAM_ULLONG,
} from "../../generated/remote/index.ts";
import type { Clock } from "./clock.ts";

export const JOB_MIGRATION_IN = VirDomainJobOperation.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN;
export const JOB_MIGRATION_OUT = VirDomainJobOperation.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;

const PAGE = 4096;

/** How far a job with a guest's memory is: a migration, a save, a dump. */
export class MemoryJob {
  /** A virDomainJobOperation. */
  readonly operation: number;
  /** Bytes. */
  readonly total: number;
  readonly #clock: Clock;
  readonly #began: number;
  #transferBegan: number | undefined;
  #processed = 0;
  #heldSince: number | undefined;

  constructor(operation: number, total: number, clock: Clock) {
    this.operation = operation;
    this.total = total;
    this.#clock = clock;
    this.#began = clock.now();
  }

  get processed(): number {
    return this.#processed;
  }

  /** Bytes that have gone out, or come in, since the last time. */
  moved(bytes: number): void {
    this.#transferBegan ??= this.#clock.now();
    this.#processed += bytes;
  }

  /** The guest's processor stands still from here on. */
  held(): void {
    this.#heldSince ??= this.#clock.now();
  }

  /** @source remote_domain_get_job_info_ret; times in milliseconds, the rest in bytes. */
  info(type: number): DomainGetJobInfoRet {
    const { elapsed, remaining } = this.#times();
    const total = BigInt(this.total);
    const processed = BigInt(this.#processed);
    return {
      type,
      timeElapsed: BigInt(elapsed),
      timeRemaining: BigInt(remaining),
      dataTotal: total,
      dataProcessed: processed,
      dataRemaining: total - processed,
      memTotal: total,
      memProcessed: processed,
      memRemaining: total - processed,
      fileTotal: 0n,
      fileProcessed: 0n,
      fileRemaining: 0n,
    };
  }

  /** Typed parameters as virDomainGetJobStats names them. */
  stats(): TypedParam[] {
    const { elapsed, remaining, transfer, downtime } = this.#times();
    const rate = transfer === 0 ? 0 : Math.round((this.#processed * 1000) / transfer);
    const numbers: [field: string, value: number][] = [
      ["time_elapsed", elapsed],
      ["time_remaining", remaining],
      ["downtime", downtime],
      ["setup_time", elapsed - transfer],
      ["data_total", this.total],
      ["data_processed", this.#processed],
      ["data_remaining", this.total - this.#processed],
      ["memory_total", this.total],
      ["memory_processed", this.#processed],
      ["memory_remaining", this.total - this.#processed],
      ["memory_bps", rate],
      ["memory_constant", 0],
      ["memory_normal", Math.ceil(this.#processed / PAGE)],
      ["memory_normal_bytes", this.#processed],
      ["memory_dirty_rate", 0],
      ["memory_page_size", PAGE],
      ["memory_iteration", 1],
    ];
    return [
      { field: "operation", value: { type: VIR_TYPED_PARAM_INT, value: this.operation } },
      ...numbers.map(
        ([field, value]): TypedParam => ({ field, value: { type: VIR_TYPED_PARAM_ULLONG, value: BigInt(value) } }),
      ),
    ];
  }

  /** Whole milliseconds. The rest of the time is reckoned at the speed so far. */
  #times() {
    const now = this.#clock.now();
    const transfer = this.#transferBegan === undefined ? 0 : Math.round(now - this.#transferBegan);
    const left = this.total - this.#processed;
    return {
      elapsed: Math.round(now - this.#began),
      transfer,
      remaining: this.#processed === 0 ? 0 : Math.round((transfer * left) / this.#processed),
      downtime: this.#heldSince === undefined ? 0 : Math.round(now - this.#heldSince),
    };
  }
}

/** What is kept of a job that has come to its end, for VIR_DOMAIN_JOB_STATS_COMPLETED. */
export interface FinishedJob {
  readonly type: number;
  readonly params: readonly TypedParam[];
}

export function finishedJob(
  job: MemoryJob,
  failure?: { readonly type: number; readonly message: string },
): FinishedJob {
  const success: TypedParam = {
    field: "success",
    value: { type: VIR_TYPED_PARAM_BOOLEAN, value: failure === undefined ? 1 : 0 },
  };
  const params = [...job.stats(), success];
  if (failure !== undefined) {
    params.push({ field: "errmsg", value: { type: VIR_TYPED_PARAM_STRING, value: failure.message } });
  }
  return { type: failure?.type ?? VirDomainJobType.VIR_DOMAIN_JOB_COMPLETED, params };
}

export const noJobInfo: DomainGetJobInfoRet = {
  type: VirDomainJobType.VIR_DOMAIN_JOB_NONE,
  timeElapsed: 0n,
  timeRemaining: 0n,
  dataTotal: 0n,
  dataProcessed: 0n,
  dataRemaining: 0n,
  memTotal: 0n,
  memProcessed: 0n,
  memRemaining: 0n,
  fileTotal: 0n,
  fileProcessed: 0n,
  fileRemaining: 0n,
};

export const noJobStats: DomainGetJobStatsRet = { type: VirDomainJobType.VIR_DOMAIN_JOB_NONE, params: [] };
