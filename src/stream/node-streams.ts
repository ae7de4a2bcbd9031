import type { Duplex, Readable, Writable } from "node:stream";
import type { Lease } from "../buffer/index.ts";
import { builtin } from "./builtin.ts";
import { abort, finish, type Receiving, type Sending } from "./ending.ts";

/** Bytes that a shape holds for its user before it stops reading or asks him to wait. */
const HIGH_WATER_MARK = 256 * 1024;

/** The shapes' own: `highWaterMark` in bytes, 262144 unless said otherwise. */
export interface ShapeOptions {
  readonly highWaterMark?: number;
}

/**
 * What a stream receives, as a Node stream. Its chunks are copies, because nobody says when a `Buffer` is no longer
 * used: who wants none iterates over the leases. At the end the stream is finished; what fails there destroys the
 * Readable. Destroying it before its end aborts the stream.
 */
export function toReadable(stream: Receiving, options: ShapeOptions = {}): Readable {
  const { Readable } = builtin("node:stream");
  return new Readable({ highWaterMark: HIGH_WATER_MARK, ...options, ...readSide(stream) });
}

/**
 * What a stream sends, as a Node stream, none of it copied. `end()` finishes the stream, and `finish` is emitted when
 * the other side has confirmed. Destroying it before aborts the stream.
 */
export function toWritable(stream: Sending, options: ShapeOptions = {}): Writable {
  const { Writable } = builtin("node:stream");
  return new Writable({ highWaterMark: HIGH_WATER_MARK, decodeStrings: true, ...options, ...writeSide(stream) });
}

/**
 * Both, for consoles and channels. The protocol cannot end one direction alone: `end()` finishes the stream, and what the
 * other side has not sent by then is lost.
 */
export function toDuplex(stream: Receiving & Sending, options: ShapeOptions = {}): Duplex {
  const { Duplex } = builtin("node:stream");
  const { read, destroy } = readSide(stream);
  return new Duplex({
    highWaterMark: HIGH_WATER_MARK,
    decodeStrings: true,
    ...options,
    ...writeSide(stream),
    read,
    destroy,
    // Both sides end with the finish.
    allowHalfOpen: false,
  });
}

type Callback = (error?: Error | null) => void;

function readSide(stream: Receiving) {
  const leases = stream[Symbol.asyncIterator]();
  let reading = false;
  let over = false;

  async function pump(readable: Readable): Promise<void> {
    for (let wanted = true; wanted; ) {
      const next = await leases.next();
      if (next.done === true) {
        over = true;
        await finish(stream);
        readable.push(null);
        return;
      }
      const chunk = owned(next.value);
      if (readable.destroyed) return;
      wanted = readable.push(chunk);
    }
  }
  return {
    read(this: Readable): void {
      if (reading || over) return;
      reading = true;
      pump(this).then(
        () => {
          reading = false;
        },
        (error: unknown) => this.destroy(error as Error),
      );
    },
    destroy(error: Error | null, callback: Callback): void {
      if (!over) abort(stream, error ?? undefined);
      over = true;
      leases.return?.().catch(() => {});
      callback(error);
    },
  };
}

function writeSide(stream: Sending) {
  let over = false;
  return {
    write(chunk: Uint8Array, _encoding: string, callback: Callback): void {
      stream.write(chunk).then(() => callback(), callback);
    },
    final(callback: Callback): void {
      over = true;
      finish(stream).then(() => callback(), callback);
    },
    destroy(error: Error | null, callback: Callback): void {
      if (!over) abort(stream, error ?? undefined);
      callback(error);
    },
  };
}

/** A copy of a lease's bytes, and the lease given back. */
function owned(lease: Lease): Uint8Array {
  const copy = Uint8Array.prototype.slice.call(lease.bytes);
  lease.release();
  return copy;
}
