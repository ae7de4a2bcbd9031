// What `virtwire/core` has: nothing that a bundle for browsers would carry without need.

export type {
  AuthOptions,
  CredentialAnswers,
  CredentialCallback,
  CredentialRequest,
  FixedCredentials,
} from "../auth/index.ts";
export {
  AbortError,
  type CallDiagnostics,
  type CloseDiagnostics,
  type ConnectDiagnostics,
  type EventDiagnostics,
  type FinishOptions,
  isAborted,
  isAuthFailed,
  isDenied,
  isExists,
  isInvalid,
  isNotFound,
  isTimeout,
  isUnsupported,
  type KeepAliveOptions,
  LostCallError,
  type MessageDiagnostics,
  ProtocolError,
  type ProtocolErrorCode,
  type ReceivingStream,
  type SendingStream,
  type Stream,
  type StreamDiagnostics,
  type StreamHole,
  type StreamLimits,
  TimeoutError,
  TransportError,
  type TransportErrorCode,
  VirtError,
} from "../rpc/index.ts";
export { XdrError } from "../xdr/index.ts";
export type { CredentialLookup, Credentials } from "./auth-conf.ts";
export {
  type ConnectionOptions,
  type ConnectOptions,
  type ConnectTransportOptions,
  connect,
  connectTransport,
} from "./connect.ts";
export { type CloseListener, CoreConnection, type ReconnectedListener } from "./connection.ts";
export type { SshSettings, TlsSettings, WebSocketSettings } from "./dial.ts";
export type { Gap, ReconnectOptions } from "./reconnect.ts";
export type { System } from "./system.ts";
export type { ConnectUri, UriTransport } from "./uri.ts";
