import type { Stream } from "../client/index.ts";
import type { Caller, CallOptions, StreamProcedure, StreamReply } from "../xdr/index.ts";

/** The stream that a call opened. */
export type CallStream = Stream;

/** Calls a procedure that opens a stream. */
export function openStream<Args, Ret>(
  connection: Caller<CallStream>,
  procedure: StreamProcedure<Args, Ret>,
  args: Args,
  options?: CallOptions,
): Promise<StreamReply<Ret, CallStream>> {
  return connection.open(procedure, args, options);
}
