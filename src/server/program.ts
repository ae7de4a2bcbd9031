import type { AnyHandler, AnyProcedure, DispatchProgram } from "../rpc/index.ts";
import type { HandlersOf, ProgramDescription } from "../xdr/index.ts";
import type { CallContext } from "./session.ts";

/** A program and what serves it, for `createServer`. */
export type ServedProgram = DispatchProgram<CallContext>;

export interface ServeOptions {
  /**
   * Runs when the arguments are decoded, before the handler, and also where there is none. Throws a VirtError to
   * refuse the call.
   */
  readonly before?: (procedure: AnyProcedure, context: CallContext, args: unknown) => void;
}

/**
 * Joins a generated description and its handlers: `serve(remoteDescription, { domainGetInfo: … })`. A handler that
 * is left out is answered VIR_ERR_NO_SUPPORT with the name of the C function. A handler may throw VirtError; anything
 * else that it throws is answered VIR_ERR_INTERNAL_ERROR.
 */
export function serve<Description extends ProgramDescription>(
  description: Description,
  handlers: HandlersOf<Description, CallContext>,
  options: ServeOptions = {},
): ServedProgram {
  return { description, handlers: handlers as Record<string, AnyHandler<CallContext>>, before: options.before };
}
