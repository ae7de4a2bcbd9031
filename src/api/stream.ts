import type { CoreConnection } from "../client/index.ts";
import type { Caller, CallOptions, StreamProcedure, StreamReply } from "../xdr/index.ts";

/** The stream that a call opened: what `CoreConnection.open` gives. */
export type CallStream = Awaited<ReturnType<CoreConnection["open"]>>["stream"];

/** Calls a procedure that opens a stream. */
export function openStream<Args, Ret>(
  connection: Caller<CallStream>,
  procedure: StreamProcedure<Args, Ret>,
  args: Args,
  options?: CallOptions,
): Promise<StreamReply<Ret, CallStream>> {
  return connection.open(procedure, args, options);
}
