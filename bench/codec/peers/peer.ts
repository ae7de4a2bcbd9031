import type { Message } from "../messages.ts";
import { type Plain, partsOf, type Shape } from "../shape.ts";

/** A codec for one message, ready to run. Whatever a peer can set up once is set up. */
export interface Prepared {
  encode(): Uint8Array;
  /** Decodes what `encode` gives. */
  decode(): unknown;
  /**
   * The same, but strings are strings and nothing shares memory with the input, as our own values and C's are: needed
   * wherever the buffer that was received into is used again. Left out where `decode` does so already.
   */
  decodeOwned?(): unknown;
  /** What `decode` or `decodeOwned` gave, as a value of ours. */
  plain(decoded: unknown): Plain;
}

export interface Peer {
  readonly name: string;
  /** The package and its version, and what its results leave undone. */
  readonly note: string;
  /** Whether its bytes are XDR, and so must equal ours. */
  readonly xdr: boolean;
  prepare(message: Message, xdr: Uint8Array): Prepared;
}

/** Whether a message has bytes that a decoder would rather not copy. Copying a UUID costs no more than a view of it. */
export function hasBulk(shape: Shape): boolean {
  return [...partsOf(shape).values()].some(
    (part) => part.kind === "struct" && Object.values(part.fields).some(({ kind }) => kind === "opaque"),
  );
}
