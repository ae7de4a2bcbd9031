import { VirNetMessageType } from "../generated/netmessage/index.ts";
import type { CallTable } from "./call-table.ts";
import { channels, type MessageDiagnostics } from "./diagnostics.ts";
import type { EventListeners } from "./event-listeners.ts";
import { type Header, readHeader } from "./header.ts";
import { isKeepalive, isPing } from "./keepalive.ts";

/** Who knows what the messages of a connection are called. */
export interface MessageNames {
  readonly calls: CallTable;
  readonly listeners: EventListeners;
  /** Of what the other side calls. */
  readonly nameOf: ((header: Header) => string | undefined) | undefined;
}

/** Whether somebody wants to know of messages. */
export function areMessagesWatched(): boolean {
  return channels?.message.hasSubscribers === true;
}

/**
 * Tells whoever subscribed to `virtwire:message`.
 * @param frame without its length word, or the beginning of one
 * @param length the whole message's
 */
export function reportMessage(
  connection: string,
  direction: "in" | "out",
  frame: Uint8Array,
  length: number,
  names: MessageNames,
): void {
  const header = readHeader(frame);
  const data: MessageDiagnostics = { connection, direction, header, procedure: nameOf(header, names), length };
  channels?.message.publish(data);
}

function nameOf(header: Header, names: MessageNames): string | undefined {
  if (isKeepalive(header)) return isPing(header) ? "PING" : "PONG";
  if (names.nameOf !== undefined) return names.nameOf(header);
  if (header.type === VirNetMessageType.VIR_NET_MESSAGE) return names.listeners.nameOf(header);
  const procedure = names.calls.get(header.serial)?.procedure;
  return procedure?.number === header.proc ? procedure.name : undefined;
}
