import { TransportError } from "../transport/index.ts";

/**
 * A message that breaks a rule of the RPC protocol. The connection is closed, because what follows cannot be trusted.
 */
export type ProtocolErrorCode =
  | "frame-length" // a length word outside 28 to the limit
  | "fd-count" // the count of file descriptors is cut off or above 32
  | "fds-unsupported" // file descriptors on a connection that carries none
  | "unexpected-call" // a call to a side that serves nothing
  | "unexpected-reply" // a reply to no call
  | "unexpected-type" // a type that does not exist
  | "send-queue"; // the other side does not read, and too many events wait for it

/** The numbers that show it: `{ length: 3, min: 28 }`. */
export type ProtocolErrorDetails = Readonly<Record<string, number>>;

export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ProtocolErrorCode;
  readonly details: ProtocolErrorDetails;

  constructor(code: ProtocolErrorCode, message: string, details: ProtocolErrorDetails = {}, options?: ErrorOptions) {
    const numbers = Object.entries(details).map(([name, value]) => `${name} ${value}`);
    super(`${code}: ${message}${numbers.length === 0 ? "" : ` (${numbers.join(", ")})`}`, options);
    this.code = code;
    this.details = details;
  }
}

/** A time limit of ours passed. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** The caller's signal gave the work up. The signal's reason is the `cause`. */
export class AbortError extends Error {
  override readonly name = "AbortError";

  constructor(reason: unknown) {
    super("given up by its signal", { cause: reason });
  }
}

/** The connection was lost while a call ran and is being opened again: nobody knows what became of the call. */
export class LostCallError extends TransportError {
  /** The call was sent and not answered. It is never sent again on its own. */
  readonly mayHaveRun = true;

  constructor(procedure: string, cause: Error) {
    super("lost", `${procedure}: the connection was lost before the answer came; the call may have run`, { cause });
  }
}
