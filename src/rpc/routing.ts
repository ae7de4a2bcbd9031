import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import type { Keep } from "../transport/index.ts";
import type { CallTable } from "./call-table.ts";
import { ProtocolError } from "./errors.ts";
import type { EventListeners } from "./event-listeners.ts";
import { FD_COUNT_BYTES, readFdCount } from "./file-descriptors.ts";
import type { Header } from "./header.ts";
import { isKeepalive, isPing } from "./keepalive.ts";
import type { DropReason, PeerOptions } from "./peer-options.ts";
import { settle } from "./reply.ts";
import type { Requests } from "./requests.ts";
import type { StreamEntry, StreamTable } from "./stream/table.ts";
import { harmless } from "./uncaught.ts";

/** Who takes messages, and what routing needs of their connection. */
export interface RoutingHost {
  readonly connection: string;
  readonly calls: CallTable;
  readonly requests: Requests;
  readonly listeners: EventListeners;
  readonly options: PeerOptions;
  /** Bytes of stream data that follow the present message's header. */
  readonly dataToCome: number;
  /** Passes over bytes behind the present message. */
  skip(bytes: number): void;
  sendPong(): void;
}

/** Brings each message to who waits for it. */
export class Routing {
  /** Once there has been one. */
  streams: StreamTable | undefined;
  readonly #host: RoutingHost;
  /** The stream whose data is being read, if it is known. */
  #receiving: StreamEntry | undefined;

  constructor(host: RoutingHost) {
    this.#host = host;
  }

  /** @throws {ProtocolError} where the message breaks the rules so that the connection cannot go on */
  message(header: Header, body: Uint8Array): void {
    switch (header.type) {
      case VirNetMessageType.VIR_NET_CALL:
        this.#serve(header, body);
        return;
      case VirNetMessageType.VIR_NET_CALL_WITH_FDS: {
        const count = readFdCount(body);
        if (count > 0) throw new ProtocolError("fds-unsupported", "a call with file descriptors", { count });
        this.#serve(header, body.subarray(FD_COUNT_BYTES));
        return;
      }
      case VirNetMessageType.VIR_NET_REPLY:
        this.#reply(header, body, 0);
        return;
      case VirNetMessageType.VIR_NET_REPLY_WITH_FDS: {
        if (this.#host.options.answer !== undefined) {
          this.#drop("unmatched-reply", header);
          return;
        }
        const count = readFdCount(body);
        this.#host.skip(count); // each descriptor comes with a byte outside the frame
        this.#reply(header, body.subarray(FD_COUNT_BYTES), count);
        return;
      }
      case VirNetMessageType.VIR_NET_MESSAGE:
        if (isPing(header)) {
          this.#host.sendPong();
        } else if (!isKeepalive(header)) {
          const reason = this.#host.listeners.deliver(header, body, this.#host.connection);
          if (reason !== undefined) this.#drop(reason, header);
        }
        return;
      case VirNetMessageType.VIR_NET_STREAM:
      case VirNetMessageType.VIR_NET_STREAM_HOLE:
        this.#stream(header, body);
        return;
      default:
        if (this.#host.options.answer === undefined) {
          throw new ProtocolError("unexpected-type", "a message of no known type", { type: header.type });
        }
        this.#drop("unknown-type", header);
    }
  }

  /** Data of the stream whose header came last. */
  data(piece: Uint8Array, keep: Keep | undefined): void {
    this.#receiving?.data(piece, keep);
  }

  #serve(header: Header, payload: Uint8Array): void {
    const { answer } = this.#host.options;
    if (answer === undefined) {
      const { prog, vers, proc, serial } = header;
      throw new ProtocolError("unexpected-call", "a call to a client", { prog, vers, proc, serial });
    }
    this.#host.requests.serve(answer, header, payload);
  }

  #reply(header: Header, payload: Uint8Array, fds: number): void {
    const { prog, vers, proc, serial, status } = header;
    const call = this.#host.calls.take(prog, vers, serial);
    if (call === undefined) {
      const isError = status === VirNetMessageStatus.VIR_NET_ERROR;
      const stream = isError ? this.streams?.find(header) : undefined;
      if (stream !== undefined) stream.refusedLate(payload);
      else if (isError && this.streams?.sentHoles === true) this.#drop("unknown-stream", header);
      else if (this.#host.options.answer === undefined) {
        throw new ProtocolError("unexpected-reply", "no call is waiting for it", { prog, vers, proc, serial });
      } else this.#drop("unmatched-reply", header);
      return;
    }
    call.opening?.answered(status === VirNetMessageStatus.VIR_NET_OK && proc === call.procedure.number);
    if (call.abandoned) this.#drop("late-reply", header);
    else settle(call, header, payload, fds, this.#host.options.explain);
  }

  #stream(header: Header, body: Uint8Array): void {
    const entry = this.streams?.find(header);
    this.#receiving = entry;
    if (entry === undefined) this.#drop("unknown-stream", header);
    else if (this.#host.dataToCome === 0) entry.message(header, body);
  }

  #drop(reason: DropReason, header: Header): void {
    harmless(() => this.#host.options.onDrop?.(reason, header));
  }
}
