import {
  VirDomainCreateFlags,
  VirDomainDefineFlags,
  VirDomainDestroyFlagsValues,
  VirDomainEventDefinedDetailType,
  VirDomainEventType,
  VirDomainEventUndefinedDetailType,
  VirDomainMemoryFlags,
  VirDomainModificationImpact,
  VirDomainPausedReason,
  VirDomainRunningReason,
  VirDomainShutoffReason,
  VirDomainXMLFlags,
  VirErrorDomain,
  VirErrorNumber,
} from "../../generated/libvirt/index.ts";
import {
  type NonnullDomain,
  REMOTE_DOMAIN_LIST_MAX,
  REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX,
} from "../../generated/remote/index.ts";
import { virtError } from "../../rpc/index.ts";
import type { Session } from "../../server/index.ts";
import type { DriverHandlers } from "../hypervisor.ts";
import { onClientGone } from "./client-gone.ts";
import type { Domain } from "./domain.ts";
import { LIST_FLAGS } from "./domain-list.ts";
import { type DomainDefinition, formatDomainXml, parseDomainXml, renamed } from "./domain-xml.ts";
import { checkFlags, driverError, invalidArgument, operationInvalid } from "./driver-errors.ts";
import type { Guest } from "./guest.ts";
import type { Host } from "./host.ts";
import { formatUuid } from "./uuid.ts";

const START = VirDomainCreateFlags;
/** What makes no difference to a guest in memory is taken; a boot that would need files is not. */
const START_FLAGS =
  START.VIR_DOMAIN_START_PAUSED |
  START.VIR_DOMAIN_START_AUTODESTROY |
  START.VIR_DOMAIN_START_BYPASS_CACHE |
  START.VIR_DOMAIN_START_FORCE_BOOT |
  START.VIR_DOMAIN_START_VALIDATE;
/** Managed save, snapshots, checkpoints, NVRAM, TPM: there are none to keep or to remove. */
const UNDEFINE_FLAGS = 0x7f;
/** How to tell the guest: it obeys each way. */
const SHUTDOWN_FLAGS = 0x1f;
const AFFECT =
  VirDomainModificationImpact.VIR_DOMAIN_AFFECT_LIVE | VirDomainModificationImpact.VIR_DOMAIN_AFFECT_CONFIG;
const VCPU_MAXIMUM = 4;
const NO_FLAGS = 0;

/** Domains: what they are, and their life from define to undefine. */
export function domainProcedures(host: Host) {
  const { domains, events } = host;
  const named = (what: string) => driverError(VirErrorNumber.VIR_ERR_NO_DOMAIN, `no domain with matching ${what}`);

  const define = (xml: string): { dom: NonnullDomain } => {
    const definition = parseDomainXml(xml);
    const domain = domains.claim(definition, "any");
    const isNew = domain.config === undefined;
    domain.config = definition;
    domains.add(domain);
    const { VIR_DOMAIN_EVENT_DEFINED_ADDED, VIR_DOMAIN_EVENT_DEFINED_UPDATED } = VirDomainEventDefinedDetailType;
    events.lifecycle(
      domain.reference,
      VirDomainEventType.VIR_DOMAIN_EVENT_DEFINED,
      isNew ? VIR_DOMAIN_EVENT_DEFINED_ADDED : VIR_DOMAIN_EVENT_DEFINED_UPDATED,
    );
    return { dom: domain.reference };
  };

  const start = async (domain: Domain, definition: DomainDefinition, flags: number, session: Session) => {
    if (domain.guest !== undefined) throw operationInvalid("domain is already running");
    const booting = host.boot(domain, definition, (flags & START.VIR_DOMAIN_START_PAUSED) !== 0);
    if ((flags & START.VIR_DOMAIN_START_AUTODESTROY) !== 0) autoDestroy(host, domain, session);
    await booting;
    return { dom: domain.reference };
  };

  const destroy = (reference: NonnullDomain): void => {
    const domain = domains.find(reference);
    domain.active;
    host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_DESTROYED);
  };

  const undefine = (reference: NonnullDomain): void => {
    const domain = domains.find(reference);
    if (domain.config === undefined) throw operationInvalid("cannot undefine transient domain");
    const before = domain.reference;
    domain.config = undefined;
    domain.autostart = false;
    if (domain.guest === undefined) domains.remove(domain, before.name);
    const { VIR_DOMAIN_EVENT_UNDEFINED_REMOVED } = VirDomainEventUndefinedDetailType;
    events.lifecycle(before, VirDomainEventType.VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
  };

  /** The guest obeys at once. */
  const shutdown = (reference: NonnullDomain): void => {
    const domain = domains.find(reference);
    runsHere(domain);
    host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_SHUTDOWN);
  };

  const maxVcpus = (domain: Domain) => domain.definition.maxVcpus;

  return {
    domainDefineXml: ({ xml }) => define(xml),
    domainDefineXmlFlags({ xml, flags }) {
      checkFlags(flags, VirDomainDefineFlags.VIR_DOMAIN_DEFINE_VALIDATE, "virDomainDefineXMLFlags");
      return define(xml);
    },
    domainUndefine: ({ dom }) => undefine(dom),
    domainUndefineFlags({ dom, flags }) {
      checkFlags(flags, UNDEFINE_FLAGS, "virDomainUndefineFlags");
      undefine(dom);
    },

    async domainCreate({ dom }, { session }) {
      const domain = domains.find(dom);
      await start(domain, domain.definition, NO_FLAGS, session);
    },
    domainCreateWithFlags({ dom, flags }, { session }) {
      checkFlags(flags, START_FLAGS, "virDomainCreateWithFlags");
      const domain = domains.find(dom);
      return start(domain, domain.definition, flags, session);
    },
    domainCreateXml({ xmlDesc, flags }, { session }) {
      checkFlags(flags, START_FLAGS, "virDomainCreateXML");
      const definition = parseDomainXml(xmlDesc);
      return start(domains.claim(definition, "inactive"), definition, flags, session);
    },
    domainDestroy: ({ dom }) => destroy(dom),
    domainDestroyFlags({ dom, flags }) {
      const { VIR_DOMAIN_DESTROY_GRACEFUL, VIR_DOMAIN_DESTROY_REMOVE_LOGS } = VirDomainDestroyFlagsValues;
      checkFlags(flags, VIR_DOMAIN_DESTROY_GRACEFUL | VIR_DOMAIN_DESTROY_REMOVE_LOGS, "virDomainDestroyFlags");
      destroy(dom);
    },
    domainShutdown: ({ dom }) => shutdown(dom),
    domainShutdownFlags({ dom, flags }) {
      checkFlags(flags, SHUTDOWN_FLAGS, "virDomainShutdownFlags");
      shutdown(dom);
    },
    domainReboot({ dom, flags }) {
      checkFlags(flags, SHUTDOWN_FLAGS, "virDomainReboot");
      const domain = domains.find(dom);
      runsHere(domain);
      events.reboot(domain.reference);
    },
    domainReset({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainReset");
      runsHere(domains.find(dom));
    },
    domainSuspend({ dom }) {
      const guest = runsHere(domains.find(dom));
      if (guest.state === "running") guest.move("pause", VirDomainPausedReason.VIR_DOMAIN_PAUSED_USER);
    },
    domainResume({ dom }) {
      const guest = runsHere(domains.find(dom));
      if (guest.state === "running") throw operationInvalid("domain is already running");
      guest.move("run", VirDomainRunningReason.VIR_DOMAIN_RUNNING_UNPAUSED);
    },
    domainRename({ dom, newName, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainRename");
      const domain = domains.find(dom);
      if (domain.config === undefined) throw operationInvalid("cannot rename a transient domain");
      if (domain.guest !== undefined) throw operationInvalid("cannot rename active domain");
      if (newName === null) throw invalidArgument("new domain name is missing");
      const before = domain.reference;
      domains.rename(domain, renamed(domain.config, newName));
      const { VIR_DOMAIN_EVENT_DEFINED_RENAMED } = VirDomainEventDefinedDetailType;
      const { VIR_DOMAIN_EVENT_UNDEFINED_RENAMED } = VirDomainEventUndefinedDetailType;
      events.lifecycle(before, VirDomainEventType.VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_RENAMED);
      events.lifecycle(domain.reference, VirDomainEventType.VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
      return { retcode: 0 };
    },

    domainLookupById({ id }) {
      const domain = domains.byId(id);
      if (domain === undefined) throw named(`id '${id}'`);
      return { dom: domain.reference };
    },
    domainLookupByName({ name }) {
      const domain = domains.byName(name);
      if (domain === undefined) throw named(`name '${name}'`);
      return { dom: domain.reference };
    },
    domainLookupByUuid({ uuid }) {
      const domain = domains.byUuid(uuid);
      if (domain === undefined) throw named(`uuid '${formatUuid(uuid)}'`);
      return { dom: domain.reference };
    },
    connectListAllDomains({ needResults, flags }) {
      checkFlags(flags, LIST_FLAGS, "virConnectListAllDomains");
      const found = domains.filter(flags);
      return { domains: needResults === 0 ? [] : found.map((domain) => domain.reference), ret: found.length };
    },
    connectNumOfDomains: () => ({ num: active(domains).length }),
    connectListDomains({ maxids }) {
      checkCount("maxids", maxids);
      return { ids: active(domains).slice(0, maxids) };
    },
    connectNumOfDefinedDomains: () => ({ num: inactive(domains).length }),
    connectListDefinedDomains({ maxnames }) {
      checkCount("maxnames", maxnames);
      return { names: inactive(domains).slice(0, maxnames) };
    },

    domainGetXmlDesc({ dom, flags }) {
      const X = VirDomainXMLFlags;
      const all =
        X.VIR_DOMAIN_XML_SECURE | X.VIR_DOMAIN_XML_INACTIVE | X.VIR_DOMAIN_XML_UPDATE_CPU | X.VIR_DOMAIN_XML_MIGRATABLE;
      checkFlags(flags, all, "virDomainGetXMLDesc");
      const { guest, config } = domains.find(dom);
      const still = (flags & (X.VIR_DOMAIN_XML_INACTIVE | X.VIR_DOMAIN_XML_MIGRATABLE)) !== 0;
      if (guest === undefined) return { xml: formatDomainXml(config!) };
      if (!still) return { xml: formatDomainXml(guest.definition, guest.id) };
      const inactiveWanted = (flags & X.VIR_DOMAIN_XML_INACTIVE) !== 0;
      return { xml: formatDomainXml(inactiveWanted ? (config ?? guest.definition) : guest.definition) };
    },
    domainGetInfo({ dom }) {
      const { shown, definition, guest } = domains.find(dom);
      return {
        state: shown[0],
        maxMem: definition.memoryKib,
        memory: definition.currentMemoryKib,
        nrVirtCpu: definition.vcpus,
        cpuTime: guest?.cpuTime ?? 0n,
      };
    },
    domainGetState({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetState");
      const [state, reason] = domains.find(dom).shown;
      return { state, reason };
    },
    domainGetOsType: ({ dom }) => ({ type: domains.find(dom).definition.osType }),
    domainGetMaxMemory: ({ dom }) => ({ memory: domains.find(dom).definition.memoryKib }),
    domainGetMaxVcpus: ({ dom }) => ({ num: maxVcpus(domains.find(dom)) }),
    domainGetVcpusFlags({ dom, flags }) {
      checkFlags(flags, AFFECT | VCPU_MAXIMUM, "virDomainGetVcpusFlags");
      const domain = domains.find(dom);
      return { num: (flags & VCPU_MAXIMUM) === 0 ? domain.definition.vcpus : maxVcpus(domain) };
    },
    domainIsActive: ({ dom }) => ({ active: domains.find(dom).guest === undefined ? 0 : 1 }),
    domainIsPersistent: ({ dom }) => ({ persistent: domains.find(dom).config === undefined ? 0 : 1 }),
    domainIsUpdated({ dom }) {
      domains.find(dom);
      return { updated: 0 };
    },
    domainGetAutostart: ({ dom }) => ({ autostart: domains.find(dom).autostart ? 1 : 0 }),
    domainSetAutostart({ dom, autostart }) {
      const domain = domains.find(dom);
      if (domain.config === undefined) throw operationInvalid("cannot set autostart for transient domain");
      domain.autostart = autostart !== 0;
    },
    domainHasManagedSaveImage({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainHasManagedSaveImage");
      domains.find(dom);
      return { result: 0 };
    },
    domainGetControlInfo({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetControlInfo");
      domains.find(dom).active;
      return { state: 0, details: 0, stateTime: 0n };
    },
    domainMemoryPeek({ dom, offset, size, flags }) {
      const guest = domains.find(dom).active;
      if (flags !== VirDomainMemoryFlags.VIR_MEMORY_VIRTUAL && flags !== VirDomainMemoryFlags.VIR_MEMORY_PHYSICAL) {
        throw invalidArgument("flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
      }
      if (size > REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX) {
        throw invalidArgument(`size ${size} exceeds the maximum of ${REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX}`);
      }
      const { bytes } = guest.memory;
      if (offset > BigInt(bytes.byteLength) || offset + BigInt(size) > BigInt(bytes.byteLength)) {
        throw invalidArgument(`range ${offset}+${size} is outside of the guest's memory of ${bytes.byteLength} bytes`);
      }
      // A guest in memory has no page tables: its virtual addresses are the physical ones.
      return { buffer: bytes.subarray(Number(offset), Number(offset) + size) };
    },
  } satisfies DriverHandlers;
}

/** The guest, where nothing but its owner decides about it. @throws {VirtError} VIR_ERR_OPERATION_INVALID */
function runsHere(domain: Domain): Guest {
  const guest = domain.active;
  if (guest.state === "starting") throw operationInvalid(`domain '${domain.name}' is still starting`);
  if (guest.state === "held" || guest.state === "incoming") {
    throw operationInvalid(`domain '${domain.name}' is being migrated`);
  }
  return guest;
}

/** Stops the guest when the connection that started it is closed. */
function autoDestroy(host: Host, domain: Domain, session: Session): void {
  const onLeave = () => host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_DESTROYED);
  const takeBack = onClientGone(session, onLeave);
  domain.autoDestroy = () => {
    takeBack();
    domain.autoDestroy = undefined;
  };
  if (session.signal.aborted) onLeave();
}

/**
 * Refuses how many a caller has room for, where no list can be that long.
 *
 * @source what gendispatch.pl writes into libvirt's remote_daemon_dispatch_stubs.h.
 */
function checkCount(field: string, count: number): void {
  const complain = (detail: string) => virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_RPC, detail);
  if (count < 0) throw complain(`${field} must be non-negative`);
  if (count > REMOTE_DOMAIN_LIST_MAX) throw complain(`${field} > REMOTE_DOMAIN_LIST_MAX`);
}

function active(domains: Iterable<Domain>): number[] {
  return [...domains].flatMap(({ guest }) => (guest === undefined ? [] : [guest.id]));
}

function inactive(domains: Iterable<Domain>): string[] {
  return [...domains].flatMap((domain) => (domain.guest === undefined ? [domain.name] : []));
}
