/** What happened to the pipe. */
export type TransportErrorCode =
  | "connect" // it could not be opened
  | "eof" // the other side closed it
  | "io" // it broke
  | "closed" // it was closed on this side
  | "keepalive" // the other side did not answer pings
  | "lost" // it was to be opened again, which failed, or too many calls wait for that
  | "unsupported" // this version, or this machine, has no such transport
  | "option" // an option of the transport says something that it does not understand
  | "message" // a websocket message that cannot be part of the pipe: text, or too large
  | "overflow" // too much came that nobody read, over a pipe whose other side cannot be told to wait
  // TLS
  | "tls" // the handshake failed
  | "rejected" // the server did not like our certificate, or address
  | "own-certificate" // our certificate, its key, the CA's or the revocation list cannot be used
  | "certificate-expired" // notAfter is past
  | "certificate-not-yet-valid" // notBefore is to come
  | "certificate-untrusted" // its issuer is not one of ours, or a signature is wrong
  | "certificate-revoked" // it is on the revocation list, or that list is out of date or missing
  | "certificate-host" // it is for another host
  | "certificate-usage" // it is not for a server
  // ssh
  | "host-key" // the host's key is not the known one
  | "auth" // the host refused the login
  | "command"; // there is no such command, here or at the host

/** The pipe failed, or is no more. What the system said is the `cause`. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
