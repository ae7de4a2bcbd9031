export {
  AbortError,
  type ConnectOptions,
  type ConnectTransportOptions,
  type ConnectUri,
  CoreConnection,
  ProtocolError,
  parseUri,
  TimeoutError,
  TransportError,
  type UriTransport,
  VirtError,
  XdrError,
} from "../client/index.ts";
export { connect, connectTransport } from "./connect.ts";
export { Connection } from "./connection.ts";
export { Domain, formatUUID, parseUUID } from "./domain.ts";
