import { VirDomainMemoryModFlags, VirDomainMemoryStatTags, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type NonnullDomain, REMOTE_DOMAIN_MEMORY_STATS_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { AFFECT } from "../domain.ts";
import { setKib } from "../domain-edit.ts";
import { type DomainDefinition, rootOf } from "../domain-xml.ts";
import { badArgument, checkFlags, driverError, invalidArgument, operationInvalid } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { append, child, descendant, type Element, newElement } from "../xml.ts";

const LIVE_ONLY = 1;
const { VIR_DOMAIN_MEM_MAXIMUM: MAXIMUM } = VirDomainMemoryModFlags;
const T = VirDomainMemoryStatTags;
/** Seconds since 1970: when the statistics were last made, says the test driver. */
const LAST_UPDATE = 627319920n;

/** How much memory a guest has, and what it does with it. */
export function memoryProcedures({ domains, events }: Host) {
  const set = (dom: NonnullDomain, memory: bigint, flags: number): void => {
    const domain = domains.find(dom);
    const which = domain.oneAffected(flags);
    if (memory <= 0n)
      throw badArgument("virDomainSetMemoryFlags", "memory", "memory in virDomainSetMemoryFlags must not be zero");
    const definition = domain.definitionOf(which);
    if ((flags & MAXIMUM) !== 0) {
      if (which === "live") throw operationInvalid("cannot resize the maximum memory on an active domain");
      domain.change([which], (root) => {
        setKib(root, "memory", memory);
        if (definition.currentMemoryKib > memory) setKib(root, "currentMemory", memory);
        else setKib(root, "currentMemory", definition.currentMemoryKib);
      });
      return;
    }
    if (memory > definition.memoryKib) throw invalidArgument("cannot set memory higher than max memory");
    domain.change([which], (root) => setKib(root, "currentMemory", memory));
    if (which === "live") events.balloonChange(domain.reference, memory);
  };

  return {
    domainGetMaxMemory: ({ dom }) => ({ memory: domains.find(dom).definition.memoryKib }),
    domainSetMemory: ({ dom, memory }) => set(dom, memory, LIVE_ONLY),
    domainSetMaxMemory: ({ dom, memory }) => set(dom, memory, MAXIMUM),
    domainSetMemoryFlags({ dom, memory, flags }) {
      checkFlags(flags, AFFECT | MAXIMUM, "virDomainSetMemoryFlags");
      set(dom, memory, flags);
    },
    domainSetMemoryStatsPeriod({ dom, period, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetMemoryStatsPeriod");
      const domain = domains.find(dom);
      const which = domain.oneAffected(flags);
      if (period < 0)
        throw badArgument(
          "virDomainSetMemoryStatsPeriod",
          "period",
          "period in virDomainSetMemoryStatsPeriod must be greater than or equal to zero",
        );
      domain.change([which], (root) => {
        const balloon = balloonOf(root);
        if (balloon === undefined) {
          const detail = "No memory balloon device configured, can not set the collection period";
          throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
        }
        let stats = child(balloon, "stats");
        if (stats === undefined) {
          stats = newElement(balloon, "stats");
          append(balloon, stats);
        }
        stats.setAttribute("period", `${period}`);
      });
    },
    domainMemoryStats({ dom, maxStats, flags }) {
      checkFlags(flags, 0, "virDomainMemoryStats");
      if (maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX) throw invalidArgument("too many memory stats asked for");
      return { stats: memoryStats(domains.find(dom).active.definition).slice(0, maxStats) };
    },
  } satisfies DriverHandlers;
}

function balloonOf(root: Element): Element | undefined {
  const balloon = descendant(root, "devices", "memballoon");
  return balloon?.getAttribute("model") === "none" ? undefined : balloon;
}

/** KiB. Only the balloon is true; the rest is the test driver's. */
export function memoryStats(definition: DomainDefinition): { tag: number; val: bigint }[] {
  if (balloonOf(rootOf(definition)) === undefined) return [];
  const current = definition.currentMemoryKib;
  return [
    { tag: T.VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, val: current },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_SWAP_IN, val: 0n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, val: 0n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, val: 0n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT, val: 0n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_UNUSED, val: current / 2n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_AVAILABLE, val: current },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_USABLE, val: current / 2n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE, val: LAST_UPDATE },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, val: current / 8n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC, val: 0n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL, val: 0n },
    { tag: T.VIR_DOMAIN_MEMORY_STAT_RSS, val: current / 2n },
  ];
}
