import {
  VirDomainCreateFlags,
  VirDomainDefineFlags,
  VirDomainDestroyFlagsValues,
  VirDomainEventDefinedDetailType,
  VirDomainEventType,
  VirDomainEventUndefinedDetailType,
  VirDomainLifecycle,
  VirDomainLifecycleAction,
  VirDomainPausedReason,
  VirDomainRunningReason,
  VirDomainShutoffReason,
  VirErrorNumber,
  VirNodeSuspendTarget,
} from "../../../generated/libvirt/index.ts";
import type { NonnullDomain } from "../../../generated/remote/index.ts";
import type { VirtError } from "../../../rpc/index.ts";
import type { Session } from "../../../server/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { onClientGone } from "../client-gone.ts";
import { AFFECT, type Domain } from "../domain.ts";
import { setChild } from "../domain-edit.ts";
import { type DomainDefinition, parseDomainXml, renamed, rootOf } from "../domain-xml.ts";
import {
  checkFlags,
  domainError,
  driverError,
  invalidArgument,
  notRunning,
  operationInvalid,
} from "../driver-errors.ts";
import type { Guest } from "../guest.ts";
import type { Host } from "../host.ts";
import { startFromManagedSave } from "../save/managed-save.ts";
import { checkUndefine, forget } from "../undefine.ts";
import { textOf } from "../xml.ts";

const START = VirDomainCreateFlags;
/** What makes no difference to a guest in memory is taken; a boot that would need files is not. */
const START_FLAGS =
  START.VIR_DOMAIN_START_PAUSED |
  START.VIR_DOMAIN_START_AUTODESTROY |
  START.VIR_DOMAIN_START_BYPASS_CACHE |
  START.VIR_DOMAIN_START_FORCE_BOOT |
  START.VIR_DOMAIN_START_VALIDATE;
/** With NVRAM and TPM: there are none to keep or to remove. */
const UNDEFINE_FLAGS = 0x7f;
/** How to tell the guest: it obeys each way. */
const SHUTDOWN_FLAGS = 0x1f;
const NO_FLAGS = 0;
const { VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_SHUTOFF_DESTROYED } = VirDomainShutoffReason;

/** What is done when a guest ends, by element: its actions are those of `<on_crash>` too. */
const lifecycleElements = new Map<number, string>([
  [VirDomainLifecycle.VIR_DOMAIN_LIFECYCLE_POWEROFF, "on_poweroff"],
  [VirDomainLifecycle.VIR_DOMAIN_LIFECYCLE_REBOOT, "on_reboot"],
  [VirDomainLifecycle.VIR_DOMAIN_LIFECYCLE_CRASH, "on_crash"],
]);
/** By number: virDomainLifecycleAction. */
const actions = ["destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"];

/** The life of domains, from define to undefine. */
export function lifecycleProcedures(host: Host) {
  const { domains, events } = host;

  const define = (xml: string): { dom: NonnullDomain } => {
    const definition = parseDomainXml(xml);
    const domain = domains.claim(definition, "any");
    const isNew = domain.config === undefined;
    domain.config = definition;
    domains.add(domain);
    events.defined(domain.reference, isNew);
    return { dom: domain.reference };
  };

  const start = async (domain: Domain, definition: DomainDefinition, flags: number, session: Session) => {
    if (domain.guest !== undefined) throw internalError(`Domain '${domain.name}' is already running`);
    const paused = (flags & START.VIR_DOMAIN_START_PAUSED) !== 0;
    const forced = (flags & START.VIR_DOMAIN_START_FORCE_BOOT) !== 0;
    const goesOn = domain.managedSave !== undefined && !forced && definition === domain.config;
    const booting = goesOn ? startFromManagedSave(host, domain, paused) : host.boot(domain, definition, paused);
    // Without a guest the start has failed already: the next guest is somebody else's.
    if ((flags & START.VIR_DOMAIN_START_AUTODESTROY) !== 0 && domain.guest !== undefined) {
      autoDestroy(host, domain, session);
    }
    await booting;
    return { dom: domain.reference };
  };

  const destroy = (reference: NonnullDomain): void => {
    const domain = domains.find(reference);
    domain.active;
    host.stop(domain, VIR_DOMAIN_SHUTOFF_DESTROYED);
  };

  const undefine = (reference: NonnullDomain, flags: number): void => {
    const domain = domains.find(reference);
    if (domain.config === undefined) throw operationInvalid("cannot undefine transient domain");
    checkUndefine(domain, flags);
    forget(domain);
    const before = domain.reference;
    domain.config = undefined;
    domain.autostart = false;
    if (domain.guest === undefined) domains.remove(domain, before.name);
    const { VIR_DOMAIN_EVENT_UNDEFINED_REMOVED } = VirDomainEventUndefinedDetailType;
    events.lifecycle(before, VirDomainEventType.VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
  };

  /** The guest obeys at once. What becomes of it then is what its definition says. */
  const leave = (domain: Domain, guest: Guest, element: string, otherwise: string): void => {
    const action = textOf(rootOf(guest.definition), element) ?? otherwise;
    if (action === "restart" || action === "rename-restart") {
      if (guest.state === "paused") guest.move("run", VirDomainRunningReason.VIR_DOMAIN_RUNNING_BOOTED);
      guest.rebooted();
      events.reboot(domain.reference);
    } else host.stop(domain, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
  };
  const shutdown = (reference: NonnullDomain): void => {
    const domain = domains.find(reference);
    if (domain.guest === undefined) throw internalError(`domain '${domain.name}' not running`);
    leave(domain, runsHere(domain), "on_poweroff", "destroy");
  };

  return {
    domainDefineXml: ({ xml }) => define(xml),
    domainDefineXmlFlags({ xml, flags }) {
      checkFlags(flags, VirDomainDefineFlags.VIR_DOMAIN_DEFINE_VALIDATE, "virDomainDefineXMLFlags");
      return define(xml);
    },
    domainUndefine: ({ dom }) => undefine(dom, NO_FLAGS),
    domainUndefineFlags({ dom, flags }) {
      checkFlags(flags, UNDEFINE_FLAGS, "virDomainUndefineFlags");
      undefine(dom, flags);
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
      leave(domain, runsHere(domain), "on_reboot", "restart");
    },
    domainReset({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainReset");
      runsHere(domains.find(dom));
    },
    domainSuspend({ dom }) {
      const domain = domains.find(dom);
      if (domain.guest === undefined) throw internalError(`domain '${domain.name}' not running`);
      const guest = runsHere(domain);
      if (guest.state !== "running") throw internalError(`domain '${domain.name}' not running`);
      guest.move("pause", VirDomainPausedReason.VIR_DOMAIN_PAUSED_USER);
    },
    domainResume({ dom }) {
      const domain = domains.find(dom);
      if (domain.guest !== undefined) runsHere(domain);
      if (domain.guest?.state !== "paused") throw internalError(`domain '${domain.name}' not paused`);
      domain.guest.move("run", VirDomainRunningReason.VIR_DOMAIN_RUNNING_UNPAUSED);
    },
    domainPmSuspendForDuration({ dom, target, duration, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainPMSuspendForDuration");
      const domain = domains.find(dom);
      if (duration !== 0n) throw invalidArgument("Duration not supported. Use 0 for now");
      const { VIR_NODE_SUSPEND_TARGET_DISK, VIR_NODE_SUSPEND_TARGET_HYBRID } = VirNodeSuspendTarget;
      if (target > VIR_NODE_SUSPEND_TARGET_HYBRID) throw invalidArgument(`Unknown suspend target: ${target}`);
      const guest = runsHere(domain);
      if (guest.state !== "running") throw notRunning();
      guest.move("sleep");
      events.asleep(domain.reference, target === VIR_NODE_SUSPEND_TARGET_DISK ? "disk" : "memory");
    },
    domainPmWakeup({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainPMWakeup");
      const domain = domains.find(dom);
      const guest = domain.active;
      if (guest.state !== "asleep") throw operationInvalid("domain is not suspended");
      guest.move("wake", VirDomainRunningReason.VIR_DOMAIN_RUNNING_WAKEUP);
      events.awake(domain.reference);
    },
    domainSetLifecycleAction({ dom, type, action, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetLifecycleAction");
      const element = lifecycleElements.get(type);
      const name = actions[action];
      if (element === undefined) throw invalidArgument(`unknown lifecycle event '${type}'`);
      if (name === undefined) throw invalidArgument(`unknown lifecycle action '${action}'`);
      const dumps = action >= VirDomainLifecycleAction.VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY;
      if (dumps && type !== VirDomainLifecycle.VIR_DOMAIN_LIFECYCLE_CRASH) {
        const detail = `Lifecycle event '${element.slice("on_".length)}' doesn't support '${name}' action`;
        throw domainError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);
      }
      const domain = domains.find(dom);
      domain.change(domain.affected(flags), (root) => setChild(root, element, name));
    },
    domainRename({ dom, newName, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainRename");
      const domain = domains.find(dom);
      if (domain.guest !== undefined) throw operationInvalid("cannot rename active domain");
      if (domain.config === undefined) throw operationInvalid("cannot rename a transient domain");
      if (domain.managedSave !== undefined) {
        throw operationInvalid("domain with a managed saved state can't be renamed");
      }
      if (newName === null) throw invalidArgument("new domain name is missing");
      if (newName === domain.name) throw operationInvalid("Can't rename domain to itself");
      const before = domain.reference;
      domains.rename(domain, renamed(domain.config, newName));
      const { VIR_DOMAIN_EVENT_DEFINED_RENAMED } = VirDomainEventDefinedDetailType;
      const { VIR_DOMAIN_EVENT_UNDEFINED_RENAMED } = VirDomainEventUndefinedDetailType;
      events.lifecycle(before, VirDomainEventType.VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_RENAMED);
      events.lifecycle(domain.reference, VirDomainEventType.VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
      return { retcode: 0 };
    },
    domainGetAutostart: ({ dom }) => ({ autostart: domains.find(dom).autostart ? 1 : 0 }),
    domainSetAutostart({ dom, autostart }) {
      const domain = domains.find(dom);
      if (domain.config === undefined) throw operationInvalid("cannot set autostart for transient domain");
      domain.autostart = autostart !== 0;
    },
  } satisfies DriverHandlers;
}

const internalError = (detail: string): VirtError => driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);

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
  const onLeave = () => host.stop(domain, VIR_DOMAIN_SHUTOFF_DESTROYED);
  const takeBack = onClientGone(session, onLeave);
  domain.autoDestroy = () => {
    takeBack();
    domain.autoDestroy = undefined;
  };
  if (session.signal.aborted) onLeave();
}
