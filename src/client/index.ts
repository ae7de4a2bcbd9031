export { AbortError, ProtocolError, TimeoutError, TransportError, VirtError } from "../rpc/index.ts";
export { XdrError } from "../xdr/index.ts";
// For src/api.
export {
  type ConnectOptions,
  type ConnectTransportOptions,
  connect,
  connectTransport,
  open,
  openTransport,
} from "./connect.ts";
export type { OpenedConnection } from "./connection.ts";
export { CoreConnection } from "./connection.ts";
export { type ConnectUri, parseUri, type UriTransport } from "./uri.ts";
