import type { Call } from "./call.ts";
import { setSerial } from "./header.ts";

/** Calls that a lost connection leaves behind, in order, without those whose callers gave up. */
export interface LostCalls {
  /** Sent, and not answered. */
  readonly sent: readonly Call[];
  /** Never sent. */
  readonly unsent: readonly Call[];
}

/**
 * Calls by serial, and those that wait until fewer are in flight.
 *
 * A call whose caller gave up stays in flight until its reply: the other side still works on it, and libvirtd stops
 * reading a client that has five calls open. One that was not sent yet is forgotten.
 */
export class CallTable {
  readonly #max: number;
  readonly #send: (frame: Uint8Array, call: Call, serial: number) => void;
  readonly #open: { has(serial: number): boolean };
  readonly #inFlight = new Map<number, Call>();
  /** In order of the calls. */
  readonly #waiting = new Set<Call>();
  /** Kept from call to call: a new iterator would pass over the places of all that are gone. */
  #turns = this.#waiting.values();
  #serial: number;

  /**
   * @param max calls in flight at once
   * @param firstSerial libvirt's clients count from 0
   * @param isTaken whether a serial is in use though its call is answered: that of a stream
   */
  constructor(
    max: number,
    send: (frame: Uint8Array, call: Call, serial: number) => void,
    firstSerial = 0,
    isTaken: (serial: number) => boolean = () => false,
  ) {
    this.#max = max;
    this.#send = send;
    this.#open = { has: (serial) => this.#inFlight.has(serial) || isTaken(serial) };
    this.#serial = firstSerial;
  }

  /** Calls sent and not answered. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Calls that wait their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Sends the call, or lets it wait its turn. */
  add(call: Call): void {
    // None waits while there is room: whoever made it has sent the next.
    if (this.#inFlight.size < this.#max) {
      this.#sendNow(call);
    } else {
      call.waitsIn = this.#waiting;
      this.#waiting.add(call);
    }
  }

  /** The call with a serial. */
  get(serial: number): Call | undefined {
    return this.#inFlight.get(serial);
  }

  /** Takes out the call that a reply answers. */
  take(program: number, version: number, serial: number): Call | undefined {
    const call = this.#inFlight.get(serial);
    if (call === undefined) return undefined;
    if (call.procedure.program.number !== program || call.procedure.program.version !== version) return undefined;
    this.#inFlight.delete(serial);
    this.#sendNext();
    return call;
  }

  /** Takes out all calls that someone still waits for. @param unsent frames that were to be sent and were not */
  clear(unsent: ReadonlySet<Uint8Array>): LostCalls {
    const inFlight = [...this.#inFlight.values()].filter((call) => !call.abandoned);
    const waiting = [...this.#waiting];
    this.#inFlight.clear();
    this.#waiting.clear();
    this.#turns = this.#waiting.values();
    for (const call of waiting) call.waitsIn = undefined;
    return {
      sent: inFlight.filter(({ frame }) => !unsent.has(frame)),
      unsent: [...inFlight.filter(({ frame }) => unsent.has(frame)), ...waiting],
    };
  }

  #sendNext(): void {
    while (this.#inFlight.size < this.#max && this.#waiting.size > 0) {
      let turn = this.#turns.next();
      if (turn.done === true) {
        this.#turns = this.#waiting.values();
        turn = this.#turns.next();
      }
      const call = turn.value as Call;
      this.#waiting.delete(call);
      call.waitsIn = undefined;
      this.#sendNow(call);
    }
  }

  #sendNow(call: Call): void {
    const serial = freeSerial(this.#serial, this.#open);
    setSerial(call.frame, serial);
    this.#inFlight.set(serial, call);
    this.#serial = serial + 1;
    this.#send(call.frame, call, serial);
  }
}

/** The next serial that no open call has. After 2^32 - 1 comes 0. */
export function freeSerial(next: number, open: { has(serial: number): boolean }): number {
  let serial = next >>> 0;
  while (open.has(serial)) serial = (serial + 1) >>> 0;
  return serial;
}
