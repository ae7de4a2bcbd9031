import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import type { PeerIdentity } from "../transport/index.ts";
import type { CallOptions, Procedure } from "../xdr/index.ts";
import { type CallDiagnostics, channels } from "./diagnostics.ts";
import { AbortError, TimeoutError } from "./errors.ts";
import { encodeFrame } from "./frame.ts";
import type { Header } from "./header.ts";
import type { Peer } from "./peer.ts";
import { startTimer } from "./timer.ts";

/** A stream that a call opens. */
export interface Opening {
  /** The call is about to go out, with this serial. */
  sent(peer: Peer, header: Header): void;
  /** It did not go out after all, and waits for another connection. */
  unsent(): void;
  /** The answer came: whether there is a stream. */
  answered(isOpen: boolean): void;
}

/** A call of ours: what is sent, who waits for the answer, and until when. */
export class Call {
  // biome-ignore lint/suspicious/noExplicitAny: each call has its own types; Peer.call gives the typed view
  readonly procedure: Procedure<any, any>;
  /** Its serial is set when it goes out. */
  readonly frame: Uint8Array;
  readonly opening: Opening | undefined;
  /** Whether the caller has given up. Once sent, the reply is then only waited for in order to drop it. */
  abandoned = false;
  /** Where it waits to be sent. */
  waitsIn: Set<Call> | undefined;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  #signal: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #onAbort: (() => void) | undefined;
  #diagnostics: CallDiagnostics | undefined;

  /**
   * @param callee for diagnostics: who is called
   * @throws {XdrError} where the arguments do not fit their type
   */
  constructor(
    // biome-ignore lint/suspicious/noExplicitAny: as above
    procedure: Procedure<any, any>,
    args: unknown,
    options: CallOptions | undefined,
    callee: { readonly identity: PeerIdentity },
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    opening?: Opening,
  ) {
    this.procedure = procedure;
    this.opening = opening;
    this.#resolve = resolve;
    this.#reject = reject;
    const { program, number } = procedure;
    const header = {
      prog: program.number,
      vers: program.version,
      proc: number,
      type: VirNetMessageType.VIR_NET_CALL,
      serial: 0,
      status: VirNetMessageStatus.VIR_NET_OK,
    };
    this.frame = encodeFrame(header, procedure.args.encode, args, "args");
    if (channels?.call.hasSubscribers === true) {
      const connection = callee.identity.address;
      this.#diagnostics = { connection, program: program.name, procedure: procedure.name, number };
      channels.call.start(this.#diagnostics);
    }
    if (options !== undefined) this.#limit(options);
  }

  succeed(value: unknown): void {
    this.#letGo();
    if (this.#diagnostics !== undefined) channels?.call.end(this.#diagnostics);
    this.#diagnostics = undefined;
    this.#resolve(value);
  }

  fail(error: unknown): void {
    this.#letGo();
    if (this.#diagnostics !== undefined) channels?.call.fail(this.#diagnostics, error);
    this.#diagnostics = undefined;
    this.#reject(error);
  }

  #limit({ signal, timeout }: CallOptions): void {
    if (signal !== undefined) {
      this.#signal = signal;
      this.#onAbort = () => this.#giveUp(new AbortError(signal.reason));
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    if (timeout !== undefined && timeout !== Number.POSITIVE_INFINITY) {
      const error = () => new TimeoutError(`${this.procedure.name}: no answer within ${timeout} ms`);
      this.#timer = startTimer(() => this.#giveUp(error()), timeout);
    }
  }

  #giveUp(error: Error): void {
    this.abandoned = true;
    this.waitsIn?.delete(this);
    this.fail(error);
  }

  #letGo(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
