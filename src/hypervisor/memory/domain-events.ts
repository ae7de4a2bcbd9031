import {
  VirDomainEventID,
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
  domainEventCallbackLifecycle,
  domainEventCallbackReboot,
  type NonnullDomain,
} from "../../generated/remote/index.ts";
import { type VirtError, virtError } from "../../rpc/index.ts";
import { PerSession, type Session } from "../../server/index.ts";
import type { DriverHandlers } from "../hypervisor.ts";
import type { GuestState } from "./guest.ts";
import { formatUuid } from "./uuid.ts";

interface Registration {
  readonly session: Session;
  readonly callbackID: number;
  readonly eventID: number;
  /** Of this guest only. */
  readonly uuid: string | undefined;
}

/** Who wants to hear of which events, and what they are told. Guests in memory have a life, and nothing besides. */
export class DomainEvents {
  readonly #registrations = new Set<Registration>();
  /** Per connection: callback ids count up from 0. */
  readonly #sessions = new PerSession((session) => {
    const mine = new Map<number, Registration>();
    session.onClose(() => {
      for (const registration of mine.values()) this.#registrations.delete(registration);
    });
    return { mine, nextID: 0 };
  });

  register(session: Session, eventID: number, dom: NonnullDomain | null): number {
    if (eventID < 0 || eventID > VirDomainEventID.VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE) {
      throw refused(`unsupported event ID ${eventID}`);
    }
    const own = this.#sessions.of(session);
    const callbackID = own.nextID++;
    const registration = { session, callbackID, eventID, uuid: dom === null ? undefined : formatUuid(dom.uuid) };
    own.mine.set(callbackID, registration);
    this.#registrations.add(registration);
    return callbackID;
  }

  deregister(session: Session, callbackID: number): void {
    const { mine } = this.#sessions.of(session);
    const registration = mine.get(callbackID);
    if (registration === undefined) throw refused(`domain event callback ${callbackID} not registered`);
    mine.delete(callbackID);
    this.#registrations.delete(registration);
  }

  lifecycle(dom: NonnullDomain, event: number, detail: number): void {
    for (const { session, callbackID } of this.#wanting(VirDomainEventID.VIR_DOMAIN_EVENT_ID_LIFECYCLE, dom)) {
      session.send(domainEventCallbackLifecycle, { callbackID, msg: { dom, event, detail } });
    }
  }

  reboot(dom: NonnullDomain): void {
    for (const { session, callbackID } of this.#wanting(VirDomainEventID.VIR_DOMAIN_EVENT_ID_REBOOT, dom)) {
      session.send(domainEventCallbackReboot, { callbackID, msg: { dom } });
    }
  }

  /** A guest went from one state to another. */
  moved(dom: NonnullDomain, from: GuestState, to: GuestState): void {
    if (from === "starting" && to !== "gone") {
      const { VIR_DOMAIN_EVENT_STARTED_BOOTED } = VirDomainEventStartedDetailType;
      this.lifecycle(dom, VirDomainEventType.VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
      if (to === "running") return;
    }
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

  #wanting(eventID: number, dom: NonnullDomain): Registration[] {
    const uuid = formatUuid(dom.uuid);
    return [...this.#registrations].filter(
      (each) => each.eventID === eventID && (each.uuid === undefined || each.uuid === uuid),
    );
  }
}

const { VIR_DOMAIN_EVENT_STOPPED_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_FAILED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED } =
  VirDomainEventStoppedDetailType;
const stoppedDetails = new Map<number, number>([
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED],
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_MIGRATED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED],
  [VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_FAILED, VIR_DOMAIN_EVENT_STOPPED_FAILED],
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
  } satisfies DriverHandlers;
}
