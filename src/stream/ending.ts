import { AbortError, type ReceivingStream, type SendingStream, type ServerStream, type Stream } from "../rpc/index.ts";

/** What can be sent to: a client's stream or a server's. */
export type Sending = Stream | ServerStream | SendingStream;
/** What can be received from: a client's stream or a server's. */
export type Receiving = Stream | ServerStream | ReceivingStream;

/**
 * Says that this side is done, and waits for the other one to agree. A server's stream ends its data; the rest is the
 * affair of who runs it.
 */
export async function finish(stream: Sending | Receiving, signal?: AbortSignal): Promise<void> {
  if ("finish" in stream) await stream.finish(signal && { signal });
  else if ("end" in stream) await stream.end();
}

/** Gives a client's stream up, without waiting for an answer that may never come. A server's handler throws instead. */
export function abort(stream: Sending | Receiving, reason: unknown): void {
  if ("abort" in stream) void stream.abort(reason);
}

/**
 * Works with a stream and finishes it. When the work fails or `signal` gives up, the stream is aborted at once, so that
 * the other side never takes what it has for the whole.
 */
export async function finishing<T>(
  stream: Sending | Receiving,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const onAbort = () => abort(stream, signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal?.aborted === true) throw signal.reason;
    const result = await work();
    await finish(stream, signal);
    return result;
  } catch (error) {
    abort(stream, error);
    throw signal?.aborted === true ? new AbortError(signal.reason) : error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
