import {
  type DomainGetJobInfoRet,
  domainAbortJob,
  domainGetJobInfo,
  type NonnullDomain,
} from "../generated/remote/index.ts";
import type { Caller } from "../xdr/index.ts";
import type { MigrationEvent } from "./events.ts";

/** Time, as an argument. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Resolves after so many milliseconds, or as soon as the signal is aborted; never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
    }),
};

export interface JobWatch {
  /** How many bytes the source had sent when it was last asked; undefined where it never said. */
  readonly bytes: bigint | undefined;
  /** Perform has been answered. What is still under way is left to itself and no longer looked at. */
  stop(): void;
}

export interface JobWatchOptions {
  readonly source: Caller;
  readonly domain: NonnullDomain;
  readonly report?: ((event: MigrationEvent) => void) | undefined;
  /** Aborted: the job is aborted on the source. */
  readonly signal?: AbortSignal | undefined;
  readonly jobInterval: number;
  readonly clock: Clock;
}

/**
 * Looks after the source's job while Perform runs: reports how far it is, and aborts it when the user wants that.
 * Errors of GET_JOB_INFO are ignored (the guest may have no job yet). ABORT_JOB is tried again at the next look
 * for the same reason, until the source takes it.
 */
export function watchJob({ source, domain, report, signal, jobInterval, clock }: JobWatchOptions): JobWatch {
  const stopped = new AbortController();
  const from = clock.now();
  let bytes: bigint | undefined;

  const poll = async () => {
    for (;;) {
      await clock.wait(jobInterval, stopped.signal);
      if (stopped.signal.aborted) return;
      const job = await source.call(domainGetJobInfo, { dom: domain }).catch(() => undefined);
      if (stopped.signal.aborted) return;
      if (job === undefined) continue;
      if (job.dataTotal > 0n) bytes = job.dataProcessed;
      report?.({ step: "perform", phase: "running", ms: clock.now() - from, job });
    }
  };
  const abort = async () => {
    while (!stopped.signal.aborted) {
      const taken = await source.call(domainAbortJob, { dom: domain }).then(
        () => true,
        () => false,
      );
      if (taken) return;
      await clock.wait(jobInterval, stopped.signal);
    }
  };
  if (report !== undefined) void poll();
  signal?.addEventListener("abort", abort, { once: true, signal: stopped.signal });

  return {
    get bytes() {
      return bytes;
    },
    stop: () => stopped.abort(),
  };
}

/** The share that is done, 0 to 1, or undefined where the source does not know the total. */
export function progressOf(job: DomainGetJobInfoRet): number | undefined {
  if (job.dataTotal === 0n) return undefined;
  return 1 - Number(job.dataRemaining) / Number(job.dataTotal);
}
