import { VirDomainVcpuFlags, VirVcpuState } from "../../../generated/libvirt/index.ts";
import { type NonnullDomain, REMOTE_CPUMAPS_MAX, REMOTE_VCPUINFO_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { allCpus, type CpuSet, formatCpuSet, parseCpuSet, readCpuMap, writeCpuMap } from "../cpu-map.ts";
import { AFFECT, type Domain } from "../domain.ts";
import { ensure } from "../domain-edit.ts";
import { rootOf } from "../domain-xml.ts";
import { badArgument, checkFlags, invalidArgument, operationInvalid, rpcError } from "../driver-errors.ts";
import type { Guest } from "../guest.ts";
import type { Host } from "../host.ts";
import { hostCpus } from "../node.ts";
import { param } from "../typed-parameters.ts";
import { type Element, setText } from "../xml.ts";
import { emulatorPin, pinEmulator, pinVcpu, vcpuPins } from "./pinning.ts";

const LIVE_ONLY = 1;
const { VIR_DOMAIN_VCPU_MAXIMUM: MAXIMUM, VIR_DOMAIN_VCPU_GUEST: GUEST } = VirDomainVcpuFlags;

/** Virtual processors: how many, and where they may run. */
export function vcpuProcedures({ domains, events, node, clock }: Host) {
  const everywhere = allCpus(hostCpus(node));

  const set = (dom: NonnullDomain, nvcpus: number, flags: number): void => {
    if (nvcpus === 0)
      throw badArgument("virDomainSetVcpusFlags", "nvcpus", "nvcpus in virDomainSetVcpusFlags must not be zero");
    if (nvcpus > node.maxVcpus) {
      const most = node.maxVcpus;
      throw invalidArgument(`requested cpu amount exceeds maximum supported amount (${nvcpus} > ${most})`);
    }
    const domain = domains.find(dom);
    const which = domain.affected(flags);
    const maximum = (flags & MAXIMUM) !== 0;
    for (const each of which) {
      const { maxVcpus } = domain.definitionOf(each);
      if (nvcpus > maxVcpus && (each === "live" || !maximum)) {
        throw invalidArgument(`requested cpu amount exceeds maximum (${nvcpus} > ${maxVcpus})`);
      }
    }
    domain.change(which, (root, each) => {
      const { vcpus, maxVcpus } = domain.definitionOf(each);
      // A guest that runs keeps its maximum, and gets the number.
      if (maximum && each === "config") writeVcpus(root, Math.min(vcpus, nvcpus), nvcpus);
      else writeVcpus(root, nvcpus, maxVcpus);
    });
  };

  const pin = (dom: NonnullDomain, vcpu: number, cpumap: Uint8Array, flags: number): void => {
    const domain = domains.find(dom);
    const which = domain.affected(flags);
    for (const each of which) {
      if (vcpu >= domain.definitionOf(each).vcpus) {
        throw invalidArgument(`requested vcpu '${vcpu}' is not present in the domain`);
      }
    }
    const cpus = cpusOf(cpumap, "Empty cpu list for pinning");
    domain.change(which, (root) => pinVcpu(root, vcpu, cpus));
    if (which.includes("live")) {
      events.tunable(domain.reference, [param.string(`cputune.vcpupin${vcpu}`, formatCpuSet(cpus))]);
    }
  };

  return {
    domainGetMaxVcpus: ({ dom }) => ({ num: domains.find(dom).definition.maxVcpus }),
    domainGetVcpusFlags({ dom, flags }) {
      checkFlags(flags, AFFECT | MAXIMUM | GUEST, "virDomainGetVcpusFlags");
      const domain = domains.find(dom);
      if ((flags & GUEST) !== 0) return { num: onlineVcpus(domain.active).length };
      const { vcpus, maxVcpus } = domain.definitionOf(domain.oneAffected(flags));
      return { num: (flags & MAXIMUM) === 0 ? vcpus : maxVcpus };
    },
    domainSetVcpus: ({ dom, nvcpus }) => set(dom, nvcpus, LIVE_ONLY),
    domainSetVcpusFlags({ dom, nvcpus, flags }) {
      checkFlags(flags, AFFECT | MAXIMUM, "virDomainSetVcpusFlags");
      set(dom, nvcpus, flags);
    },
    domainGetVcpus({ dom, maxinfo, maplen }) {
      checkMaps(maxinfo, maplen);
      const { guest } = domains.find(dom);
      if (guest === undefined) throw operationInvalid("cannot list vcpus for an inactive domain");
      const pinned = vcpuPins(rootOf(guest.definition));
      const count = Math.min(maxinfo, guest.definition.vcpus);
      const cpumaps = new Uint8Array(count * maplen);
      const info = Array.from({ length: count }, (_, number) => {
        const cpus = pinned(number) ?? everywhere;
        cpumaps.set(writeCpuMap(cpus, maplen), number * maplen);
        // A made-up time that grows, as the test driver's.
        const cpuTime = BigInt(Math.round(clock.date() * 100));
        return { number, state: VirVcpuState.VIR_VCPU_RUNNING, cpuTime, cpu: cpus[cpus.length - 1] ?? 0 };
      });
      return { info, cpumaps };
    },
    domainPinVcpu({ dom, vcpu, cpumap }) {
      if (domains.find(dom).guest === undefined) throw operationInvalid("cannot pin vcpus on an inactive domain");
      pin(dom, vcpu, cpumap, LIVE_ONLY);
    },
    domainPinVcpuFlags({ dom, vcpu, cpumap, flags }) {
      checkFlags(flags, AFFECT, "virDomainPinVcpuFlags");
      pin(dom, vcpu, cpumap, flags);
    },
    domainGetVcpuPinInfo({ dom, ncpumaps, maplen, flags }) {
      checkFlags(flags, AFFECT, "virDomainGetVcpuPinInfo");
      checkMaps(ncpumaps, maplen);
      const domain = domains.find(dom);
      const definition = domain.definitionOf(domain.oneAffected(flags));
      const pinned = vcpuPins(rootOf(definition));
      const num = Math.min(ncpumaps, definition.maxVcpus);
      const cpumaps = new Uint8Array(num * maplen);
      for (let vcpu = 0; vcpu < num; vcpu++) {
        cpumaps.set(writeCpuMap(pinned(vcpu) ?? everywhere, maplen), vcpu * maplen);
      }
      return { cpumaps, num };
    },
    domainPinEmulator({ dom, cpumap, flags }) {
      checkFlags(flags, AFFECT, "virDomainPinEmulator");
      const domain = domains.find(dom);
      const which = domain.affected(flags);
      const cpus = cpusOf(cpumap, "Empty cpu list for pinning");
      domain.change(which, (root) => pinEmulator(root, cpus));
      if (which.includes("live")) {
        events.tunable(domain.reference, [param.string("cputune.emulatorpin", formatCpuSet(cpus))]);
      }
    },
    domainGetEmulatorPinInfo({ dom, maplen, flags }) {
      checkFlags(flags, AFFECT, "virDomainGetEmulatorPinInfo");
      checkMaps(1, maplen);
      const domain = domains.find(dom);
      const root = rootOf(domain.definitionOf(domain.oneAffected(flags)));
      return { cpumaps: writeCpuMap(emulatorPin(root) ?? everywhere, maplen), ret: 1 };
    },
    domainGetGuestVcpus({ dom, flags }) {
      checkFlags(flags, 0, "virDomainGetGuestVcpus");
      const guest = domains.find(dom).active;
      const { definition } = guest;
      const all = allCpus(definition.vcpus);
      return {
        params: [
          param.string("vcpus", formatCpuSet(all)),
          param.string("online", formatCpuSet(onlineVcpus(guest))),
          param.string("offlinable", formatCpuSet(all.slice(1))),
        ],
      };
    },
    domainSetGuestVcpus({ dom, cpumap, state, flags }) {
      checkFlags(flags, 0, "virDomainSetGuestVcpus");
      if (state !== 0 && state !== 1) throw invalidArgument("unsupported state value");
      const domain = domains.find(dom);
      setGuestVcpus(domain, parseCpuSet(cpumap), state === 1);
    },
  } satisfies DriverHandlers;
}

function onlineVcpus({ definition, offlineVcpus }: Guest): CpuSet {
  return allCpus(definition.vcpus).filter((vcpu) => !offlineVcpus.has(vcpu));
}

/** @source qemuDomainSetGuestVcpus, libvirt src/qemu/qemu_driver.c. */
function setGuestVcpus(domain: Domain, vcpus: CpuSet, online: boolean): void {
  const { definition, offlineVcpus } = domain.active;
  const missing = vcpus.find((vcpu) => vcpu >= definition.vcpus);
  if (missing !== undefined) throw invalidArgument(`guest vcpu '${missing}' does not exist`);
  if (!online && vcpus.includes(0)) throw invalidArgument("guest vcpu '0' can't be offlined");
  for (const vcpu of vcpus) {
    if (online) offlineVcpus.delete(vcpu);
    else offlineVcpus.add(vcpu);
  }
}

function writeVcpus(root: Element, vcpus: number, maxVcpus: number): void {
  const element = ensure(root, "vcpu");
  setText(element, `${maxVcpus}`);
  if (vcpus === maxVcpus) element.removeAttribute("current");
  else element.setAttribute("current", `${vcpus}`);
}

function cpusOf(cpumap: Uint8Array, complaint: string): CpuSet {
  const cpus = readCpuMap(cpumap);
  if (cpus.length === 0) throw invalidArgument(complaint);
  return cpus;
}

/** @source remoteDispatchDomainGetVcpus, libvirt src/remote/remote_daemon_dispatch.c. */
function checkMaps(maxinfo: number, maplen: number): void {
  if (maxinfo < 0 || maxinfo > REMOTE_VCPUINFO_MAX) throw rpcError("maxinfo > REMOTE_VCPUINFO_MAX");
  if (maplen < 0 || maxinfo * maplen > REMOTE_CPUMAPS_MAX) throw rpcError("maxinfo * maplen > REMOTE_CPUMAPS_MAX");
}
