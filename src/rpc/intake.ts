import type { Keep, Transport } from "../transport/index.ts";
import { FrameScanner } from "./frame.ts";
import type { Requests } from "./requests.ts";
import type { SendQueue } from "./send-queue.ts";

/**
 * Bytes kept of a connection whose calls in progress are as many as there may be. libvirtd reads nothing then, and does not
 * see the other side go; for us that would mean that a call which never ends keeps its connection for ever.
 */
const READ_AHEAD = 65_536;

/** Where what is taken in goes. */
export interface IntakeHost {
  /** Something came, or nothing could because this side did not read. */
  heard(): void;
  /** A frame without its length word; of one with stream data the header. Valid during the call only. */
  message(frame: Uint8Array): void;
  /** Stream data that belongs to the last header. */
  data(piece: Uint8Array, keep: Keep | undefined): void;
  fail(error: Error): void;
}

/** Takes messages in one after the other, and stops the transport where there is enough to do. */
export class Intake {
  readonly #transport: Transport;
  readonly #scanner: FrameScanner;
  readonly #requests: Requests;
  readonly #queue: SendQueue;
  readonly #host: IntakeHost;
  #isOpen = true;
  #streamsFull = false;
  #busy = false;
  #paused = false;
  /** So many calls are in progress that what comes is only kept, which shows when the other side goes. */
  #readsAhead = false;

  constructor(
    transport: Transport,
    maxFrame: number | undefined,
    requests: Requests,
    queue: SendQueue,
    host: IntakeHost,
  ) {
    this.#transport = transport;
    this.#scanner = new FrameScanner(maxFrame);
    this.#requests = requests;
    this.#queue = queue;
    this.#host = host;
  }

  /** Whether messages are being taken in: what is to be sent then goes out together, at the end. */
  get isBusy(): boolean {
    return this.#busy;
  }

  /** Bytes of an unfinished message, or of messages that wait. */
  get pending(): number {
    return this.#scanner.pending;
  }

  /** Bytes of stream data that belong to the present message and follow it. */
  get dataToCome(): number {
    return this.#scanner.data;
  }

  /** Whether this side would notice that the other one lives. */
  get listens(): boolean {
    return !this.#paused && this.#mayTake;
  }

  /** Passes over bytes behind the present message that belong to none. */
  skip(bytes: number): void {
    this.#scanner.skip(bytes);
  }

  bytes(chunk: Uint8Array, keep: Keep | undefined): void {
    if (!this.#isOpen) return;
    this.#host.heard();
    this.#scanner.push(chunk);
    this.#take(keep);
    if (this.#paused) this.resume(); // what came on its way may have made room
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#transport.pause();
  }

  /** Goes on where it had stopped, if there is room. */
  resume(): void {
    if (!(this.#paused || this.#readsAhead) || this.#busy || !this.#isOpen || !this.#mayTake) return;
    this.#readsAhead = false;
    this.#host.heard(); // there was nobody to hear
    this.#take(); // what was there before the pause
    if (this.#paused && this.#isOpen && this.#mayTake) {
      this.#paused = false;
      this.#transport.resume();
    }
  }

  /** Takes in nothing more, what is there included. */
  close(): void {
    this.#isOpen = false;
  }

  /** @param streamsFull whether streams have more than enough */
  repace(streamsFull: boolean): void {
    this.#streamsFull = streamsFull;
    if (!this.#mayTake && !this.#busy) this.pause();
    this.resume();
  }

  /** Whether there may be more calls in progress, and streams have room. */
  get #mayTake(): boolean {
    return !this.#requests.isFull && !this.#streamsFull;
  }

  /**
   * Hands on what is there, as long as there may be more calls in progress. Streams that are full do not stop it: what
   * has arrived is theirs without a copy.
   */
  #take(keep?: Keep): void {
    if (this.#busy) return;
    this.#busy = true;
    const scanner = this.#scanner;
    const host = this.#host;
    const requests = this.#requests;
    try {
      for (;;) {
        while (!requests.isFull && this.#isOpen) {
          if (scanner.data > 0) {
            const piece = scanner.piece();
            if (piece === undefined) break;
            host.data(piece, scanner.inChunk ? keep : undefined);
            continue;
          }
          const frame = scanner.next();
          if (frame === undefined) break;
          host.message(frame);
        }
        const wasFull = requests.isFull;
        this.#queue.flush(); // replies together, and with them room for further calls
        if (!wasFull || requests.isFull || !this.#isOpen) break;
      }
      scanner.keep();
    } catch (error) {
      host.fail(error as Error);
    } finally {
      this.#busy = false;
    }
    if (!this.#isOpen || this.#mayTake) return;
    if (this.#streamsFull || scanner.pending > READ_AHEAD) this.pause();
    else this.#readsAhead = true;
  }
}
