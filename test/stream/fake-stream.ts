import { BufferPool, type Lease } from "../../src/buffer/index.ts";
import { AbortError, type Stream, type StreamHole } from "../../src/rpc/index.ts";

/** A client's stream without a connection: what is received is pushed, what is sent is kept. */
export class FakeStream implements Stream {
  readonly pool = new BufferPool({ debug: true });
  readonly sparse = true;
  /** What was sent: data as it was at the time, holes as bigint. */
  readonly sent: (Uint8Array | bigint)[] = [];
  /** `finish`, `abort`, in order. */
  readonly ends: string[] = [];
  /** The next write waits for it. */
  room: Promise<void> = Promise.resolve();
  /** The next write rejects with it. */
  writeError: Error | undefined;
  finishError: Error | undefined;
  /** How many parts were taken. */
  taken = 0;
  readonly #over = new AbortController();
  readonly #queue: (Lease | StreamHole)[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get leases(): number {
    return this.pool.stats.leases;
  }

  /** What was sent in one piece, holes as zeros. */
  get bytes(): Buffer {
    return Buffer.concat(this.sent.map((part) => (typeof part === "bigint" ? Buffer.alloc(Number(part)) : part)));
  }

  push(...parts: readonly (Uint8Array | string | bigint)[]): this {
    for (const part of parts) {
      if (typeof part === "bigint") {
        this.#queue.push({ hole: part });
        continue;
      }
      const lease = this.pool.tryAcquire(part.length) as Lease;
      lease.bytes.set(typeof part === "string" ? Buffer.from(part) : part);
      this.#queue.push(lease);
    }
    this.#wake?.();
    return this;
  }

  end(): this {
    this.#ended = true;
    this.#wake?.();
    return this;
  }

  /** What ended the stream at the other side. */
  fail(error: Error): void {
    this.#over.abort(error);
    for (const part of this.#queue.splice(0)) if (!("hole" in part)) part.release();
    this.#wake?.();
  }

  async *parts(): AsyncGenerator<Lease | StreamHole, void> {
    for (;;) {
      this.#over.signal.throwIfAborted();
      const part = this.#queue.shift();
      if (part !== undefined) {
        this.taken++;
        yield part;
      } else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Lease, void> {
    for await (const part of this.parts()) {
      if (!("hole" in part)) yield part;
      else {
        const zeros = this.pool.tryAcquire(Number(part.hole)) as Lease;
        zeros.bytes.fill(0);
        yield zeros;
      }
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#over.signal.throwIfAborted();
    if (this.writeError !== undefined) throw this.writeError;
    this.sent.push(Uint8Array.from(bytes));
    await this.room;
    this.#over.signal.throwIfAborted();
  }

  async writeHole(length: bigint): Promise<void> {
    this.#over.signal.throwIfAborted();
    this.sent.push(length);
  }

  async finish(): Promise<void> {
    this.#over.signal.throwIfAborted();
    this.ends.push("finish");
    if (this.finishError !== undefined) throw this.finishError;
  }

  async abort(reason?: unknown): Promise<void> {
    if (this.#over.signal.aborted || this.ends.length > 0) return;
    this.ends.push("abort");
    this.fail(new AbortError(reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }
}
