import type { DriverHandlers } from "../hypervisor.ts";
import { blkioProcedures } from "./domain/blkio.ts";
import { blockProcedures } from "./domain/block.ts";
import { deviceProcedures } from "./domain/devices.ts";
import { guestAgentProcedures } from "./domain/guest-agent.ts";
import { infoProcedures } from "./domain/info.ts";
import { interfaceProcedures } from "./domain/interfaces.ts";
import { iothreadProcedures } from "./domain/iothreads.ts";
import { lifecycleProcedures } from "./domain/lifecycle.ts";
import { lookupProcedures } from "./domain/lookup.ts";
import { memoryProcedures } from "./domain/memory.ts";
import { metadataProcedures } from "./domain/metadata.ts";
import { securityProcedures } from "./domain/security.ts";
import { statsProcedures } from "./domain/stats.ts";
import { tuningProcedures } from "./domain/tuning.ts";
import { vcpuProcedures } from "./domain/vcpus.ts";
import type { Host } from "./host.ts";

/** Domains, beside what has a folder of its own: snapshots, checkpoints, saving, migration. */
export function domainProcedures(host: Host) {
  return {
    ...lookupProcedures(host),
    ...infoProcedures(host),
    ...lifecycleProcedures(host),
    ...metadataProcedures(host),
    ...memoryProcedures(host),
    ...vcpuProcedures(host),
    ...iothreadProcedures(host),
    ...tuningProcedures(host),
    ...blkioProcedures(host),
    ...blockProcedures(host),
    ...interfaceProcedures(host),
    ...deviceProcedures(host),
    ...guestAgentProcedures(host),
    ...securityProcedures(host),
    ...statsProcedures(host),
  } satisfies DriverHandlers;
}
