import { VirNetMessageStatus } from "../generated/netmessage/index.ts";
import { type Header, LENGTH_BYTES, readHeader } from "./header.ts";
import type { Answer } from "./peer-options.ts";

/** What requests need of their connection. */
export interface RequestsHost {
  /** @param sent called when the frame is on its way and there is room again */
  send(frame: Uint8Array, sent: () => void): void;
  /** A reply has gone out. */
  answered(): void;
  fail(error: Error): void;
}

/** The calls of the other side whose replies are not written. */
export class Requests {
  /** So many at once. */
  max: number;
  count = 0;
  readonly #host: RequestsHost;
  /** What waits for the replies, by the header of the call. */
  #whenAnswered: Map<Header, (isOk: boolean) => void> | undefined;

  constructor(host: RequestsHost, max = 5) {
    this.#host = host;
    this.max = max;
  }

  get isFull(): boolean {
    return this.count >= this.max;
  }

  serve(answer: Answer, header: Header, payload: Uint8Array): void {
    this.count++;
    const reply = answer(header, payload);
    if (reply instanceof Uint8Array) this.#reply(header, reply);
    else {
      reply.then(
        (frame) => this.#reply(header, frame),
        (error: unknown) => this.#host.fail(error as Error),
      );
    }
  }

  whenAnswered(call: Header, then: (isOk: boolean) => void): void {
    this.#whenAnswered ??= new Map();
    this.#whenAnswered.set(call, then);
  }

  /** The connection is over: no reply goes out any more. */
  clear(): void {
    this.#whenAnswered = undefined;
  }

  #reply(header: Header, frame: Uint8Array): void {
    this.#host.send(frame, this.#answered);
    const then = this.#whenAnswered?.get(header);
    if (then === undefined) return;
    this.#whenAnswered?.delete(header);
    then(readHeader(frame.subarray(LENGTH_BYTES)).status === VirNetMessageStatus.VIR_NET_OK);
  }

  readonly #answered = (): void => {
    this.count--;
    this.#host.answered();
  };
}
