import { AbortError, TransportError } from "../../client/index.ts";
import { harmless } from "../../rpc/index.ts";

/** Messages for callback ids that are not known yet, kept while a registration is under way. */
const MAX_EARLY = 1000;

/** What to register for. */
export interface Wanted {
  /** Same for whoever can share one registration. */
  readonly key: string;
  /** Asks the daemon. @returns the callback id that its messages will carry */
  readonly register: () => Promise<number>;
  /** @param signal says that the connection to the daemon was lost, and what was registered with it */
  readonly deregister: (callbackID: number, signal: AbortSignal) => Promise<void>;
  /** The kind of message. */
  readonly event: object;
  /** Starts listening to messages of that kind. */
  readonly listen: (deliver: (callbackID: number, message: unknown) => void) => void;
}

export interface EventSink {
  message(message: unknown): void;
  /** Events are missing here. */
  gap(reason: "overflow" | "reconnect"): void;
  /** The daemon does not send any more, and why. */
  failed(error: Error): void;
}

/**
 * - `asked`: the call is under way, or waits for a connection.
 * - a callback id: messages come.
 * - `none`: not asked yet, or refused, or lost while it was being asked.
 */
type Standing = "asked" | "none" | { readonly callbackID: number };

interface Registration {
  readonly wanted: Wanted;
  readonly sinks: Set<EventSink>;
  standing: Standing;
  /** Settles with the daemon's answer to the last question. */
  ready: Promise<void>;
}

/**
 * The registrations of one kind of object on one connection. The daemon is asked once for each key, however many
 * listen, and told when the last one leaves.
 *
 * A message may arrive before the reply that says what its callback id means: messages for unknown ids are kept while
 * a registration is under way, and handed on, in order, when it is known.
 */
export class Registrations {
  readonly #byKey = new Map<string, Registration>();
  readonly #byCallback = new Map<number, Registration>();
  /** The end of a deregistration that a new registration for the same key has to wait for. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #heard = new Set<object>();
  #early: { readonly event: object; readonly callbackID: number; readonly message: unknown }[] = [];
  /** Whether there were more than could be kept. */
  #earlyOverflow = false;
  #underWay = 0;
  /** Aborted when the connection that callback ids belong to is lost. */
  #link = new AbortController();

  /** Resolves when the daemon has agreed: no event after that is missed. @returns what takes it back */
  async add(wanted: Wanted, sink: EventSink, signal?: AbortSignal): Promise<() => Promise<void>> {
    if (signal?.aborted) throw new AbortError(signal.reason);
    const registration: Registration = this.#byKey.get(wanted.key) ?? {
      wanted,
      sinks: new Set(),
      standing: "none",
      ready: Promise.resolve(),
    };
    this.#byKey.set(wanted.key, registration);
    // The call is shared by all who come meanwhile: one who gives up does not take it from the others.
    if (registration.standing === "none") registration.ready = this.#ask(registration);
    registration.sinks.add(sink);
    try {
      await abortable(registration.ready, signal);
    } catch (error) {
      void this.#leave(registration, sink).catch(() => {});
      throw error;
    }
    return () => this.#leave(registration, sink);
  }

  /** Registers all again, on a connection that was lost and is back. Never rejects. */
  async renew(): Promise<void> {
    // A daemon counts anew for each connection: a deregistration that still waits would hit somebody else.
    this.#link.abort();
    this.#link = new AbortController();
    this.#byCallback.clear();
    this.#early = [];
    this.#earlyOverflow = false;
    const again = [...this.#byKey.values()].filter(({ standing }) => standing !== "asked"); // those wait by themselves
    await Promise.all(
      again.map(async (registration) => {
        tell(registration.sinks, (sink) => sink.gap("reconnect"));
        registration.ready = this.#ask(registration);
        await registration.ready.catch(() => {}); // told to who listens; lost again, it is the next connection's turn
      }),
    );
  }

  /** Asks the daemon. Who listens already is told where it refuses; who is just coming has the promise. */
  async #ask(registration: Registration): Promise<void> {
    const { wanted, sinks } = registration;
    const listening = [...sinks];
    registration.standing = "asked";
    this.#underWay++;
    try {
      await this.#leaving.get(wanted.key);
      this.#listen(wanted);
      const callbackID = await wanted.register();
      registration.standing = { callbackID };
      this.#byCallback.set(callbackID, registration);
      this.#deliverEarly(registration, callbackID);
    } catch (error) {
      registration.standing = "none";
      if (!(error instanceof TransportError)) {
        for (const sink of listening) sinks.delete(sink);
        tell(listening, (sink) => sink.failed(error as Error));
      }
      this.#forgetUnused(registration);
      throw error;
    } finally {
      if (--this.#underWay === 0) {
        this.#early = [];
        this.#earlyOverflow = false;
      }
    }
  }

  #listen({ event, listen }: Wanted): void {
    if (this.#heard.has(event)) return;
    this.#heard.add(event);
    listen((callbackID, message) => {
      const registration = this.#byCallback.get(callbackID);
      if (registration?.wanted.event === event) tell(registration.sinks, (sink) => sink.message(message));
      else if (this.#underWay === 0) return;
      else if (this.#early.length < MAX_EARLY) this.#early.push({ event, callbackID, message });
      else this.#earlyOverflow = true;
    });
  }

  #deliverEarly({ wanted, sinks }: Registration, callbackID: number): void {
    const early = this.#early;
    this.#early = early.filter((each) => each.callbackID !== callbackID || each.event !== wanted.event);
    for (const each of early) {
      if (each.callbackID === callbackID && each.event === wanted.event)
        tell(sinks, (sink) => sink.message(each.message));
    }
    // Whose those were that could not be kept, nobody knows.
    if (this.#earlyOverflow) tell(sinks, (sink) => sink.gap("overflow"));
  }

  async #leave(registration: Registration, sink: EventSink): Promise<void> {
    const { wanted, sinks } = registration;
    if (!sinks.delete(sink) || !this.#forgetUnused(registration)) return;
    const done = (async () => {
      await registration.ready.catch(() => {}); // who waited for it has the error
      const { standing } = registration;
      if (typeof standing === "string" || this.#byCallback.get(standing.callbackID) !== registration) return;
      registration.standing = "none";
      this.#byCallback.delete(standing.callbackID);
      const { signal } = this.#link;
      try {
        await wanted.deregister(standing.callbackID, signal);
      } catch (error) {
        // A connection that is gone took its registrations along.
        if (!signal.aborted && !(error instanceof TransportError)) throw error;
      }
    })();
    const settled = done
      .catch(() => {})
      .finally(() => {
        if (this.#leaving.get(wanted.key) === settled) this.#leaving.delete(wanted.key);
      });
    this.#leaving.set(wanted.key, settled);
    await done;
  }

  /** @returns whether nobody listens any more, and this call was the first to see it */
  #forgetUnused(registration: Registration): boolean {
    const { key } = registration.wanted;
    return registration.sinks.size === 0 && this.#byKey.get(key) === registration && this.#byKey.delete(key);
  }
}

function tell(sinks: Iterable<EventSink>, what: (sink: EventSink) => void): void {
  for (const sink of [...sinks]) {
    harmless(() => what(sink)); // the others still hear
  }
}

/** `promise`, or an AbortError as soon as the signal says so. */
async function abortable(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise;
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new AbortError(signal.reason));
  });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
