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
  /** The frame to send. Its serial is set when it goes out. */
  readonly frame: Uint8Array;
  /** Once the caller has given up, the reply is only waited for in order to drop it. */
  abandoned: boolean;
  /** Set when the call is sent. */
  serial: number | undefined;
}

/**
 * Calls by serial, and those that wait until fewer are in flight.
 *
 * A call whose caller gave up stays in flight until its reply: the other side still works on it, and libvirtd stops
 * reading a client that has five calls open.
 */
export class CallTable {
  readonly #max: number;
  readonly #send: (frame: Uint8Array) => void;
  readonly #inFlight = new Map<number, PendingCall>();
  /** In order of the calls; the first to go is at `#next`. */
  #waiting: PendingCall[] = [];
  #next = 0;
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

  /** Sends the call, or lets it wait its turn. */
  add(call: PendingCall): void {
    this.#waiting.push(call);
    this.#sendNext();
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
    const calls = [...this.#inFlight.values(), ...this.#waiting.slice(this.#next)];
    this.#inFlight.clear();
    this.#waiting = [];
    this.#next = 0;
    return calls.filter((call) => !call.abandoned);
  }

  #sendNext(): void {
    while (this.#inFlight.size < this.#max && this.#next < this.#waiting.length) {
      const call = this.#waiting[this.#next++] as PendingCall;
      if (this.#next === this.#waiting.length) {
        this.#waiting = [];
        this.#next = 0;
      }
      if (call.abandoned) continue;
      while (this.#inFlight.has(this.#serial)) this.#serial = (this.#serial + 1) >>> 0;
      call.serial = this.#serial;
      this.#serial = (this.#serial + 1) >>> 0;
      setSerial(call.frame, call.serial);
      this.#inFlight.set(call.serial, call);
      this.#send(call.frame);
    }
  }
}
