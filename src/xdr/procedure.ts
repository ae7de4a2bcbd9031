import type { Codec } from "./codec.ts";

/** A program and version, RFC 5531 section 7.1. */
export interface ProgramId {
  /** As in the `.x` file: `REMOTE`. */
  readonly name: string;
  readonly number: number;
  readonly version: number;
}

/** Which way a stream carries data, seen from the client. */
export type StreamDirection = "read" | "write" | "both";

/** A procedure as a value: everything that a client or a server has to know to call it or to serve it. */
export interface Procedure<Args, Ret> {
  readonly program: ProgramId;
  /** Without the program's prefix: `DOMAIN_GET_INFO`. */
  readonly name: string;
  readonly number: number;
  /** Whether a server may serve it while ordinary workers are all busy. Nothing on the wire. */
  readonly priority: "high" | "low";
  /** Rights that a caller needs, libvirt's `@acl`: `domain:read`, `domain:read_secure:VIR_DOMAIN_XML_SECURE`. */
  readonly acl: readonly string[];
  /** Rights that decide which items of a result a caller sees, libvirt's `@aclfilter`. */
  readonly aclFilter: readonly string[];
  /** The libvirt release that first had it, where known. */
  readonly since?: string;
  /** Present where the call opens a stream. */
  readonly stream?: StreamDirection;
  /** The flag of `flags` that permits holes in the stream. */
  readonly sparseFlag?: string;
  /** Present where file descriptors travel with the call (`in`), the reply (`out`) or both. */
  readonly fds?: "in" | "out" | "both";
  readonly args: Codec<Args>;
  readonly ret: Codec<Ret>;
}

/** A procedure whose call opens a stream. */
export interface StreamProcedure<Args, Ret> extends Procedure<Args, Ret> {
  readonly stream: StreamDirection;
}

/** A message that a server sends on its own account. */
export interface EventProcedure<Msg> {
  readonly program: ProgramId;
  readonly name: string;
  readonly number: number;
  /** Rights that decide whether a client gets it. */
  readonly aclFilter: readonly string[];
  readonly since?: string;
  readonly msg: Codec<Msg>;
}

/** What only some procedures have. */
type Special = Partial<Pick<Procedure<unknown, unknown>, "aclFilter" | "stream" | "sparseFlag" | "fds">>;

/**
 * What makes the descriptors of a program's procedures. A program has hundreds, and V8 loads such a call in half the time
 * of a literal with the same facts.
 */
export function proceduresOf(program: ProgramId) {
  return <Args, Ret, More extends Special = object>(
    name: string,
    number: number,
    priority: "high" | "low",
    acl: readonly string[],
    encodeArgs: Codec<Args>["encode"],
    decodeArgs: Codec<Args>["decode"],
    encodeRet: Codec<Ret>["encode"],
    decodeRet: Codec<Ret>["decode"],
    since?: string,
    more?: More,
  ): Procedure<Args, Ret> & More => {
    const args = { encode: encodeArgs, decode: decodeArgs };
    const ret = { encode: encodeRet, decode: decodeRet };
    const common = { program, name, number, priority, acl, aclFilter: [], args, ret };
    return { ...common, ...(since !== undefined && { since }), ...(more as More) };
  };
}

/** What makes the descriptors of a program's events. */
export function eventsOf(program: ProgramId) {
  return <Msg>(
    name: string,
    number: number,
    aclFilter: readonly string[],
    encode: Codec<Msg>["encode"],
    decode: Codec<Msg>["decode"],
    since?: string,
  ): EventProcedure<Msg> => {
    const common = { program, name, number, aclFilter, msg: { encode, decode } };
    return since === undefined ? common : { ...common, since };
  };
}

/** The codec functions of `void`: no bytes. */
export const encodeVoid = (): void => {};
export const decodeVoid = (): void => {};

/** A whole program, as a server dispatches it. Keys are the names of client methods and server handlers. */
export interface ProgramDescription extends ProgramId {
  // biome-ignore lint/suspicious/noExplicitAny: each procedure has its own types; the typed view is the generated one
  readonly procedures: Readonly<Record<string, Procedure<any, any>>>;
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  readonly events: Readonly<Record<string, EventProcedure<any>>>;
}

export interface CallOptions {
  /** Gives the call up: the promise rejects with an AbortError at once, a late reply is dropped. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the call is given up likewise, with a TimeoutError, the time in which it waits its turn included. */
  readonly timeout?: number;
}

/** What a generated client stands on. */
export interface Caller<Stream = unknown> {
  call<Args, Ret>(procedure: Procedure<Args, Ret>, args: Args, options?: CallOptions): Promise<Ret>;
  /** Calls a procedure that opens a stream. */
  open<Args, Ret>(
    procedure: StreamProcedure<Args, Ret>,
    args: Args,
    options?: CallOptions,
  ): Promise<StreamReply<Ret, Stream>>;
}

/** The answer to a call that opened a stream. */
export interface StreamReply<Ret, Stream> {
  readonly ret: Ret;
  readonly stream: Stream;
}

/** The handler of one procedure. */
export type Handler<Args, Ret, Context> = (args: Args, context: Context) => Ret | Promise<Ret>;

/** The handlers that a program may have, by the keys of its description. */
export type HandlersOf<Description extends ProgramDescription, Context> = {
  readonly [Key in keyof Description["procedures"]]?: Description["procedures"][Key] extends Procedure<
    infer Args,
    infer Ret
  >
    ? Handler<Args, Ret, Context>
    : never;
};
