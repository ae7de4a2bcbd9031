import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { Transport } from "../../transport/index.ts";
import type { Bandwidth } from "./bandwidth.ts";
import { ANSWER_BYTES, ARRIVED, MemoryChannelError, within, writeHello } from "./memory-channel.ts";

export interface SendOptions {
  readonly token: Uint8Array;
  readonly memory: Uint8Array;
  readonly bandwidth: Bandwidth;
  /** Milliseconds without a byte moving after which the destination is taken for dead. */
  readonly stall: number;
  /** Gives up. What it is aborted with is what the promise rejects with. */
  readonly signal: AbortSignal;
  onMoved(bytes: number): void;
  /** Runs when all memory is sent, before the destination hears that this is all: the guest must stand still now. */
  switchOver(): void;
}

/**
 * Sends a guest's memory, a piece at a time, none of it copied, and waits for the destination to have it all.
 * The transport is closed afterwards.
 *
 * @returns the SHA-256 of the memory.
 * @throws {MemoryChannelError} where the other side goes, stalls, or answers with another checksum.
 */
export async function sendMemory(transport: Transport, options: SendOptions): Promise<Uint8Array> {
  const { token, memory, bandwidth, stall, switchOver, onMoved } = options;
  const broken = new AbortController();
  const answer = readAnswer(transport, broken);
  const signal = AbortSignal.any([options.signal, broken.signal]);
  try {
    const hash = createHash("sha256");
    transport.write([writeHello(token, memory.byteLength)]);
    for (let at = 0; at < memory.byteLength; ) {
      const piece = memory.subarray(at, at + bandwidth.piece);
      await bandwidth.take(piece.byteLength, signal);
      hash.update(piece);
      if (!transport.write([piece])) await within(transport.drained(), stall, signal, "destination took no data");
      signal.throwIfAborted();
      at += piece.byteLength;
      onMoved(piece.byteLength);
      await turn(); // hashing and writing may both be done without waiting for anything
    }
    switchOver();
    const digest = Uint8Array.from(hash.digest());
    transport.write([digest]);
    const theirs = await within(answer, stall, signal, "destination did not confirm the memory");
    if (!digest.every((byte, at) => theirs[at + 1] === byte)) {
      throw new MemoryChannelError("destination confirmed another checksum");
    }
    void transport.close();
    return digest;
  } catch (error) {
    void transport.close(error instanceof Error ? error : new Error("migration failed"));
    throw error;
  }
}

/** Starts reading: resolves with the destination's answer, aborts `broken` when it says anything else, or goes. */
function readAnswer(transport: Transport, broken: AbortController): Promise<Uint8Array> {
  const answer = new Uint8Array(ANSWER_BYTES);
  let length = 0;
  return new Promise((resolve) => {
    transport.start({
      bytes(chunk) {
        if (length + chunk.byteLength > ANSWER_BYTES || (length === 0 && chunk[0] !== ARRIVED)) {
          broken.abort(new MemoryChannelError("destination sent what is no answer"));
          return;
        }
        answer.set(chunk, length);
        length += chunk.byteLength;
        if (length === ANSWER_BYTES) resolve(answer);
      },
      end(cause) {
        if (length === ANSWER_BYTES) return;
        const text = "destination closed the connection before it had all of the memory";
        broken.abort(new MemoryChannelError(text, cause === undefined ? {} : { cause }));
      },
    });
  });
}
