export { TransportError, type TransportErrorCode } from "./errors.ts";
export { pair } from "./pair.ts";
export type { DialOptions, PeerIdentity, Transport, TransportSink } from "./transport.ts";

// For other layers.

/** The transports that stand on Node's sockets, loaded when first asked for: a browser never asks. */
export const sockets = (): Promise<typeof import("./sockets.ts")> => import("./sockets.ts");
