import type { Lease } from "../../buffer/index.ts";

/** Bytes of a sparse stream that are all zero and were not sent. */
export interface StreamHole {
  readonly hole: bigint;
}

/** The data of the other side. One consumer at a time. */
export interface ReceivingStream {
  /**
   * The data, in pieces whose size means nothing, until the other side has no more. A hole comes as zeros, in pieces
   * of at most 64 KiB. Each lease is the consumer's to release. Throws what ended the stream before its end.
   */
  [Symbol.asyncIterator](): AsyncIterator<Lease>;
  /** The same with holes as holes. */
  parts(): AsyncIterable<Lease | StreamHole>;
}

/** Data for the other side. What is written goes out in order, without waiting for each other. */
export interface SendingStream {
  /**
   * Sends bytes, any number. Resolves when they may be changed again and there is room for more; what ended the
   * stream, it rejects with. They are not copied, and must not change before that.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends a hole of so many bytes, 1 to 2^63 - 1. Only in sparse streams. */
  writeHole(length: bigint): Promise<void>;
}

/** For the end of a stream. */
export interface FinishOptions {
  /** Gives up the wait, and with it the stream. */
  readonly signal?: AbortSignal;
}

/** The client's half of a stream. It ends with `finish` or `abort`; disposing of it aborts where neither was called. */
export interface Stream extends ReceivingStream, SendingStream, AsyncDisposable {
  /** Whether holes may be sent and come. */
  readonly sparse: boolean;
  /** Aborted when the stream is over, however it ended: with what ended it. */
  readonly signal: AbortSignal;
  /**
   * Ends it in order, behind what was written; data that still comes is dropped. An upload has succeeded when this
   * resolves, not before. Rejects with what went wrong at either side.
   */
  finish(options?: FinishOptions): Promise<void>;
  /**
   * Breaks it off: everything that waits rejects with an AbortError, and what was received is given back. Resolves
   * when the other side knows, or cannot any more. Never rejects.
   */
  abort(reason?: unknown): Promise<void>;
}

/** The server's half of a stream, for the handler that opened it. */
export interface ServerStream extends ReceivingStream, SendingStream {
  readonly sparse: boolean;
  /** Aborted when the client aborts or goes, or finishes before the end of what it was to be sent. */
  readonly signal: AbortSignal;
  /** Tells the client that no more data comes, behind what was written. Done by itself when `run` resolves. */
  end(): Promise<void>;
}

export interface ServerStreamOptions {
  /** Whether holes may be sent and come: for calls that have the flag which permits them. Default false. */
  readonly sparse?: boolean;
}

/** What serves a stream once its call was answered. When it rejects, the client gets the error. */
export type StreamRun = (stream: ServerStream) => Promise<void>;
