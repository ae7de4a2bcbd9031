export type {
  AuthOptions,
  CallDiagnostics,
  CloseDiagnostics,
  CloseListener,
  ConnectDiagnostics,
  ConnectionOptions,
  CredentialAnswers,
  CredentialCallback,
  CredentialLookup,
  CredentialRequest,
  Credentials,
  EventDiagnostics,
  FinishOptions,
  FixedCredentials,
  Gap,
  KeepAliveOptions,
  MessageDiagnostics,
  ProtocolErrorCode,
  ReceivingStream,
  ReconnectedListener,
  ReconnectOptions,
  SendingStream,
  SshSettings,
  Stream,
  StreamDiagnostics,
  StreamHole,
  StreamLimits,
  System,
  TlsSettings,
  TransportErrorCode,
  WebSocketSettings,
} from "../client/index.ts";
export {
  AbortError,
  type ConnectOptions,
  type ConnectTransportOptions,
  type ConnectUri,
  CoreConnection,
  isAborted,
  isAuthFailed,
  isDenied,
  isExists,
  isInvalid,
  isNotFound,
  isTimeout,
  isUnsupported,
  LostCallError,
  ProtocolError,
  parseUri,
  TimeoutError,
  TransportError,
  type UriTransport,
  VirtError,
  XdrError,
} from "../client/index.ts";
export type { DomainStats } from "./base/connect-methods.ts";
export { connect, connectTransport } from "./connect.ts";
export { Connection } from "./connection.ts";
export type { EventGap, EventStream, EventStreamOptions } from "./events/event-stream.ts";
export type { EventListener } from "./events/events.ts";
export type {
  DomainEvents,
  NetworkEvents,
  NodeDeviceEvents,
  QemuMonitorEvent,
  QemuMonitorEventOptions,
  SecretEvents,
  StoragePoolEvents,
} from "./events/methods.ts";
export * from "./generated/index.ts";
export type { CallStream } from "./stream.ts";
export {
  inOrder,
  type TypedInput,
  type TypedParameters,
  type TypedParametersInput,
  type TypedValue,
  typed,
} from "./typed-parameters.ts";
export { formatUUID, parseUUID } from "./uuid.ts";
