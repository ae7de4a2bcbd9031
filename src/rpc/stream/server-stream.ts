import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { VirNetMessageStatus, VirNetMessageType } from "../../generated/netmessage/index.ts";
import { apiName } from "../api-name.ts";
import { type AnyProcedure, errorReply } from "../dispatcher.ts";
import { AbortError } from "../errors.ts";
import type { Header } from "../header.ts";
import type { Peer } from "../peer.ts";
import { VirtError, virtError } from "../virt-error.ts";
import { closedError, Half } from "./half.ts";
import { type ServerAction, type ServerState, serverMoves } from "./states.ts";
import { StreamTable } from "./table.ts";
import type { ServerStream, ServerStreamOptions, StreamRun } from "./types.ts";

/** What opens a stream for a call that is being served. */
export interface ServedCall {
  readonly peer: Peer;
  readonly header: Header;
  readonly procedure: AnyProcedure;
  /** Learns what `run` threw that is no VirtError. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Opens the stream of a call: `run` begins when the call's OK reply is on its way, and never where it is refused.
 * @throws {VirtError} VIR_ERR_RESOURCE_BUSY where the client has too many streams, or one with this serial
 */
export function serveStream(call: ServedCall, run: StreamRun, { sparse = false }: ServerStreamOptions = {}): void {
  const { peer, header, procedure } = call;
  if (procedure.stream === undefined) throw new TypeError(`${procedure.name} opens no stream`);
  const table = peer.streams((host) => new StreamTable(host));
  if (!table.takesMore) throw busy("the connection is about to be closed");
  if (table.serving >= table.maxStreams) throw busy(`too many open streams (${table.maxStreams})`);
  if (table.has(header.serial)) throw busy(`serial ${header.serial} has a stream already`);
  const half = new ServerHalf(call, run, sparse);
  half.offer(table);
  peer.whenAnswered(header, (isOk) => half.answered(isOk));
}

function busy(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_RESOURCE_BUSY, VirErrorDomain.VIR_FROM_STREAMS, detail);
}

/** The half of the side that was called. */
class ServerHalf extends Half<ServerState, ServerAction> implements ServerStream {
  protected readonly side = "server";
  readonly isTransfer: boolean;
  readonly #call: ServedCall;
  readonly #run: StreamRun;
  /** What the handler is told that goes on although the client has finished. */
  #finished: AbortError | undefined;
  #wrote = false;
  #isRunning = false;

  constructor(call: ServedCall, run: StreamRun, sparse: boolean) {
    super(serverMoves, "offered", sparse);
    this.#call = call;
    this.#run = run;
    this.isTransfer = call.procedure.stream !== "both";
  }

  offer(table: StreamTable): void {
    this.enter(table, this.#call.header);
    table.serving++;
  }

  answered(isOk: boolean): void {
    this.event(isOk ? "reply" : "refused");
  }

  override write(bytes: Uint8Array): Promise<void> {
    this.#wrote = true;
    return super.write(bytes);
  }

  async end(): Promise<void> {
    if (this.error !== undefined) throw this.error;
    this.event("eof");
    await this.#eof;
  }

  #eof: Promise<void> | undefined;

  protected checkWritable(): void {
    if (this.error !== undefined) throw this.error;
    if (this.#finished !== undefined) throw this.#finished;
    if (this.state !== "open") throw closedError();
  }

  protected perform(action: ServerAction, error: unknown): void {
    switch (action) {
      case "deliver":
        return;
      case "start":
        this.#start();
        return;
      case "stopData":
        this.#finished = new AbortError(new Error("the client has finished the stream"));
        this.receiver.end();
        this.wire.sender.stop(this.#finished);
        // Who only sends would not notice before the next write.
        if (this.#call.procedure.stream === "read") this.endSignal(this.#finished);
        return;
      case "endData":
        this.receiver.end();
        return;
      case "sendEof":
        this.#sendEof();
        return;
      case "leave":
        this.receiver.stop();
        if (this.#wrote || this.#call.procedure.stream !== "write") this.#sendEof();
        return;
      case "rest":
        this.receiver.stop();
        return;
      case "confirm":
        this.#confirm();
        break;
      case "giveUp":
        this.failAll(new AbortError(new Error("the client has aborted the stream")));
        this.#confirm();
        break;
      case "refuse":
      case "sendError":
        this.failAll(error);
        this.#sendError(error as VirtError);
        break;
      case "drop":
        break;
      case "lose":
        this.failAll(new AbortError(error));
        break;
    }
    this.leave();
    this.endSignal();
    if (!this.#isRunning) this.wire.table.serving--;
  }

  #start(): void {
    this.#isRunning = true;
    const ended = (event: "done" | "threw", error?: unknown) => {
      this.#isRunning = false;
      if (this.state === "closed") this.wire.table.serving--;
      this.event(event, error);
    };
    // In a later turn: the reply goes first.
    Promise.resolve(this)
      .then(this.#run)
      .then(
        () => ended("done"),
        (error: unknown) => {
          const isOver = this.state === "closed" || (error === this.#finished && this.state === "finishing");
          if (isOver) ended("done");
          else ended("threw", this.#explain(error));
        },
      );
  }

  #sendEof(): void {
    this.#eof = this.wire.sender.frame(this.frame(VirNetMessageStatus.VIR_NET_CONTINUE));
    this.#eof.catch(() => {}); // the stream has ended otherwise
  }

  #confirm(): void {
    this.receiver.stop();
    this.wire.sender.stop(this.error ?? closedError());
    this.sendNow(VirNetMessageStatus.VIR_NET_OK);
  }

  #sendError(error: VirtError): void {
    const { VIR_NET_STREAM: type } = VirNetMessageType;
    let frame: Uint8Array;
    try {
      frame = errorReply(this.header, error, type);
    } catch {
      // A text that the wire does not carry, such as one with a zero character.
      frame = errorReply(this.header, this.#internal("the stream failed, and its error cannot be sent"), type);
    }
    this.wire.table.host.send(frame);
  }

  #explain(error: unknown): VirtError {
    if (error instanceof VirtError) return error;
    try {
      this.#call.onError?.(error);
    } catch {
      // Whoever listens to errors must not make new ones out of them.
    }
    return this.#internal("unexpected failure of the stream");
  }

  #internal(detail: string): VirtError {
    const text = `${apiName(this.#call.procedure)}: ${detail}`;
    return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_STREAMS, text);
  }
}
