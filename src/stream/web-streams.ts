import type { Lease } from "../buffer/index.ts";
import { abort, finish, type Receiving, type Sending } from "./ending.ts";

/**
 * What a stream receives, as a Web stream of bytes. A reader that brings its own buffer (`mode: "byob"`) gets the bytes
 * there; for others they are copied. Nothing is read ahead. At the end the stream is finished; `cancel` aborts it.
 */
export function toReadableStream(stream: Receiving): ReadableStream<Uint8Array> {
  const leases = stream[Symbol.asyncIterator]();
  let lease: Lease | undefined;
  let used = 0;

  /** The lease that has bytes left, or undefined at the end. */
  async function current(): Promise<Lease | undefined> {
    while (lease === undefined || used === lease.bytes.length) {
      lease?.release();
      lease = undefined;
      used = 0;
      const next = await leases.next();
      if (next.done === true) return undefined;
      lease = next.value;
    }
    return lease;
  }
  let cancelled = false;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      try {
        const from = await current();
        if (cancelled) {
          from?.release();
          return;
        }
        if (from === undefined) {
          await finish(stream);
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        const request = controller.byobRequest;
        const view = request?.view;
        if (request === null || view === null || view === undefined) {
          const rest = from.bytes.slice(used);
          used = from.bytes.length;
          controller.enqueue(rest);
        } else {
          const part = from.bytes.subarray(used, used + view.byteLength);
          new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(part);
          used += part.length;
          request.respond(part.length);
        }
        if (used === from.bytes.length) {
          from.release();
          lease = undefined;
          used = 0;
        }
      } catch (error) {
        if (cancelled) return;
        abort(stream, error);
        throw error;
      }
    },
    cancel(reason: unknown) {
      cancelled = true;
      abort(stream, reason);
      lease?.release();
      lease = undefined;
      leases.return?.().catch(() => {});
    },
  });
}

/**
 * What a stream sends, as a Web stream of Uint8Array. `close` finishes the stream and waits for the confirmation,
 * `abort` aborts it.
 */
export function toWritableStream(stream: Sending): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    write: (chunk) => stream.write(chunk),
    close: () => finish(stream),
    abort: (reason: unknown) => abort(stream, reason),
  });
}
