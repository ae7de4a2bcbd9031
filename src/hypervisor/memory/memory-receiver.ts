import { createHash, type Hash } from "node:crypto";
import { ANSWER_BYTES, ARRIVED, DIGEST_BYTES, MemoryChannelError } from "./memory-channel.ts";

/** What is expected next. */
type ReceiverState = "memory" | "digest" | "nothing";

/** Takes the memory of a guest, after the hello, straight to where the guest has it. Knows no sockets. */
export class MemoryReceiver {
  readonly #memory: Uint8Array;
  readonly #hash: Hash = createHash("sha256");
  readonly #theirs = new Uint8Array(DIGEST_BYTES);
  #state: ReceiverState = "memory";
  /** Bytes of what is expected that are there. */
  #at = 0;
  #digest: Uint8Array | undefined;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
    if (memory.byteLength === 0) this.#state = "digest";
  }

  /** The SHA-256 of the memory, once all of it is there and the source has said the same. */
  get digest(): Uint8Array | undefined {
    return this.#digest;
  }

  /** What to answer the source then. */
  get answer(): Uint8Array {
    const answer = new Uint8Array(ANSWER_BYTES);
    answer[0] = ARRIVED;
    answer.set(this.#digest!, 1);
    return answer;
  }

  /**
   * Takes bytes, in pieces of any size.
   *
   * @returns how many of them were memory.
   * @throws {MemoryChannelError} for bytes after the end, and when the checksum is not that of the memory.
   */
  push(chunk: Uint8Array): number {
    let from = 0;
    let moved = 0;
    while (from < chunk.byteLength) {
      switch (this.#state) {
        case "memory": {
          const piece = chunk.subarray(from, from + this.#memory.byteLength - this.#at);
          this.#memory.set(piece, this.#at);
          this.#hash.update(piece);
          this.#at += piece.byteLength;
          from += piece.byteLength;
          moved += piece.byteLength;
          if (this.#at === this.#memory.byteLength) this.#expect("digest");
          break;
        }
        case "digest": {
          const piece = chunk.subarray(from, from + DIGEST_BYTES - this.#at);
          this.#theirs.set(piece, this.#at);
          this.#at += piece.byteLength;
          from += piece.byteLength;
          if (this.#at === DIGEST_BYTES) this.#verify();
          break;
        }
        case "nothing":
          throw new MemoryChannelError("source sent more than the memory");
      }
    }
    return moved;
  }

  #expect(state: ReceiverState): void {
    this.#state = state;
    this.#at = 0;
  }

  #verify(): void {
    const ours = Uint8Array.from(this.#hash.digest());
    if (!ours.every((byte, at) => this.#theirs[at] === byte)) {
      throw new MemoryChannelError("checksum of the memory does not match");
    }
    this.#digest = ours;
    this.#expect("nothing");
  }
}
