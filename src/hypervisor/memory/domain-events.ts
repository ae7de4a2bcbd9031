import {
  VirDomainEventDefinedDetailType,
  VirDomainEventID,
  VirDomainEventPMSuspendedDetailType,
  VirDomainEventResumedDetailType,
  VirDomainEventStartedDetailType,
  VirDomainEventStoppedDetailType,
  VirDomainEventSuspendedDetailType,
  VirDomainEventType,
  VirDomainShutoffReason,
  VirErrorDomain,
  VirErrorNumber,
} from "../../generated/libvirt/index.ts";
import {
  domainEventBalloonChange,
  domainEventCallbackBalloonChange,
  domainEventCallbackDeviceAdded,
  domainEventCallbackDeviceRemoved,
  domainEventCallbackLifecycle,
  domainEventCallbackMetadataChange,
  domainEventCallbackPmsuspend,
  domainEventCallbackPmsuspendDisk,
  domainEventCallbackPmwakeup,
  domainEventCallbackReboot,
  domainEventCallbackRtcChange,
  domainEventCallbackTunable,
  domainEventDeviceRemoved,
  domainEventLifecycle,
  domainEventPmsuspend,
  domainEventPmsuspendDisk,
  domainEventPmwakeup,
  domainEventReboot,
  domainEventRtcChange,
  type NonnullDomain,
  type TypedParam,
} from "../../generated/remote/index.ts";
import { type VirtError, virtError } from "../../rpc/index.ts";
import { PerSession, type Session } from "../../server/index.ts";
import type { EventProcedure } from "../../xdr/index.ts";
import type { DriverHandlers } from "../hypervisor.ts";
import { invalidArgument } from "./driver-errors.ts";
import { EventRegistrations } from "./event-registrations.ts";
import type { GuestState } from "./guest.ts";
import type { StartCause } from "./start-cause.ts";
import { formatUuid } from "./uuid.ts";

const ID = VirDomainEventID;

/** Registers clients of before callback ids: once for each event and connection. */
interface Legacy {
  readonly session: Session;
  readonly eventID: number;
}

/** The highest event that there was before callback ids. */
const LEGACY_LAST = VirDomainEventID.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED;

/** Who wants to hear of which events of guests, and what they are told. */
export class DomainEvents {
  readonly #registrations = new EventRegistrations({
    event: "event",
    callback: "domain event callback",
    ids: VirDomainEventID.VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE + 1,
  });
  readonly #legacy = new Set<Legacy>();
  readonly #legacySessions = new PerSession((session) => {
    const mine = new Map<number, Legacy>();
    session.onClose(() => {
      for (const each of mine.values()) this.#legacy.delete(each);
    });
    return mine;
  });

  register(session: Session, eventID: number, dom: NonnullDomain | null): number {
    return this.#registrations.register(session, eventID, dom === null ? undefined : formatUuid(dom.uuid));
  }

  deregister(session: Session, callbackID: number): void {
    this.#registrations.deregister(session, callbackID);
  }

  /** As clients from before libvirt 1.2.1 do. @throws {VirtError} for an event that they don't know, or a second time. */
  registerLegacy(session: Session, eventID: number): void {
    if (eventID < 0 || eventID > LEGACY_LAST) throw refused(`unsupported event ID ${eventID}`);
    const mine = this.#legacySessions.of(session);
    if (mine.has(eventID)) throw invalidArgument("event callback already tracked");
    if (session.signal.aborted) return; // it went while it asked: nobody would take this off again
    const registration = { session, eventID };
    mine.set(eventID, registration);
    this.#legacy.add(registration);
  }

  /** @throws {VirtError} */
  deregisterLegacy(session: Session, eventID: number): void {
    const mine = this.#legacySessions.of(session);
    const registration = mine.get(eventID);
    if (registration === undefined) throw refused(`domain event ${eventID} not registered`);
    mine.delete(eventID);
    this.#legacy.delete(registration);
  }

  /**
   * Sends an event to all who want it.
   *
   * @param message makes what is sent for a callback id.
   */
  emit<Msg>(
    eventID: number,
    dom: NonnullDomain,
    event: EventProcedure<Msg>,
    message: (callbackID: number) => Msg,
  ): void {
    for (const { session, callbackID } of this.#registrations.wanting(eventID, formatUuid(dom.uuid))) {
      session.send(event, message(callbackID));
    }
  }

  #emitLegacy<Msg>(eventID: number, event: EventProcedure<Msg>, message: Msg): void {
    for (const each of this.#legacy) {
      if (each.eventID === eventID) each.session.send(event, message);
    }
  }

  /** @param event a virDomainEventType. @param detail what is said of it: the enum of its name. */
  lifecycle(dom: NonnullDomain, event: number, detail: number): void {
    const msg = { dom, event, detail };
    this.emit(ID.VIR_DOMAIN_EVENT_ID_LIFECYCLE, dom, domainEventCallbackLifecycle, (callbackID) => ({
      callbackID,
      msg,
    }));
    this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_LIFECYCLE, domainEventLifecycle, msg);
  }

  /** @param isNew else it had a definition before. */
  defined(dom: NonnullDomain, isNew: boolean): void {
    const D = VirDomainEventDefinedDetailType;
    const detail = isNew ? D.VIR_DOMAIN_EVENT_DEFINED_ADDED : D.VIR_DOMAIN_EVENT_DEFINED_UPDATED;
    this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_DEFINED, detail);
  }

  reboot(dom: NonnullDomain): void {
    const msg = { dom };
    this.emit(ID.VIR_DOMAIN_EVENT_ID_REBOOT, dom, domainEventCallbackReboot, (callbackID) => ({ callbackID, msg }));
    this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_REBOOT, domainEventReboot, msg);
  }

  /** @param offset seconds from UTC. */
  rtcChange(dom: NonnullDomain, offset: bigint): void {
    const msg = { dom, offset };
    this.emit(ID.VIR_DOMAIN_EVENT_ID_RTC_CHANGE, dom, domainEventCallbackRtcChange, (callbackID) => ({
      callbackID,
      msg,
    }));
    this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_RTC_CHANGE, domainEventRtcChange, msg);
  }

  /** @param actual KiB. */
  balloonChange(dom: NonnullDomain, actual: bigint): void {
    const msg = { dom, actual };
    this.emit(ID.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, dom, domainEventCallbackBalloonChange, (callbackID) => ({
      callbackID,
      msg,
    }));
    this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, domainEventBalloonChange, msg);
  }

  /** The guest went to sleep. */
  asleep(dom: NonnullDomain, where: "memory" | "disk"): void {
    const S = VirDomainEventPMSuspendedDetailType;
    const detail = where === "disk" ? S.VIR_DOMAIN_EVENT_PMSUSPENDED_DISK : S.VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY;
    this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_PMSUSPENDED, detail);
    const msg = { dom };
    const message = (callbackID: number) => ({ callbackID, reason: 0, msg });
    if (where === "disk") {
      this.emit(ID.VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK, dom, domainEventCallbackPmsuspendDisk, message);
      this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK, domainEventPmsuspendDisk, msg);
    } else {
      this.emit(ID.VIR_DOMAIN_EVENT_ID_PMSUSPEND, dom, domainEventCallbackPmsuspend, message);
      this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_PMSUSPEND, domainEventPmsuspend, msg);
    }
  }

  /** It woke up again. */
  awake(dom: NonnullDomain): void {
    const { VIR_DOMAIN_EVENT_STARTED_WAKEUP } = VirDomainEventStartedDetailType;
    this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_WAKEUP);
    const msg = { dom };
    this.emit(ID.VIR_DOMAIN_EVENT_ID_PMWAKEUP, dom, domainEventCallbackPmwakeup, (callbackID) => ({
      callbackID,
      reason: 0,
      msg,
    }));
    this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_PMWAKEUP, domainEventPmwakeup, msg);
  }

  deviceAdded(dom: NonnullDomain, devAlias: string): void {
    this.emit(ID.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, dom, domainEventCallbackDeviceAdded, (callbackID) => ({
      callbackID,
      dom,
      devAlias,
    }));
  }

  deviceRemoved(dom: NonnullDomain, devAlias: string): void {
    const msg = { dom, devAlias };
    this.emit(ID.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, dom, domainEventCallbackDeviceRemoved, (callbackID) => ({
      callbackID,
      msg,
    }));
    this.#emitLegacy(ID.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, domainEventDeviceRemoved, msg);
  }

  /** @param type a virDomainMetadataType. @param nsuri for VIR_DOMAIN_METADATA_ELEMENT. */
  metadataChange(dom: NonnullDomain, type: number, nsuri: string | null): void {
    this.emit(ID.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, dom, domainEventCallbackMetadataChange, (callbackID) => ({
      callbackID,
      dom,
      type,
      nsuri,
    }));
  }

  tunable(dom: NonnullDomain, params: TypedParam[]): void {
    this.emit(ID.VIR_DOMAIN_EVENT_ID_TUNABLE, dom, domainEventCallbackTunable, (callbackID) => ({
      callbackID,
      dom,
      params,
    }));
  }

  /** A guest went from one state to another. */
  moved(dom: NonnullDomain, from: GuestState, to: GuestState, cause: StartCause): void {
    if (from === "starting" && to !== "gone") {
      this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_STARTED, cause.started);
      if (to === "paused") this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_SUSPENDED, cause.suspended);
      return;
    }
    if (from === "asleep" || to === "asleep") return;
    if (to === "running") {
      const { VIR_DOMAIN_EVENT_RESUMED_MIGRATED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED } = VirDomainEventResumedDetailType;
      const detail = from === "paused" ? VIR_DOMAIN_EVENT_RESUMED_UNPAUSED : VIR_DOMAIN_EVENT_RESUMED_MIGRATED;
      this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_RESUMED, detail);
    } else if (to === "held" ? from === "running" : to === "paused" && from !== "held") {
      const S = VirDomainEventSuspendedDetailType;
      const detail = to === "held" ? S.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED : S.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED;
      this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_SUSPENDED, detail);
    }
  }

  /** A guest is no more. @param reason a virDomainShutoffReason */
  stopped(dom: NonnullDomain, reason: number): void {
    const { VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN } = VirDomainEventStoppedDetailType;
    const detail = stoppedDetails.get(reason) ?? VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN;
    this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_STOPPED, detail);
  }
}

const S = VirDomainEventStoppedDetailType;
const stoppedDetails = new Map<number, number>([
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_DESTROYED, S.VIR_DOMAIN_EVENT_STOPPED_DESTROYED],
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_CRASHED, S.VIR_DOMAIN_EVENT_STOPPED_CRASHED],
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_MIGRATED, S.VIR_DOMAIN_EVENT_STOPPED_MIGRATED],
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_SAVED, S.VIR_DOMAIN_EVENT_STOPPED_SAVED],
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_FAILED, S.VIR_DOMAIN_EVENT_STOPPED_FAILED],
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT, S.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT],
]);

/** As the daemon says it, not the driver. @source remoteDispatchConnectDomainEventCallbackRegisterAny, libvirt src/remote */
function refused(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail);
}

/** Registering for events of guests. */
export function eventProcedures(events: DomainEvents) {
  return {
    connectDomainEventCallbackRegisterAny: ({ eventID, dom }, { session }) => ({
      callbackID: events.register(session, eventID, dom),
    }),
    connectDomainEventCallbackDeregisterAny({ callbackID }, { session }) {
      events.deregister(session, callbackID);
    },
    connectDomainEventRegister(_args, { session }) {
      events.registerLegacy(session, VirDomainEventID.VIR_DOMAIN_EVENT_ID_LIFECYCLE);
      return { cbRegistered: 1 };
    },
    connectDomainEventDeregister(_args, { session }) {
      events.deregisterLegacy(session, VirDomainEventID.VIR_DOMAIN_EVENT_ID_LIFECYCLE);
      return { cbRegistered: 0 };
    },
    connectDomainEventRegisterAny({ eventID }, { session }) {
      events.registerLegacy(session, eventID);
    },
    connectDomainEventDeregisterAny({ eventID }, { session }) {
      events.deregisterLegacy(session, eventID);
    },
  } satisfies DriverHandlers;
}
