import type { DriverHandlers } from "../../hypervisor.ts";
import { allCpus, readCpuMap, writeCpuMap } from "../cpu-map.ts";
import { AFFECT } from "../domain.ts";
import { type DomainDefinition, rootOf } from "../domain-xml.ts";
import { checkFlags, invalidArgument } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { checkParams } from "../typed-parameters.ts";
import { child, children, type Element } from "../xml.ts";
import { iothreadIds, MOST_IOTHREADS, writeIothreadIds } from "./iothread-ids.ts";
import { iothreadPins, pinIothread, unpinIothread } from "./pinning.ts";

const LIVE_ONLY = 1;

/** How an I/O thread polls. */
export interface Polling {
  readonly maxNs: bigint;
  readonly grow: number;
  readonly shrink: number;
}
const DEFAULT_POLLING: Polling = { maxNs: 32768n, grow: 0, shrink: 0 };

/** Threads of the host that do a guest's input and output. */
export function iothreadProcedures({ domains }: Host) {
  return {
    domainGetIothreadInfo({ dom, flags }) {
      checkFlags(flags, AFFECT, "virDomainGetIOThreadInfo");
      const domain = domains.find(dom);
      const definition = domain.definitionOf(domain.oneAffected(flags));
      const root = rootOf(definition);
      const pinned = iothreadPins(root);
      const everywhere = allCpus(definition.vcpus); // as the test driver has it
      const info = iothreadIds(root).map((iothreadId) => {
        const cpus = pinned(iothreadId) ?? everywhere;
        const last = cpus[cpus.length - 1] ?? 0;
        return { iothreadId, cpumap: writeCpuMap(cpus, (last >> 3) + 1) };
      });
      return { info, ret: info.length };
    },
    domainAddIothread({ dom, iothreadId, flags }) {
      checkFlags(flags, AFFECT, "virDomainAddIOThread");
      checkId(iothreadId);
      const domain = domains.find(dom);
      domain.change([domain.oneAffected(flags)], (root) => {
        const ids = iothreadIds(root);
        if (ids.includes(iothreadId)) {
          throw invalidArgument(`an IOThread is already using iothread_id '${iothreadId}'`);
        }
        if (ids.length >= MOST_IOTHREADS) throw invalidArgument(`a domain has at most ${MOST_IOTHREADS} IOThreads`);
        writeIothreadIds(root, [...ids, iothreadId]);
      });
    },
    domainDelIothread({ dom, iothreadId, flags }) {
      checkFlags(flags, AFFECT, "virDomainDelIOThread");
      checkId(iothreadId);
      const domain = domains.find(dom);
      const which = domain.oneAffected(flags);
      domain.change([which], (root) => {
        const ids = iothreadIds(root);
        if (!ids.includes(iothreadId))
          throw invalidArgument(`cannot find IOThread '${iothreadId}' in iothreadids list`);
        checkUnused(root, iothreadId);
        writeIothreadIds(
          root,
          ids.filter((id) => id !== iothreadId),
        );
        unpinIothread(root, iothreadId);
      });
      if (which === "live") domain.active.polling.delete(iothreadId);
    },
    domainPinIothread({ dom, iothreadsId, cpumap, flags }) {
      checkFlags(flags, AFFECT, "virDomainPinIOThread");
      const domain = domains.find(dom);
      const which = domain.oneAffected(flags);
      const cpus = readCpuMap(cpumap);
      if (cpus.length === 0) throw invalidArgument("Empty iothread cpumap list for pinning");
      domain.change([which], (root) => {
        if (!iothreadIds(root).includes(iothreadsId)) throw invalidArgument(`iothreadid ${iothreadsId} not found`);
        pinIothread(root, iothreadsId, cpus);
      });
    },
    domainSetIothreadParams({ dom, iothreadId, params, flags }) {
      checkFlags(flags, LIVE_ONLY, "virDomainSetIOThreadParams");
      checkId(iothreadId);
      const { active } = domains.find(dom);
      if (!iothreadIds(rootOf(active.definition)).includes(iothreadId)) {
        throw invalidArgument(`cannot find IOThread '${iothreadId}' in iothreadids`);
      }
      const checked = checkParams(params, { poll_max_ns: "ullong", poll_grow: "uint", poll_shrink: "uint" });
      const before = active.polling.get(iothreadId) ?? DEFAULT_POLLING;
      active.polling.set(iothreadId, {
        maxNs: checked.bigint("poll_max_ns") ?? before.maxNs,
        grow: checked.number("poll_grow") ?? before.grow,
        shrink: checked.number("poll_shrink") ?? before.shrink,
      });
    },
  } satisfies DriverHandlers;
}

function checkId(id: number): void {
  if (id === 0) throw invalidArgument("invalid value of 0 for iothread_id");
}

/** The I/O threads of a guest and how each polls. */
export function iothreadsOf(
  definition: DomainDefinition,
  polling: ReadonlyMap<number, Polling>,
): { id: number; polling: Polling }[] {
  if (!definition.hasIothreads) return [];
  return iothreadIds(rootOf(definition)).map((id) => ({ id, polling: polling.get(id) ?? DEFAULT_POLLING }));
}

function checkUnused(root: Element, id: number): void {
  const devices = child(root, "devices");
  if (devices === undefined) return;
  for (const device of children(devices)) {
    if (child(device, "driver")?.getAttribute("iothread") !== `${id}`) continue;
    if (device.tagName === "disk") {
      const target = child(device, "target")?.getAttribute("dev") ?? "";
      throw invalidArgument(`cannot remove IOThread ${id} since it is being used by disk '${target}'`);
    }
    if (device.tagName === "controller") {
      throw invalidArgument(`cannot remove IOThread '${id}' since it is being used by controller`);
    }
  }
}
