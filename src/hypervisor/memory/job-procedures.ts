import { VirDomainAbortJobFlagsValues, VirDomainGetJobStatsFlags } from "../../generated/libvirt/index.ts";
import type { DriverHandlers } from "../hypervisor.ts";
import type { Domain } from "./domain.ts";
import { checkFlags, operationInvalid } from "./driver-errors.ts";
import type { Host } from "./host.ts";
import { noJobInfo, noJobStats } from "./job.ts";

const { VIR_DOMAIN_JOB_STATS_COMPLETED: COMPLETED, VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED: KEEP_COMPLETED } =
  VirDomainGetJobStatsFlags;

/** What goes on with a guest that takes long: migrations, saving, dumping. */
export function jobProcedures(host: Host) {
  const { domains } = host;
  return {
    domainGetJobInfo({ dom }) {
      const running = runningJob(domains.find(dom));
      return running === undefined ? noJobInfo : running.job.info(running.jobType);
    },
    domainGetJobStats({ dom, flags }) {
      checkFlags(flags, COMPLETED | KEEP_COMPLETED, "virDomainGetJobStats");
      const domain = domains.find(dom);
      if ((flags & COMPLETED) !== 0) {
        const { lastJob } = domain;
        if ((flags & KEEP_COMPLETED) === 0) domain.lastJob = undefined;
        return lastJob === undefined ? noJobStats : { type: lastJob.type, params: [...lastJob.params] };
      }
      const running = runningJob(domain);
      return running === undefined ? noJobStats : { type: running.jobType, params: running.job.stats() };
    },
    domainAbortJob: ({ dom }) => abortJob(domains.find(dom)),
    domainAbortJobFlags({ dom, flags }) {
      checkFlags(flags, VirDomainAbortJobFlagsValues.VIR_DOMAIN_ABORT_JOB_POSTCOPY, "virDomainAbortJobFlags");
      const domain = domains.find(dom);
      if (flags !== 0) throw operationInvalid("current job is not outgoing migration in post-copy mode");
      abortJob(domain);
    },
  } satisfies DriverHandlers;
}

const runningJob = (domain: Domain) => domain.outgoing ?? domain.incoming ?? domain.job;

function abortJob(domain: Domain): void {
  domain.active;
  if (domain.incoming !== undefined) {
    throw operationInvalid("cannot abort incoming migration; use virDomainDestroy instead");
  }
  const job = domain.outgoing ?? domain.job;
  if (job === undefined) throw operationInvalid("no job is active on the domain");
  job.abort();
}
