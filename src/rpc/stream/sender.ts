import { VirNetMessageStatus, VirNetMessageType } from "../../generated/netmessage/index.ts";
import { type Header, MIN_FRAME, setLength, writeHeader } from "../header.ts";
import type { BulkSource } from "../send-queue.ts";

/**
 * Bytes of data in a frame at most: what people write at once, so that it is one frame. C's chunks have 24 bytes less, for
 * peers from before 2012; later ones take 16 MiB and more. Larger frames would keep calls waiting.
 */
export const CHUNK = 262_144;
/** What is left of a write goes along where it is no more than this: 256 KiB are one frame, not one and a crumb. */
const CRUMB = 4096;

interface Task {
  /** Data, or a whole frame. */
  readonly bytes: Uint8Array;
  readonly isFrame: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What a stream sends, in order, one frame in the hands of the transport at a time. */
export class Sender implements BulkSource {
  readonly #enqueue: (source: BulkSource) => void;
  /** Length word and header of every data frame: the next is only made when the last has gone out. */
  readonly #head = new Uint8Array(MIN_FRAME);
  #tasks: Task[] = [];
  /** Bytes of the first task that were given away. */
  #at = 0;
  /** Whether a frame is with the transport, or it is this one's turn soon. */
  #busy = false;
  #sending = false;
  #stopped = false;
  #error: unknown;

  constructor(header: Header, enqueue: (source: BulkSource) => void) {
    this.#enqueue = enqueue;
    const { VIR_NET_STREAM: type } = VirNetMessageType;
    writeHeader(this.#head, { ...header, type, status: VirNetMessageStatus.VIR_NET_CONTINUE });
  }

  /** Resolves when the last of the bytes has gone out. */
  write(bytes: Uint8Array): Promise<void> {
    // A frame without bytes means the end of data.
    return bytes.byteLength === 0 && !this.#stopped ? Promise.resolve() : this.#add(bytes, false);
  }

  /** Sends a whole frame in its turn. */
  frame(frame: Uint8Array): Promise<void> {
    return this.#add(frame, true);
  }

  /**
   * Sends nothing more. What waits rejects; what the transport has, when it has been let go of: its bytes must not
   * change before that.
   */
  stop(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#error = error;
    const dropped = this.#tasks.splice(this.#sending ? 1 : 0);
    for (const { reject } of dropped) reject(error);
  }

  take(): readonly Uint8Array[] | undefined {
    const task = this.#tasks[0];
    if (task === undefined || this.#stopped) {
      this.#busy = false;
      return undefined;
    }
    this.#sending = true;
    const { bytes, isFrame } = task;
    if (isFrame) {
      this.#at = bytes.byteLength;
      return [bytes];
    }
    const from = this.#at;
    const left = bytes.byteLength - from;
    this.#at = from + (left <= CHUNK + CRUMB ? left : CHUNK);
    setLength(this.#head, MIN_FRAME + this.#at - from);
    const isWhole = from === 0 && this.#at === bytes.byteLength;
    return [this.#head, isWhole ? bytes : bytes.subarray(from, this.#at)];
  }

  written(): void {
    this.#sending = false;
    const task = this.#tasks[0] as Task;
    if (this.#at === task.bytes.byteLength) {
      this.#tasks.shift();
      this.#at = 0;
      task.resolve();
    } else if (this.#stopped) {
      this.#tasks.shift();
      task.reject(this.#error);
    }
    if (this.#tasks.length > 0) this.#enqueue(this);
    else this.#busy = false;
  }

  #add(bytes: Uint8Array, isFrame: boolean): Promise<void> {
    if (this.#stopped) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#tasks.push({ bytes, isFrame, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      this.#enqueue(this);
    });
  }
}
