import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { encodeVirNetMessageError, VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import { type Handler, type Procedure, type ProgramDescription, XdrError, XdrReader } from "../xdr/index.ts";
import { apiDomain, apiName } from "./api-name.ts";
import { encodeFrame } from "./frame.ts";
import type { Header } from "./header.ts";
import { VirtError, virtError } from "./virt-error.ts";

// biome-ignore lint/suspicious/noExplicitAny: each procedure has its own types; the generated handlers give the typed view
export type AnyProcedure = Procedure<any, any>;
// biome-ignore lint/suspicious/noExplicitAny: likewise
export type AnyHandler<Context> = Handler<any, any, Context>;

/** A program with what serves it. */
export interface DispatchProgram<Context> {
  readonly description: ProgramDescription;
  /** By the keys of `description.procedures`. What is missing is answered VIR_ERR_NO_SUPPORT. */
  readonly handlers: Readonly<Record<string, AnyHandler<Context> | undefined>>;
  /**
   * Runs when the arguments are decoded, before the handler, and also where there is none. Throws to refuse the call.
   */
  readonly before?: ((procedure: AnyProcedure, context: Context, args: unknown) => void) | undefined;
}

export interface DispatcherOptions<Context> {
  /** Whether a call is answered only after authentication. Default: never. Asked before the arguments are decoded. */
  readonly needsAuthentication?: (procedure: AnyProcedure, context: Context) => boolean;
  /** Learns what a handler threw that is no VirtError: the caller learns only that it failed. */
  readonly onError?: (error: unknown, context: Context) => void;
}

interface Served<Context> {
  readonly procedure: AnyProcedure;
  readonly handler: AnyHandler<Context> | undefined;
}

interface ServedVersion<Context> {
  readonly program: DispatchProgram<Context>;
  readonly procedures: ReadonlyMap<number, Served<Context>>;
}

/**
 * Answers calls. Every call gets one reply, whatever is wrong with it.
 * @source virNetServerProgramDispatchCall, libvirt src/rpc/virnetserverprogram.c
 */
export class Dispatcher<Context> {
  /** By program, then by version. */
  readonly #programs = new Map<number, Map<number, ServedVersion<Context>>>();
  readonly #options: DispatcherOptions<Context>;

  constructor(programs: readonly DispatchProgram<Context>[], options: DispatcherOptions<Context> = {}) {
    this.#options = options;
    for (const program of programs) {
      const { description, handlers } = program;
      const { name, number, version } = description;
      const versions = this.#programs.get(number) ?? new Map<number, ServedVersion<Context>>();
      if (versions.has(version)) throw new TypeError(`program ${name} version ${version} is served twice`);
      const procedures = new Map<number, Served<Context>>();
      for (const [key, procedure] of Object.entries(description.procedures)) {
        // What every object has, such as toString, serves no procedure that happens to be called so.
        const handler = handlers[key] === Reflect.get(Object.prototype, key) ? undefined : handlers[key];
        procedures.set(procedure.number, { procedure, handler: handler?.bind(handlers) });
      }
      versions.set(version, { program, procedures });
      this.#programs.set(number, versions);
    }
  }

  /**
   * Answers one call: the frame to send, or the promise of it, which never rejects. The payload is decoded before
   * this returns.
   */
  answer(
    header: Header,
    payload: Uint8Array,
    contextOf: (procedure: AnyProcedure, header: Header) => Context,
  ): Uint8Array | Promise<Uint8Array> {
    const { prog, vers, proc, status } = header;
    const entry = this.#programs.get(prog)?.get(vers);
    if (entry === undefined) {
      // C prints both with %d.
      return errorReply(header, rpcError(`Cannot find program ${prog | 0} version ${vers | 0}`));
    }
    if (status !== VirNetMessageStatus.VIR_NET_OK) {
      return errorReply(header, rpcError(`Unexpected message status ${status >>> 0}`));
    }
    const served = entry.procedures.get(proc);
    if (served === undefined) return errorReply(header, rpcError(`unknown procedure: ${proc}`));
    const { procedure, handler } = served;
    const context = contextOf(procedure, header);
    if (this.#options.needsAuthentication?.(procedure, context) === true) {
      return errorReply(header, rpcError("authentication required"));
    }
    let args: unknown;
    try {
      args = procedure.args.decode(new XdrReader(payload));
    } catch {
      return errorReply(header, rpcError("Unable to decode message payload"));
    }
    try {
      entry.program.before?.(procedure, context, args);
      if (handler === undefined) {
        throw virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, apiDomain(procedure), apiName(procedure));
      }
      const result: unknown = handler(args, context);
      if (!isPromise(result)) return this.#success(header, procedure, result, context);
      return result.then(
        (value) => this.#success(header, procedure, value, context),
        (error: unknown) => this.#failure(header, procedure, error, context),
      );
    } catch (error) {
      return this.#failure(header, procedure, error, context);
    }
  }

  #success(header: Header, procedure: AnyProcedure, value: unknown, context: Context): Uint8Array {
    try {
      return encodeFrame(replyTo(header, VirNetMessageStatus.VIR_NET_OK), procedure.ret.encode, value, "ret");
    } catch (error) {
      const why = error instanceof XdrError ? `the result does not fit: ${error.message}` : undefined;
      return this.#failure(header, procedure, error, context, why);
    }
  }

  #failure(
    header: Header,
    procedure: AnyProcedure,
    error: unknown,
    context: Context,
    why = "unexpected failure",
  ): Uint8Array {
    if (error instanceof VirtError) {
      try {
        return errorReply(header, error);
      } catch {
        // A text that the wire does not carry, such as one with a zero character.
        return errorReply(header, internalError(`${apiName(procedure)} failed, and its error cannot be sent`));
      }
    }
    try {
      this.#options.onError?.(error, context);
    } catch {
      // Whoever listens to errors must not make new ones out of them.
    }
    return errorReply(header, internalError(`${apiName(procedure)}: ${why}`));
  }
}

/**
 * The frame of an error reply, with program, version, procedure and serial of the call.
 * @param type STREAM for the error of a stream that the call opened
 */
export function errorReply(
  header: Header,
  error: VirtError,
  type: Header["type"] = VirNetMessageType.VIR_NET_REPLY,
): Uint8Array {
  const reply: Header = { ...replyTo(header, VirNetMessageStatus.VIR_NET_ERROR), type };
  return encodeFrame(reply, encodeVirNetMessageError, error.toMessage(), "error");
}

function replyTo({ prog, vers, proc, serial }: Header, status: Header["status"]): Header {
  return { prog, vers, proc, type: VirNetMessageType.VIR_NET_REPLY, serial, status };
}

function rpcError(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_RPC, detail);
}

function internalError(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
