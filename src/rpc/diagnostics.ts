import type { Channel } from "node:diagnostics_channel";
import type { VirConnectCloseReason } from "../generated/libvirt/index.ts";
import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import type { Header } from "./header.ts";

/**
 * What happens on connections, for whoever subscribes: `node:diagnostics_channel` names that begin with `virtwire:`.
 * Messages say who, what, how long and how it ended. None carries arguments or results, which may be secrets.
 */

/** Of `virtwire:connect:start`, `:error` and `:end`: one object for all three. */
export interface ConnectDiagnostics {
  /** As it was given. */
  readonly uri: string;
  readonly readOnly: boolean;
  /** 0 the first time, then counts the attempts to open the connection again. */
  readonly attempt: number;
  /** `unix:/run/x-sock`: set when it is connected. */
  connection?: string;
  /** Set for `error`. */
  error?: unknown;
}

/** Of `virtwire:call:start`, `:error` and `:end`: one object for all three. */
export interface CallDiagnostics {
  /** The address of the other side; while a connection is lost, of the one that was lost. */
  readonly connection: string;
  readonly program: string;
  readonly procedure: string;
  readonly number: number;
  /** Set for `error`. */
  error?: unknown;
}

/** Of `virtwire:event`: a message of the daemon that somebody listens to. */
export interface EventDiagnostics {
  readonly connection: string;
  readonly program: string;
  readonly procedure: string;
  readonly number: number;
  /** Of the payload. */
  readonly bytes: number;
}

/** Of `virtwire:close`: a client's connection is over. */
export interface CloseDiagnostics {
  readonly connection: string;
  readonly reason: VirConnectCloseReason;
  readonly error: Error | undefined;
}

/** Of `virtwire:message`: every message, in and out. */
export interface MessageDiagnostics {
  readonly connection: string;
  readonly direction: "in" | "out";
  readonly header: Header;
  /** The name of the procedure where it is known: `DOMAIN_GET_INFO`. */
  readonly procedure: string | undefined;
  /** The length word: bytes of the whole message. */
  readonly length: number;
}

/** Of `virtwire:stream`: a stream has gone from one state to another. */
export interface StreamDiagnostics {
  readonly connection: string;
  /** Program, procedure and serial of the call that opened it. */
  readonly program: number;
  readonly procedure: number;
  readonly serial: number;
  readonly side: "client" | "server";
  readonly from: string;
  /** What happened: a packet, or a wish of the application. */
  readonly event: string;
  readonly to: string;
  /** What ended it, where it did not end well. */
  readonly error?: unknown;
}

/** The three channels of something that takes time. */
export class Span<Context extends { error?: unknown }> {
  readonly #start: Channel;
  readonly #error: Channel;
  readonly #end: Channel;

  constructor(open: (name: string) => Channel, name: string) {
    this.#start = open(`${name}:start`);
    this.#error = open(`${name}:error`);
    this.#end = open(`${name}:end`);
  }

  get hasSubscribers(): boolean {
    return this.#start.hasSubscribers || this.#error.hasSubscribers || this.#end.hasSubscribers;
  }

  start(context: Context): void {
    this.#start.publish(context);
  }

  end(context: Context): void {
    this.#end.publish(context);
  }

  fail(context: Context, error: unknown): void {
    context.error = error;
    this.#error.publish(context);
    this.#end.publish(context);
  }
}

interface Builtins {
  readonly "node:diagnostics_channel": typeof import("node:diagnostics_channel");
  readonly "node:util": typeof import("node:util");
}

/** A module of Node's, or undefined in a browser. Asked of the process, so that a bundle for browsers has no import. */
function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => object | undefined } };
  return process?.getBuiltinModule?.(name) as Builtins[Name] | undefined;
}

function openChannels() {
  const channel = builtin("node:diagnostics_channel")?.channel;
  if (channel === undefined) return undefined;
  const message = channel("virtwire:message");
  const log = builtin("node:util")?.debuglog("virtwire");
  if (log?.enabled === true) message.subscribe((data) => log("%s", logLine(data as MessageDiagnostics)));
  return {
    connect: new Span<ConnectDiagnostics>(channel, "virtwire:connect"),
    call: new Span<CallDiagnostics>(channel, "virtwire:call"),
    event: channel("virtwire:event"),
    close: channel("virtwire:close"),
    stream: channel("virtwire:stream"),
    message,
  };
}

/** Undefined where there is no `node:diagnostics_channel`. */
export const channels = openChannels();

const programs: Readonly<Record<number, string>> = {
  536903814: "REMOTE",
  536903815: "QEMU",
  425984: "LXC",
  110102160: "ADMIN",
  1801807216: "KEEPALIVE",
};
const types = names(VirNetMessageType);
const statuses = names(VirNetMessageStatus);

function names(values: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(values).map(([name, value]) => [value, name.replace(/^VIR_NET_/, "")]));
}

/**
 * A message in the words of libvirt's own trace points:
 * `tx unix:/run/x-sock len=28 prog=REMOTE vers=1 proc=AUTH_LIST(66) type=CALL status=OK serial=0`
 * @source RPC_CLIENT_MSG_TX_QUEUE and RPC_CLIENT_MSG_RX, libvirt src/rpc
 */
export function logLine({ connection, direction, header, procedure, length }: MessageDiagnostics): string {
  const { prog, vers, proc, type, status, serial } = header;
  const name = procedure === undefined ? `${proc}` : `${procedure}(${proc})`;
  return (
    `${direction === "in" ? "rx" : "tx"} ${connection} len=${length} prog=${programs[prog] ?? prog} vers=${vers} ` +
    `proc=${name} type=${types.get(type) ?? type} status=${statuses.get(status) ?? status} serial=${serial}`
  );
}
