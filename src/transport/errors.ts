/** What happened to the pipe. */
export type TransportErrorCode =
  | "connect" // it could not be opened
  | "eof" // the other side closed it
  | "io" // it broke
  | "closed" // it was closed on this side
  | "unsupported"; // this version has no such transport

/** The pipe failed, or is no more. What the system said is the `cause`. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
