export { TransportError, type TransportErrorCode } from "../transport/index.ts";
export type {
  CallDiagnostics,
  CloseDiagnostics,
  ConnectDiagnostics,
  EventDiagnostics,
  MessageDiagnostics,
  StreamDiagnostics,
} from "./diagnostics.ts";
export {
  isAborted,
  isAuthFailed,
  isDenied,
  isExists,
  isInvalid,
  isNotFound,
  isTimeout,
  isUnsupported,
} from "./error-kinds.ts";
export {
  AbortError,
  LostCallError,
  ProtocolError,
  type ProtocolErrorCode,
  type ProtocolErrorDetails,
  TimeoutError,
} from "./errors.ts";
export type { KeepAliveOptions } from "./keepalive.ts";
export type {
  FinishOptions,
  ReceivingStream,
  SendingStream,
  ServerStream,
  ServerStreamOptions,
  Stream,
  StreamHole,
  StreamRun,
} from "./stream/types.ts";
export { systemError, VirtError, type VirtErrorExtra, virtError } from "./virt-error.ts";

// For other layers.

export { apiDomain, apiName } from "./api-name.ts";
export type { Call } from "./call.ts";
export type { LostCalls } from "./call-table.ts";
export { channels } from "./diagnostics.ts";
export {
  type AnyHandler,
  type AnyProcedure,
  Dispatcher,
  type DispatcherOptions,
  type DispatchProgram,
  errorReply,
} from "./dispatcher.ts";
export { encodeFrame, FrameScanner } from "./frame.ts";
export { HEADER_BYTES, type Header, LENGTH_BYTES, MAX_FRAME, MIN_FRAME, readHeader, writeHeader } from "./header.ts";
export { checkKeepAlive } from "./keepalive.ts";
export { Peer } from "./peer.ts";
export type { Answer, DropReason, PeerOptions } from "./peer-options.ts";
export { type ServedCall, serveStream } from "./stream/server-stream.ts";
export type { StreamLimits } from "./stream/table.ts";
export { startTimer } from "./timer.ts";
export { harmless, uncaught } from "./uncaught.ts";
