import type { Lease } from "../../buffer/index.ts";
import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import {
  decodeVirNetMessageError,
  decodeVirNetStreamHole,
  encodeVirNetStreamHole,
  VirNetMessageStatus,
  VirNetMessageType,
} from "../../generated/netmessage/index.ts";
import type { Keep } from "../../transport/index.ts";
import { encodeVoid, XdrReader } from "../../xdr/index.ts";
import { encodeFrame } from "../frame.ts";
import type { Header } from "../header.ts";
import { VirtError, virtError } from "../virt-error.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import type { Moves, StreamEvent } from "./states.ts";
import type { StreamEntry, StreamTable } from "./table.ts";
import type { ReceivingStream, SendingStream, StreamHole } from "./types.ts";

/** Where a stream cannot go on: a hyper counts its bytes. */
const MAX_OFFSET = 2n ** 63n - 1n;

/** What both halves of a stream have: data in and out, and a table that says what happens. */
export abstract class Half<State extends string, Action> implements StreamEntry, ReceivingStream, SendingStream {
  readonly sparse: boolean;
  abstract readonly isTransfer: boolean;
  protected abstract readonly side: "client" | "server";
  protected state: State;
  protected readonly receiver: Receiver;
  /** What ended it, where it did not end well. */
  protected error: unknown;
  readonly #moves: Moves<State, Action>;
  readonly #gone = new AbortController();
  #wire: { readonly table: StreamTable; readonly header: Header; readonly sender: Sender } | undefined;
  /** What the receiver has, in bytes as they are counted. */
  #held = 0;
  /** Where the next byte belongs, as far as holes go: bytes before that are counted in `#room`. */
  #offset = 0n;
  /** Bytes of data that may come until it gets beyond what a hyper can count. */
  #room = Number.POSITIVE_INFINITY;
  #received = 0;
  /** Bytes of data and of holes that were written. */
  #written = 0;
  #writtenHoles = 0n;

  constructor(moves: Moves<State, Action>, state: State, sparse: boolean) {
    this.#moves = moves;
    this.state = state;
    this.sparse = sparse;
    this.receiver = new Receiver((by) => {
      this.#held += by;
      this.#wire?.table.queued(this, by, this.#held);
    });
  }

  get header(): Header {
    return this.wire.header;
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  protected get wire() {
    if (this.#wire === undefined) throw new TypeError("the stream is not open");
    return this.#wire;
  }

  /** Whether it can be in the table of its connection. */
  protected get isWired(): boolean {
    return this.#wire !== undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Lease> {
    // Without holes there is nothing to put in, and a generator costs more than everything else here.
    return this.sparse ? this.receiver.bytes() : (this.receiver.parts() as AsyncIterator<Lease>);
  }

  parts(): AsyncIterable<Lease | StreamHole> {
    return this.receiver.parts();
  }

  write(bytes: Uint8Array): Promise<void> {
    try {
      this.checkWritable();
    } catch (error) {
      return Promise.reject(error);
    }
    this.#written += bytes.byteLength;
    return this.wire.sender.write(bytes);
  }

  async writeHole(length: bigint): Promise<void> {
    this.checkWritable();
    if (!this.sparse) throw new TypeError("holes are only for sparse streams");
    if (length < 1n || length > MAX_OFFSET) throw new TypeError(`a hole of ${length} bytes`);
    if (this.#writtenHoles + BigInt(this.#written) + length > MAX_OFFSET) throw tooFar();
    this.#writtenHoles += length;
    this.wire.table.sentHoles = true;
    const { VIR_NET_STREAM_HOLE: type } = VirNetMessageType;
    const head: Header = { ...this.header, type, status: VirNetMessageStatus.VIR_NET_CONTINUE };
    await this.wire.sender.frame(encodeFrame(head, encodeVirNetStreamHole, { length, flags: 0 }, "hole"));
  }

  // What its connection brings.

  data(piece: Uint8Array, keep: Keep | undefined): void {
    if (this.#moves[this.state].data === undefined) return; // too late
    this.#received += piece.byteLength;
    this.#room -= piece.byteLength;
    if (this.#room < 0) this.event("violation", tooFar());
    else this.receiver.data(piece, keep);
  }

  message(header: Header, payload: Uint8Array): void {
    if (header.type === VirNetMessageType.VIR_NET_STREAM_HOLE) {
      this.#hole(payload);
      return;
    }
    switch (header.status) {
      case VirNetMessageStatus.VIR_NET_CONTINUE:
        this.event("end");
        return;
      case VirNetMessageStatus.VIR_NET_OK:
        this.event("ok", rpcError("the end of the stream was confirmed, and nobody had asked for it"));
        return;
      case VirNetMessageStatus.VIR_NET_ERROR:
        this.event("error", this.side === "client" ? receivedError(payload) : undefined);
        return;
      default:
        this.event("violation", rpcError(`stream aborted with unexpected status ${header.status >>> 0}`));
    }
  }

  refusedLate(payload: Uint8Array): void {
    this.event("error", receivedError(payload));
  }

  stalled(error: Error): void {
    this.event("violation", error);
  }

  lost(error: Error): void {
    this.event("lost", error);
  }

  /** Puts it among the streams of a connection. */
  protected enter(table: StreamTable, header: Header): void {
    const sender = new Sender(header, (source) => table.host.enqueue(source));
    this.#wire = { table, header, sender };
    table.add(this);
  }

  protected leave(): void {
    this.#wire?.table.remove(this);
  }

  /** Goes where the table says, and does what it says. @returns whether it says anything */
  protected event(event: StreamEvent, error?: unknown): boolean {
    const from = this.state;
    const move = this.#moves[from][event];
    if (move === undefined) return false;
    const [to, action] = move;
    this.state = to;
    if (action !== undefined) this.perform(action, error);
    if (from !== to && this.#wire !== undefined) {
      const { side, error: ended } = this;
      this.#wire.table.report(this, { side, from, event, to, ...(ended === undefined ? {} : { error: ended }) });
    }
    return true;
  }

  protected abstract perform(action: Action, error: unknown): void;
  /** @throws where this half sends nothing (more) */
  protected abstract checkWritable(): void;

  /** Everything that waits fails, now and later. */
  protected failAll(error: unknown): void {
    this.error ??= error;
    this.receiver.fail(this.error);
    this.#wire?.sender.stop(this.error);
  }

  /** Says at the end that it is over. */
  protected endSignal(reason: unknown = this.error ?? closedError()): void {
    if (!this.#gone.signal.aborted) this.#gone.abort(reason);
  }

  /** Sends a STREAM frame without payload before all data, its own included. */
  protected sendNow(status: Header["status"]): void {
    this.wire.table.host.send(this.frame(status));
  }

  /** A STREAM frame without payload. */
  protected frame(status: Header["status"]): Uint8Array {
    return encodeFrame({ ...this.header, type: VirNetMessageType.VIR_NET_STREAM, status }, encodeVoid, undefined, "");
  }

  #hole(payload: Uint8Array): void {
    if (this.#moves[this.state].hole === undefined) return; // too late
    let hole: { readonly length: bigint; readonly flags: number };
    try {
      hole = decodeVirNetStreamHole(new XdrReader(payload));
    } catch {
      this.event("violation", rpcError("Unable to decode message payload"));
      return;
    }
    const { length, flags } = hole;
    if (!this.sparse) this.event("violation", rpcError("Unexpected stream hole"));
    else if (flags !== 0) this.event("violation", rpcError(`stream hole with unexpected flags ${flags}`));
    else if (length <= 0n) this.event("violation", rpcError(`stream hole of ${length} bytes`));
    else if (this.#offset + BigInt(this.#received) + length > MAX_OFFSET) this.event("violation", tooFar());
    else {
      this.#offset += length;
      this.#room = Number(MAX_OFFSET - this.#offset) - this.#received;
      this.receiver.hole(length);
    }
  }
}

export function closedError(): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, VirErrorDomain.VIR_FROM_STREAMS, "stream is closed");
}

function rpcError(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_STREAMS, detail);
}

function tooFar(): VirtError {
  return virtError(
    VirErrorNumber.VIR_ERR_OVERFLOW,
    VirErrorDomain.VIR_FROM_STREAMS,
    "the stream goes beyond 2^63 bytes",
  );
}

function receivedError(payload: Uint8Array): VirtError {
  try {
    return VirtError.fromMessage(decodeVirNetMessageError(new XdrReader(payload)));
  } catch {
    return rpcError("Unable to decode message payload");
  }
}
