export { TransportError, type TransportErrorCode } from "../transport/index.ts";
export type {
  CallDiagnostics,
  CloseDiagnostics,
  ConnectDiagnostics,
  EventDiagnostics,
  MessageDiagnostics,
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
} from "./dispatcher.ts";
export { encodeFrame, FrameScanner } from "./frame.ts";
export { HEADER_BYTES, type Header, LENGTH_BYTES, MAX_FRAME, MIN_FRAME, readHeader, writeHeader } from "./header.ts";
export { checkKeepAlive } from "./keepalive.ts";
export { type Answer, type DropReason, Peer, type PeerOptions } from "./peer.ts";
export { startTimer } from "./timer.ts";
export { harmless, uncaught } from "./uncaught.ts";
