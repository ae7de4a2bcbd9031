import type { Socket } from "node:net";
import type { SocketReader } from "./socket-reader.ts";

/** What a socket of Node's has under these names since `onread` came (12.10), one symbol each. */
interface Fields {
  kBuffer?: symbol;
  kBufferGen?: symbol;
  kBufferCb?: symbol;
}

/**
 * Does for a socket that is there already what the option `onread` does when one is made: accepted ones, and TLS over
 * a socket that was dialled before, are made without asking. Node has no other way, so this goes by private fields.
 * @returns false where they are not what they have been in every release so far: the socket then emits `data`
 */
export function readInto(socket: Socket, reader: SocketReader): boolean {
  const fields: Fields = {};
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const name = symbol.description as keyof Fields;
    if (name === "kBuffer" || name === "kBufferGen" || name === "kBufferCb") fields[name] = symbol;
  }
  const { kBuffer, kBufferGen, kBufferCb } = fields;
  const own = socket as unknown as Record<symbol, unknown> & { _handle?: { useUserBuffer?: unknown } | null };
  const handle = own._handle;
  if (kBuffer === undefined || kBufferGen === undefined || kBufferCb === undefined) return false;
  if (typeof handle?.useUserBuffer !== "function") return false;
  if (own[kBuffer] !== null || own[kBufferGen] !== null || own[kBufferCb] !== null) return false;
  const first = reader.buffer();
  own[kBuffer] = first;
  own[kBufferGen] = reader.buffer;
  own[kBufferCb] = reader.callback;
  handle.useUserBuffer(first);
  return true;
}
