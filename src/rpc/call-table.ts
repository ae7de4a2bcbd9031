import type { Procedure } from "../xdr/index.ts";
import { setSerial } from "./header.ts";

/** A call of ours that has no answer yet. */
export interface PendingCall {
  // biome-ignore lint/suspicious/noExplicitAny: each call has its own types; Peer.call gives the typed view
  readonly procedure: Procedure<any, any>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Lets go of the caller's signal. */
  settled: (() => void) | undefined;
  /** Once the caller has given up, the reply is only waited for in order to drop it. */
  abandoned: boolean;
}

/**
 * Calls by serial, and those that wait until fewer are in flight.
 *
 * A call whose caller gave up stays in flight until its reply: the other side still works on it, and libvirtd stops
 * reading a client that has five calls open. One that was not sent yet is forgotten.
 */
export class CallTable {
  readonly #max: number;
  readonly #send: (frame: Uint8Array) => void;
  readonly #inFlight = new Map<number, PendingCall>();
  /** With their frames, in order of the calls. */
  readonly #waiting = new Map<PendingCall, Uint8Array>();
  /** Kept from call to call: a new iterator would pass over the places of all that are gone. */
  #turns = this.#waiting.entries();
  /** libvirt's clients count from 0. */
  #serial = 0;

  /** @param max calls in flight at once */
  constructor(max: number, send: (frame: Uint8Array) => void) {
    this.#max = max;
    this.#send = send;
  }

  /** Calls sent and not answered. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Calls that wait their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Sends the call, or lets it wait its turn. The frame's serial is set when it goes out. */
  add(call: PendingCall, frame: Uint8Array): void {
    // None waits while there is room: whoever made it has sent the next.
    if (this.#inFlight.size < this.#max) this.#sendNow(call, frame);
    else this.#waiting.set(call, frame);
  }

  /** The caller of a call gave up. */
  abandon(call: PendingCall): void {
    call.abandoned = true;
    this.#waiting.delete(call);
  }

  /** Takes out the call that a reply answers. */
  take(program: number, version: number, serial: number): PendingCall | undefined {
    const call = this.#inFlight.get(serial);
    if (call === undefined) return undefined;
    if (call.procedure.program.number !== program || call.procedure.program.version !== version) return undefined;
    this.#inFlight.delete(serial);
    this.#sendNext();
    return call;
  }

  /** Takes out all calls that someone still waits for, in order. */
  clear(): PendingCall[] {
    const calls = [...this.#inFlight.values(), ...this.#waiting.keys()];
    this.#inFlight.clear();
    this.#waiting.clear();
    this.#turns = this.#waiting.entries();
    return calls.filter((call) => !call.abandoned);
  }

  #sendNext(): void {
    while (this.#inFlight.size < this.#max && this.#waiting.size > 0) {
      let turn = this.#turns.next();
      if (turn.done === true) {
        this.#turns = this.#waiting.entries();
        turn = this.#turns.next();
      }
      const [call, frame] = turn.value as [PendingCall, Uint8Array];
      this.#waiting.delete(call);
      this.#sendNow(call, frame);
    }
  }

  #sendNow(call: PendingCall, frame: Uint8Array): void {
    while (this.#inFlight.has(this.#serial)) this.#serial = (this.#serial + 1) >>> 0;
    setSerial(frame, this.#serial);
    this.#inFlight.set(this.#serial, call);
    this.#serial = (this.#serial + 1) >>> 0;
    this.#send(frame);
  }
}
