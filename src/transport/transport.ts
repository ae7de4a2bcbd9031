/** Who is at the other end, as far as the pipe knows. */
export interface PeerIdentity {
  /** The kind of pipe. */
  readonly transport: "unix" | "tcp" | "pair";
  /** `unix:/run/x-sock`, `tcp://127.0.0.1:16509`, `pair:`. For an accepted connection, where it comes from. */
  readonly address: string;
  /** Whether nobody on the way can read along. */
  readonly secure: boolean;
}

/** Takes what a transport reads. Never called before `start` has returned, nor after `close`. */
export interface TransportSink {
  /**
   * Bytes in order, at least one, as a plain Uint8Array. They are valid during this call only: what is kept must be
   * copied.
   */
  bytes(chunk: Uint8Array): void;
  /** The pipe is no more: closed by the other side, or broken where there is an error. Called once, as the last. */
  end(error?: Error): void;
}

/** A connected, ordered, two-way byte pipe. It knows nothing about messages. */
export interface Transport {
  readonly peer: PeerIdentity;
  /** Starts reading. Once only. */
  start(sink: TransportSink): void;
  /** Stops reading, which is how back-pressure reaches the other side. A chunk on its way may still come. */
  pause(): void;
  resume(): void;
  /**
   * Sends the parts in order, copying none: they must not change any more. Dropped when the pipe is closed.
   * @returns false when the pipe is full: wait for `drained()` before the next write.
   */
  write(parts: readonly Uint8Array[]): boolean;
  /** Resolves when there is room again, or when the pipe is no more. Never rejects. */
  drained(): Promise<void>;
  /**
   * Closes the pipe: after everything written has gone out, or at once where a reason is given.
   * Resolves when it is closed. Never rejects.
   */
  close(reason?: Error): Promise<void>;
}

export interface DialOptions {
  /** Gives up: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}
