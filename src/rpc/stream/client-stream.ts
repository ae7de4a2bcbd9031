import { VirNetMessageStatus } from "../../generated/netmessage/index.ts";
import type { CallOptions, StreamProcedure, StreamReply } from "../../xdr/index.ts";
import type { Call, Opening } from "../call.ts";
import { AbortError } from "../errors.ts";
import type { Header } from "../header.ts";
import type { Peer } from "../peer.ts";
import { closedError, Half } from "./half.ts";
import { type ClientAction, type ClientState, clientMoves } from "./states.ts";
import { StreamTable } from "./table.ts";
import type { FinishOptions, Stream } from "./types.ts";

/** VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM and its like: bit 0 in every procedure that has one. */
const SPARSE_STREAM = 1;

/**
 * Calls a procedure that opens a stream. The call is sent when the stream is known here, because its data may come
 * before the reply.
 * @param submit sends the call, or keeps it until there is a connection
 */
export async function openStream<Args, Ret>(
  peer: Peer,
  procedure: StreamProcedure<Args, Ret>,
  args: Args,
  options: CallOptions | undefined,
  submit: (call: Call) => void,
): Promise<StreamReply<Ret, Stream>> {
  const { flags } = args as { readonly flags?: number };
  const sparse = procedure.sparseFlag !== undefined && ((flags ?? 0) & SPARSE_STREAM) !== 0;
  const stream = new ClientStream(sparse, procedure.stream !== "both");
  try {
    const ret = await new Promise<Ret>((resolve, reject) => {
      submit(peer.prepare(procedure, args, options, resolve, reject, stream));
    });
    stream.follow(options?.signal);
    return { ret, stream };
  } catch (error) {
    void stream.abort(error);
    throw error;
  }
}

/** The half of the side that made the call. */
export class ClientStream extends Half<ClientState, ClientAction> implements Stream, Opening {
  protected readonly side = "client";
  readonly isTransfer: boolean;
  readonly #over: Promise<void>;
  #setOver!: () => void;
  #unfollow: (() => void) | undefined;

  constructor(sparse: boolean, isTransfer: boolean) {
    super(clientMoves, "unsent", sparse);
    this.isTransfer = isTransfer;
    this.#over = new Promise((resolve) => {
      this.#setOver = resolve;
    });
  }

  async finish({ signal }: FinishOptions = {}): Promise<void> {
    const onAbort = () => void this.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    if (!this.event("finish") && this.error !== undefined) throw this.error;
    signal?.addEventListener("abort", onAbort, { once: true });
    await this.#over;
    signal?.removeEventListener("abort", onAbort);
    if (this.error !== undefined) throw this.error;
  }

  async abort(reason?: unknown): Promise<void> {
    this.event("abort", reason instanceof AbortError ? reason : new AbortError(reason));
    await this.#over;
  }

  /** Waits for a finish that was asked for; anything else that is not over is aborted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.state !== "finishing") await this.abort(new Error("the stream was disposed of"));
    await this.#over;
  }

  /** Aborts when the signal that opened it does. */
  follow(signal: AbortSignal | undefined): void {
    if (signal === undefined || this.#isOver) return;
    const onAbort = () => void this.abort(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    this.#unfollow = () => signal.removeEventListener("abort", onAbort);
  }

  // What becomes of the call that opens it.

  sent(peer: Peer, header: Header): void {
    this.enter(
      peer.streams((host) => new StreamTable(host)),
      header,
    );
    this.event("sent");
  }

  unsent(): void {
    this.leave();
    this.event("unsent", new AbortError(undefined));
  }

  answered(isOpen: boolean): void {
    this.event(isOpen ? "reply" : "refused");
  }

  protected checkWritable(): void {
    if (this.error !== undefined) throw this.error;
    if (this.state !== "open" && this.state !== "ended") throw closedError();
  }

  protected perform(action: ClientAction, error: unknown): void {
    switch (action) {
      case "deliver":
        return;
      case "endOfData":
        this.receiver.end();
        return;
      case "sendFinish":
        this.receiver.stop();
        // Behind what was written. Where that fails, the stream does.
        this.wire.sender.frame(this.frame(VirNetMessageStatus.VIR_NET_OK)).catch(() => {});
        return;
      case "sendAbort":
        this.sendNow(VirNetMessageStatus.VIR_NET_ERROR);
        return;
      case "breakOff":
        this.failAll(error);
        this.sendNow(VirNetMessageStatus.VIR_NET_ERROR);
        return;
      case "fail":
        this.failAll(error);
        break;
      case "confirm":
        this.receiver.stop();
        break;
    }
    if (this.#isOver) this.#end();
  }

  get #isOver(): boolean {
    return this.state === "closed" || this.state === "failed";
  }

  #end(): void {
    this.leave();
    this.#unfollow?.();
    this.#setOver();
    this.endSignal();
  }
}
