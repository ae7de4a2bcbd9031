import type { AnyHandler, AnyProcedure, DispatchProgram } from "../rpc/index.ts";
import type { HandlersOf, ProgramDescription } from "../xdr/index.ts";
import type { AccessTarget } from "./access.ts";
import type { CallContext } from "./session.ts";

/** A program and what serves it, for `createServer`. */
export interface ServedProgram extends DispatchProgram<CallContext> {
  /** What a refusal by the access policy calls the driver. Default the program's name. */
  readonly driver?: string;
  /** False where the access policy has no say: whoever can reach the program may use it. Default true. */
  readonly access?: boolean;
  /** What XML says of the object that it describes, for the access policy: REMOTE's alone is asked. */
  readonly describeXml?: (object: string, xml: string) => AccessTarget;
}

/** What serves a procedure, by its key. What every object has, such as toString, serves none that is called so. */
export function handlerOf({ handlers }: ServedProgram, key: string): AnyHandler<CallContext> | undefined {
  return handlers[key] === Reflect.get(Object.prototype, key) ? undefined : handlers[key]?.bind(handlers);
}

export interface ServeOptions extends Pick<ServedProgram, "driver" | "access" | "describeXml"> {
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
  return { ...options, description, handlers: handlers as Record<string, AnyHandler<CallContext>> };
}
