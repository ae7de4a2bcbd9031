import { sharedPool } from "../../src/buffer/index.ts";
import type { Transport } from "../../src/transport/index.ts";

const SIZE = 65_536;

/**
 * Reads as sockets do, always in the same buffer, and spoils each piece when the sink has seen it: who keeps bytes
 * without a copy finds others in their place.
 * @param most bytes in a piece
 */
export function reusedBuffer(inner: Transport, most = SIZE): Transport {
  const buffer = new Uint8Array(SIZE);
  let closed = false;
  return {
    get peer() {
      return inner.peer;
    },
    start(sink) {
      inner.start({
        bytes(chunk) {
          const step = Math.min(most, SIZE);
          for (let at = 0; at < chunk.byteLength && !closed; at += step) {
            const piece = chunk.subarray(at, at + step);
            buffer.set(piece);
            sink.bytes(buffer.subarray(0, piece.byteLength), (part) => sharedPool.adopt(part.slice()));
            buffer.fill(0xee, 0, piece.byteLength);
          }
        },
        end: (error) => sink.end(error),
      });
    },
    pause: () => inner.pause(),
    resume: () => inner.resume(),
    write: (parts) => inner.write(parts),
    drained: () => inner.drained(),
    close(reason) {
      closed = true;
      return inner.close(reason);
    },
  };
}
