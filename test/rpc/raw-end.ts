import type { Transport } from "../../src/transport/index.ts";
import { words } from "./wire.ts";

export interface RawMessage {
  prog: number;
  vers: number;
  proc: number;
  type: number;
  serial: number;
  status: number;
  payload: Uint8Array;
}

/** One end of a connection that speaks bytes: what a test says, and what comes back. */
export class RawEnd {
  readonly transport: Transport;
  /** Resolves when the other side has closed. */
  readonly ended: Promise<Error | undefined>;
  /** All bytes that came and were not read. */
  bytes = Buffer.alloc(0);
  #end!: (error: Error | undefined) => void;
  #isOver = false;
  #wake: (() => void)[] = [];

  constructor(transport: Transport, start = true) {
    this.transport = transport;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    if (start) this.start();
  }

  start(): void {
    this.transport.start({
      bytes: (chunk) => {
        this.bytes = Buffer.concat([this.bytes, chunk]);
        this.#wakeUp();
      },
      end: (error) => {
        this.#isOver = true;
        this.#end(error);
        this.#wakeUp();
      },
    });
  }

  write(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.transport.write([part]);
  }

  /** The next whole message, or undefined at the end. */
  async next(): Promise<RawMessage | undefined> {
    for (;;) {
      if (this.bytes.byteLength >= 4 && this.bytes.byteLength >= this.bytes.readUInt32BE(0)) {
        const length = this.bytes.readUInt32BE(0);
        const whole = this.bytes.subarray(0, length);
        this.bytes = this.bytes.subarray(length);
        return {
          prog: whole.readUInt32BE(4),
          vers: whole.readUInt32BE(8),
          proc: whole.readInt32BE(12),
          type: whole.readInt32BE(16),
          serial: whole.readUInt32BE(20),
          status: whole.readInt32BE(24),
          payload: Uint8Array.from(whole.subarray(28)),
        };
      }
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** The next message, which must come. */
  async expect(): Promise<RawMessage> {
    const message = await this.next();
    if (message === undefined) throw new Error("the connection is over");
    return message;
  }

  /** Answers a call that came. */
  reply(call: RawMessage, payload: Uint8Array = new Uint8Array(0), status = 0): void {
    const { prog, vers, proc, serial } = call;
    this.write(words(28 + payload.byteLength, prog, vers, proc, 1, serial, status), payload);
  }

  close(): Promise<void> {
    return this.transport.close(new Error("the test closes"));
  }

  #wakeUp(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
