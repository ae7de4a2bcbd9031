import type { CoreConnection } from "../../client/index.ts";
import type { EventProcedure } from "../../xdr/index.ts";

/** A message that a daemon sends, and how to hear it. */
export interface Heard<Message> {
  readonly event: { readonly name: string; readonly since?: string };
  readonly on: (connection: CoreConnection, deliver: (message: Message) => void) => void;
}

/** A kind of event: its number for the register call, and the messages that carry it. */
export interface EventKind<Message extends object> extends Heard<Message> {
  readonly id: number;
  /** As a daemon sends it that knows no callback ids; absent for kinds that are younger than those. */
  readonly legacy: Heard<object> | undefined;
}

/** @param absent what the legacy message lacks */
export function eventKind<Message extends { callbackID: number }, Legacy extends object>(
  id: number,
  event: EventProcedure<Message>,
  legacy?: EventProcedure<Legacy>,
  absent: object = {},
): EventKind<Message> {
  return {
    id,
    event,
    on: (connection, deliver) => connection.on(event, deliver),
    legacy: legacy && {
      event: legacy,
      on: (connection, deliver) => connection.on(legacy, (message) => deliver({ ...message, ...absent })),
    },
  };
}

/** What a message says, without the callback id. Early kinds have the legacy message inside the new one. */
export type Body<Kind> =
  Kind extends EventKind<infer Message>
    ? Message extends { msg: infer Inner }
      ? Inner & Omit<Message, "callbackID" | "msg">
      : Omit<Message, "callbackID">
    : never;

/** A message as one flat object. */
export function bodyOf(message: object): Record<string, unknown> {
  const { callbackID, msg, ...rest } = message as { callbackID?: number; msg?: object };
  return { ...msg, ...rest };
}
