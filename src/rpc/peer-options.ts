import type { Procedure } from "../xdr/index.ts";
import type { Header } from "./header.ts";
import type { StreamLimits } from "./stream/table.ts";
import type { VirtError } from "./virt-error.ts";

// biome-ignore lint/suspicious/noExplicitAny: each procedure has its own types
type AnyProcedure = Procedure<any, any>;

/** Answers a call of the other side: the reply's frame, or the promise of it, which must not reject. */
export type Answer = (header: Header, payload: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Looks at an error of the other side before the caller gets it, and may give another one. Must not reject. */
export type Explain = (call: AnyProcedure, error: VirtError) => Error | Promise<Error>;

/** Why a message was dropped without harm to the connection. */
export type DropReason =
  | "late-reply" // its caller had given up
  | "unmatched-reply" // a reply to a side that serves, which made no such call
  | "unknown-message" // an event of a program or number that nobody here listens to
  | "bad-message" // an event with a status, or a payload that does not fit
  | "unknown-stream" // data, hole or end of a stream that is not open, or not any more
  | "unknown-type"; // to a side that serves, which ignores it

export interface PeerOptions {
  /** Serves the calls of the other side. Without it this is a client, and a call breaks the protocol. */
  readonly answer?: Answer;
  /** Calls of ours in flight at once; the rest wait in order. Default: no limit. */
  readonly maxCalls?: number;
  /** Milliseconds that a call of ours may take where it does not say so itself. Default: any time. */
  readonly callTimeout?: number;
  readonly explain?: Explain;
  /**
   * Calls of the other side in progress at once, libvirt's max_client_requests. With so many nothing more is answered,
   * keepalive included, until a reply is written, and little more is read. Default 5.
   */
  readonly maxRequests?: number;
  /** The longest frame taken, in bytes. Default 33554436. */
  readonly maxFrame?: number;
  /**
   * Bytes of events that may wait to be sent. Above that the other side is taken for dead, and the connection is
   * closed with a ProtocolError `send-queue`. Default 16 MiB.
   */
  readonly maxQueuedEvents?: number;
  /** How much streams may take. */
  readonly streams?: StreamLimits;
  /** Milliseconds that an orderly close waits for the other side to read. Default 5000. */
  readonly linger?: number;
  /** Learns of messages that were dropped: for logs and tests. */
  readonly onDrop?: (reason: DropReason, header: Header) => void;
  /** The names of procedures that the other side calls: for logs. */
  readonly nameOf?: (header: Header) => string | undefined;
}
