export { AbortError, ProtocolError, TimeoutError, TransportError, VirtError } from "../rpc/index.ts";
export { XdrError } from "../xdr/index.ts";
export { type ConnectOptions, type ConnectTransportOptions, connect, connectTransport } from "./connect.ts";
export { Connection } from "./connection.ts";
export { Domain, formatUUID, parseUUID } from "./domain.ts";
export { type ConnectUri, parseUri, type UriTransport } from "./uri.ts";
