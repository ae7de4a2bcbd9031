import type { Socket } from "node:net";
import { TransportError } from "./errors.ts";
import type { DialOptions, PeerIdentity, Transport, TransportSink } from "./transport.ts";

/** A connected socket of `node:net` as a transport: what unix and tcp share. */
export class SocketTransport implements Transport {
  readonly peer: PeerIdentity;
  readonly #socket: Socket;
  #sink: TransportSink | undefined;
  #failure: Error | undefined;
  #closed = false;

  constructor(socket: Socket, peer: PeerIdentity) {
    this.#socket = socket;
    this.peer = peer;
    // libvirt sets TCP_NODELAY too: small calls must not wait for the acknowledgement of the last one.
    socket.setNoDelay(true);
    socket.on("error", (cause) => {
      this.#failure ??= new TransportError("io", `the connection broke: ${cause.message}`, { cause });
    });
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    if (this.#socket.destroyed) {
      queueMicrotask(() => this.#end());
      return;
    }
    // Not the Buffer itself: its `slice` is a view, where everyone above expects a copy.
    this.#socket.on("data", ({ buffer, byteOffset, byteLength }: Uint8Array) => {
      this.#sink?.bytes(new Uint8Array(buffer, byteOffset, byteLength));
    });
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  write(parts: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (this.#closed || !socket.writable) return true;
    if (parts.length === 1) return socket.write(parts[0] as Uint8Array);
    socket.cork();
    for (const part of parts) socket.write(part);
    socket.uncork();
    return !socket.writableNeedDrain;
  }

  drained(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
  }

  close(reason?: Error): Promise<void> {
    this.#sink = undefined;
    this.#closed = true;
    const socket = this.#socket;
    if (socket.closed) return Promise.resolve();
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    if (reason === undefined) socket.destroySoon();
    else socket.destroy();
    return closed;
  }

  #end(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end(this.#failure);
  }
}

/** Waits until a dialling socket is connected. Rejects with a TransportError `connect`, or with the signal's reason. */
export function connected(socket: Socket, address: string, { signal }: DialOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      signal?.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("error", onError);
      if (error === undefined) {
        resolve();
        return;
      }
      socket.on("error", () => {}); // what still comes is about a socket that nobody has
      socket.destroy();
      reject(error);
    };
    const onConnect = () => settle();
    const onError = (cause: Error) => {
      // Where a name has several addresses, Node collects an error for each and says nothing itself.
      const causes: readonly Error[] = cause instanceof AggregateError ? cause.errors : [cause];
      const why = causes.map(({ message }) => message).join("; ");
      settle(new TransportError("connect", `cannot connect to ${address}: ${why}`, { cause }));
    };
    const onAbort = () => settle(signal?.reason ?? new Error("aborted"));
    socket.on("connect", onConnect);
    socket.on("error", onError);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
  });
}
