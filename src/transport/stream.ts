import type { Readable, Writable } from "node:stream";
import type { SocketReader } from "./socket-reader.ts";
import type { PeerIdentity, Transport, TransportSink } from "./transport.ts";

/** What a pair of Node streams cannot say of itself. */
export interface StreamEnds {
  /**
   * Closes both: after what was written has gone out, or at once for a reason. Resolves when nothing is left of them.
   * Never rejects.
   */
  close(reason?: Error): Promise<void>;
  /** Called when the input has ended: says why, as soon as that is known; undefined for an ordinary end. */
  why(): Error | undefined | Promise<Error | undefined>;
  /** Where the input does not emit what it reads, because it reads into a buffer that is used again. */
  readonly reader?: SocketReader | undefined;
}

/** A stream to read and one to write, which may be the same, as a transport. */
export class StreamTransport implements Transport {
  readonly peer: PeerIdentity;
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #ends: StreamEnds;
  #sink: TransportSink | undefined;
  #ended = false;
  #closing: Promise<void> | undefined;

  constructor(input: Readable, output: Writable, peer: PeerIdentity, ends: StreamEnds) {
    this.#input = input;
    this.#output = output;
    this.#ends = ends;
    this.peer = peer;
    input.on("end", () => void this.#end());
    input.on("close", () => void this.#end());
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    if (this.#input.destroyed) {
      queueMicrotask(() => void this.#end());
      return;
    }
    const { reader } = this.#ends;
    if (reader === undefined) {
      // Not the Buffer itself: its `slice` is a view, where everyone above expects a copy.
      this.#input.on("data", ({ buffer, byteOffset, byteLength }: Uint8Array) => {
        this.#sink?.bytes(new Uint8Array(buffer, byteOffset, byteLength));
      });
    } else {
      reader.deliver = (chunk) => this.#sink?.bytes(chunk);
    }
    this.#input.resume();
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    this.#input.resume();
  }

  write(parts: readonly Uint8Array[]): boolean {
    const output = this.#output;
    if (this.#closing !== undefined || !output.writable) return true;
    if (parts.length === 1) return output.write(parts[0] as Uint8Array);
    output.cork();
    for (const part of parts) output.write(part);
    output.uncork();
    return !output.writableNeedDrain;
  }

  drained(): Promise<void> {
    const output = this.#output;
    if (output.destroyed || !output.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        output.off("drain", done);
        output.off("close", done);
        resolve();
      };
      output.on("drain", done);
      output.on("close", done);
    });
  }

  close(reason?: Error): Promise<void> {
    this.#sink = undefined;
    if (this.#closing === undefined || reason !== undefined) this.#closing = this.#ends.close(reason);
    return this.#closing;
  }

  async #end(): Promise<void> {
    if (this.#sink === undefined || this.#ended) return;
    this.#ended = true;
    const why = this.#ends.why();
    const error = why instanceof Promise ? await why : why;
    const sink = this.#sink; // unless it has closed the pipe meanwhile
    this.#sink = undefined;
    sink?.end(error);
  }
}
