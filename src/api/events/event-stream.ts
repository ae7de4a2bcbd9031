import { AbortError } from "../../client/index.ts";

/** Stands where events are missing. */
export interface EventGap {
  readonly kind: "gap";
  /**
   * `overflow`: the buffer was full, or too much came before the daemon's answer to the registration. `reconnect`: the connection was lost and is back. `lost`: it is back, but the
   * daemon does not send these events any more; only for listeners, a stream rejects with the daemon's error.
   */
  readonly reason: "overflow" | "reconnect" | "lost";
  /** How many events are missing; undefined where nobody can know. */
  readonly missed: number | undefined;
}

export interface EventStreamOptions {
  /** Ends the stream: `next` rejects with an AbortError once what is buffered has been read. */
  readonly signal?: AbortSignal;
  /** How many events wait for a slow reader before the oldest give way to a gap. Default 1000. */
  readonly buffer?: number;
}

/**
 * Events in the order in which the daemon sent them, for one `for await`. Events that arrive between two reads are
 * buffered; when the buffer is full the oldest are dropped, and a gap that says how many comes in their place.
 *
 * It ends when it is closed, and rejects when the connection fails. Leaving the loop closes it.
 */
export class EventStream<Event> implements AsyncIterableIterator<Event | EventGap>, AsyncDisposable {
  readonly #limit: number;
  readonly #buffered: (Event | EventGap)[] = [];
  /** Where the oldest in `#buffered` is: moving the rest up for each read would make a long buffer slow. */
  #head = 0;
  #missed = 0;
  readonly #waiting: { resolve: (result: IteratorResult<Event | EventGap>) => void; reject: (error: Error) => void }[] =
    [];
  #ended: { readonly error: Error | undefined } | undefined;
  readonly #onClose: () => Promise<void>;
  readonly #stopListening: () => void;

  /** @param onClose takes the registration back */
  constructor({ signal, buffer = 1000 }: EventStreamOptions, onClose: () => Promise<void>) {
    if (!Number.isInteger(buffer) || buffer < 1) throw new RangeError(`buffer: ${buffer}, at least 1 wanted`);
    this.#limit = buffer;
    this.#onClose = onClose;
    const onAbort = () => {
      this.end(new AbortError(signal?.reason));
      onClose().catch(() => {}); // the connection is over: there is nothing left to take back
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#stopListening = () => signal?.removeEventListener("abort", onAbort);
  }

  /** For whoever feeds it: the next event. */
  push(event: Event | EventGap): void {
    if (this.#ended !== undefined) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: event });
      return;
    }
    if (this.#buffered.length - this.#head === this.#limit) {
      this.#take();
      this.#missed++;
    }
    this.#buffered.push(event);
  }

  /** For whoever feeds it: no more events. What is buffered can still be read. */
  end(error?: Error): void {
    if (this.#ended !== undefined) return;
    const waiting = this.#waiting.splice(0);
    this.#ended = { error: waiting.length === 0 ? error : undefined }; // told once
    this.#stopListening();
    for (const { resolve, reject } of waiting) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
    }
  }

  next(): Promise<IteratorResult<Event | EventGap>> {
    if (this.#missed > 0) {
      const missed = this.#missed;
      this.#missed = 0;
      return Promise.resolve({ done: false, value: { kind: "gap", reason: "overflow", missed } });
    }
    if (this.#head < this.#buffered.length) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#ended?.error !== undefined) {
      const { error } = this.#ended;
      this.#ended = { error: undefined };
      return Promise.reject(error);
    }
    if (this.#ended !== undefined) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Takes the registration back and forgets what is buffered. Resolves when the daemon knows. */
  async close(): Promise<void> {
    this.end();
    this.#buffered.length = 0;
    this.#head = 0;
    this.#missed = 0;
    await this.#onClose();
  }

  async return(): Promise<IteratorResult<Event | EventGap>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #take(): Event | EventGap {
    const event = this.#buffered[this.#head] as Event | EventGap;
    this.#buffered[this.#head++] = undefined as Event | EventGap;
    if (this.#head > 1024 && this.#head * 2 > this.#buffered.length) {
      this.#buffered.splice(0, this.#head);
      this.#head = 0;
    }
    return event;
  }
}
