import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../rpc/index.ts";
import { PerSession, type Session } from "../../server/index.ts";

/** Callbacks that a connection may have of one kind: each takes memory, and a message of every event. */
const MAX_REGISTRATIONS = 1 << 16;

/** A client's wish to hear of one event. */
export interface Registration {
  readonly session: Session;
  readonly callbackID: number;
  readonly eventID: number;
  /** Of this object only. */
  readonly about: string | undefined;
}

export interface EventKind {
  /** In errors: `unsupported network event ID 9`. */
  readonly event: string;
  /** In errors: `network event callback 3 not registered`. */
  readonly callback: string;
  /** How many event ids there are. */
  readonly ids: number;
}

/** Who wants to hear of which events of one kind of object. Objects are told apart by name or UUID, as text. */
export class EventRegistrations {
  readonly #kind: EventKind;
  readonly #registrations = new Set<Registration>();
  /** Per connection: callback ids count up from 0. */
  readonly #sessions = new PerSession((session) => {
    const mine = new Map<number, Registration>();
    session.onClose(() => {
      for (const registration of mine.values()) this.#registrations.delete(registration);
    });
    return { mine, nextID: 0 };
  });

  constructor(kind: EventKind) {
    this.#kind = kind;
  }

  /** @throws {VirtError} for an event that there is not, and for more wishes than a connection may have. */
  register(session: Session, eventID: number, about: string | undefined): number {
    if (eventID < 0 || eventID >= this.#kind.ids) throw refused(`unsupported ${this.#kind.event} ID ${eventID}`);
    const own = this.#sessions.of(session);
    if (own.mine.size >= MAX_REGISTRATIONS) throw refused(`a connection has at most ${MAX_REGISTRATIONS} callbacks`);
    const callbackID = own.nextID++;
    const registration = { session, callbackID, eventID, about };
    if (session.signal.aborted) return callbackID; // it went while it asked: nobody would take this off again
    own.mine.set(callbackID, registration);
    this.#registrations.add(registration);
    return callbackID;
  }

  /** @throws {VirtError} where the connection has no such callback. */
  deregister(session: Session, callbackID: number): void {
    const { mine } = this.#sessions.of(session);
    const registration = mine.get(callbackID);
    if (registration === undefined) throw refused(`${this.#kind.callback} ${callbackID} not registered`);
    mine.delete(callbackID);
    this.#registrations.delete(registration);
  }

  /** Those who are to hear of an event of an object. */
  wanting(eventID: number, about: string): Registration[] {
    return [...this.#registrations].filter(
      (each) => each.eventID === eventID && (each.about === undefined || each.about === about),
    );
  }
}

/** As the daemon says it, not the driver. @source remoteDispatchConnect…EventCallbackRegisterAny, libvirt src/remote */
function refused(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail);
}
