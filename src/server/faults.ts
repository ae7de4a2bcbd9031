import { type BufferPool, sharedPool } from "../buffer/index.ts";
import { VirNetMessageType } from "../generated/netmessage/index.ts";
import {
  errorReply,
  type Header,
  LENGTH_BYTES,
  MAX_FRAME,
  MIN_FRAME,
  readHeader,
  startTimer,
  TransportError,
  type VirtError,
} from "../rpc/index.ts";
import type { PeerIdentity, Transport, TransportSink } from "../transport/index.ts";

/** Which message a fault is for. */
export type FaultMessage = "call" | "reply" | "event" | "stream";

/** Something that goes wrong with a message on its way. */
export interface Fault {
  /** As the generated code has it: `domainCreate`, or an event. */
  readonly procedure: { readonly program: { readonly number: number }; readonly number: number };
  /** Default: `call`. */
  readonly message?: FaultMessage;
  /** The first is 1; of a stream, whichever side it is from, and its end is one, too. Default: every one. */
  readonly nth?: number;
  /**
   * - `drop`: it never arrives.
   * - `close`: the connection breaks off in its place.
   * - `delay`: milliseconds after which it goes on. Others overtake it; stream data, which has an order, cannot be
   *   delayed.
   * - `error`: a call is answered with this instead of being heard, a reply becomes this.
   */
  readonly action: "drop" | "close" | { readonly delay: number } | { readonly error: VirtError };
}

export interface FaultOptions {
  /** Waits, for delays: a hypervisor's clock fits. Default: the machine's. */
  readonly clock?: { delay(ms: number, signal?: AbortSignal): Promise<void> };
}

const kinds = new Map<number, FaultMessage>([
  [VirNetMessageType.VIR_NET_CALL, "call"],
  [VirNetMessageType.VIR_NET_CALL_WITH_FDS, "call"],
  [VirNetMessageType.VIR_NET_REPLY, "reply"],
  [VirNetMessageType.VIR_NET_REPLY_WITH_FDS, "reply"],
  [VirNetMessageType.VIR_NET_MESSAGE, "event"],
  [VirNetMessageType.VIR_NET_STREAM, "stream"],
  [VirNetMessageType.VIR_NET_STREAM_HOLE, "stream"],
]);

/**
 * A transport on which faults happen on demand, for tests of clients and of servers. It stands at either end of a
 * connection that is not encrypted by SASL.
 *
 * `server.accept(withFaults(end, [{ procedure: domainCreate, nth: 2, action: "close" }]))`
 *
 * @throws {TypeError} for a fault that cannot be
 */
export function withFaults(transport: Transport, faults: readonly Fault[], options: FaultOptions = {}): Transport {
  for (const { message = "call", nth = 1, action } of faults) {
    if (!Number.isSafeInteger(nth) || nth < 1) throw new TypeError(`there is no message number ${nth}: the first is 1`);
    if (message === "stream" && typeof action === "object" && "delay" in action) {
      throw new TypeError("stream data cannot be delayed: it would lose its order");
    }
    const answers = message === "call" || message === "reply";
    if (typeof action === "object" && "error" in action && !answers) {
      throw new TypeError(`only calls and replies can become errors, no ${message}`);
    }
  }
  return new FaultyTransport(transport, faults, options.clock ?? { delay: realDelay });
}

class FaultyTransport implements Transport {
  readonly #inner: Transport;
  readonly #faults: readonly Fault[];
  readonly #counts = new Map<Fault, number>();
  readonly #clock: NonNullable<FaultOptions["clock"]>;
  readonly #over = new AbortController();
  readonly #read = new FrameCutter();
  readonly #written = new FrameCutter();
  readonly #pool: BufferPool = sharedPool;
  #sink: TransportSink | undefined;

  constructor(inner: Transport, faults: readonly Fault[], clock: NonNullable<FaultOptions["clock"]>) {
    this.#inner = inner;
    this.#faults = faults;
    this.#clock = clock;
  }

  get peer(): PeerIdentity {
    return this.#inner.peer;
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    this.#inner.start({
      bytes: (chunk) => {
        for (const frame of this.#read.cut(chunk)) this.#pass(frame, this.#deliver, this.#send);
      },
      end: (error) => this.#end(error),
    });
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  write(parts: readonly Uint8Array[]): boolean {
    let room = true;
    for (const part of parts) {
      for (const frame of this.#written.cut(part)) room = this.#pass(frame, this.#send, this.#deliver) && room;
    }
    return room;
  }

  drained(): Promise<void> {
    return this.#inner.drained();
  }

  close(reason?: Error): Promise<void> {
    this.#sink = undefined;
    this.#over.abort();
    return this.#inner.close(reason);
  }

  readonly #deliver = (frame: Uint8Array): boolean => {
    this.#sink?.bytes(frame, (part) => this.#pool.adopt(part));
    return true;
  };

  readonly #send = (frame: Uint8Array): boolean => this.#over.signal.aborted || this.#inner.write([frame]);

  /** @param back sends to where the message comes from */
  #pass(frame: Uint8Array, on: (frame: Uint8Array) => boolean, back: (frame: Uint8Array) => boolean): boolean {
    if (this.#over.signal.aborted) return true;
    const header = frame.byteLength < MIN_FRAME ? undefined : readHeader(frame.subarray(LENGTH_BYTES));
    const action = header && this.#actionFor(header);
    if (header === undefined || action === undefined) return on(frame);
    if (action === "drop") return true;
    if (action === "close") {
      const error = new TransportError("io", "a fault closed the connection");
      this.#over.abort();
      void this.#inner.close(error);
      queueMicrotask(() => this.#end(error)); // who writes does not expect the end before `write` has returned
      return true;
    }
    if ("delay" in action) {
      this.#clock.delay(action.delay, this.#over.signal).then(
        () => on(frame),
        () => {}, // the connection is over
      );
      return true;
    }
    const answer = errorReply(header, action.error);
    return kinds.get(header.type) === "call" ? this.#answer(back, answer) : on(answer);
  }

  /** In a later turn: nobody expects an answer before the call has gone out. */
  #answer(back: (frame: Uint8Array) => boolean, answer: Uint8Array): boolean {
    queueMicrotask(() => back(answer));
    return true;
  }

  #actionFor({ prog, proc, type }: Header): Fault["action"] | undefined {
    const kind = kinds.get(type);
    let action: Fault["action"] | undefined;
    for (const fault of this.#faults) {
      const { procedure, message = "call", nth } = fault;
      if (message !== kind || procedure.number !== proc || procedure.program.number !== prog) continue;
      const count = (this.#counts.get(fault) ?? 0) + 1;
      this.#counts.set(fault, count);
      if (nth === undefined || nth === count) action ??= fault.action;
    }
    return action;
  }

  #end(error?: Error): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#over.abort();
    sink?.end(error);
  }
}

/** Puts frames together out of pieces. What is no frame passes as it is, and all that follows it. */
class FrameCutter {
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Bytes without which there is nothing to do. */
  #needed = LENGTH_BYTES;
  #broken = false;

  /** Frames that are whole, as copies. */
  cut(chunk: Uint8Array): Uint8Array[] {
    const copy = Uint8Array.from(chunk);
    if (this.#broken) return [copy];
    this.#parts.push(copy);
    this.#size += copy.byteLength;
    if (this.#size < this.#needed) return [];
    const bytes = Buffer.concat(this.#parts);
    const frames: Uint8Array[] = [];
    let at = 0;
    this.#needed = LENGTH_BYTES;
    while (bytes.byteLength - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length < MIN_FRAME || length > MAX_FRAME) {
        this.#broken = true;
        frames.push(Uint8Array.from(bytes.subarray(at)));
        at = bytes.byteLength;
        break;
      }
      this.#needed = length;
      if (bytes.byteLength - at < length) break;
      frames.push(Uint8Array.from(bytes.subarray(at, at + length)));
      at += length;
      this.#needed = LENGTH_BYTES;
    }
    this.#parts = [Uint8Array.from(bytes.subarray(at))];
    this.#size = bytes.byteLength - at;
    return frames;
  }
}

function realDelay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = startTimer(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}
