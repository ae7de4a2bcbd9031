import type { Socket } from "node:net";
import { type BufferPool, sharedPool } from "../buffer/index.ts";
import { TransportError } from "./errors.ts";
import { readInto } from "./read-into.ts";
import { SocketReader } from "./socket-reader.ts";
import { StreamTransport } from "./stream.ts";
import type { DialOptions, PeerIdentity, PoolOptions } from "./transport.ts";

/** Plain bytes of the longest TLS record, which a sender in haste fills. */
const TLS_RECORD = 16_384;

/** A connected socket of `node:net` or `node:tls` as a transport. */
export class SocketTransport extends StreamTransport {
  /** @param given what the socket was given as `onread`, if it was */
  constructor(socket: Socket, peer: PeerIdentity, { pool = sharedPool }: PoolOptions = {}, given?: SocketReader) {
    let failure: Error | undefined;
    super(socket, socket, peer, {
      why: () => failure,
      close: (reason) => closed(socket, reason),
      read() {
        const reader = given ?? readerOf(socket, pool);
        socket.once("close", () => reader?.close());
        return reader;
      },
      pool,
      joins: "encrypted" in socket,
    });
    // libvirt sets TCP_NODELAY too: small calls must not wait for the acknowledgement of the last one.
    socket.setNoDelay(true);
    socket.on("error", (cause) => {
      failure ??= new TransportError("io", `the connection broke: ${cause.message}`, { cause });
    });
  }
}

function readerOf(socket: Socket, pool: BufferPool): SocketReader | undefined {
  // Without loading node:tls for those who need none.
  const reader = new SocketReader(pool, "encrypted" in socket ? { record: TLS_RECORD } : {});
  return readInto(socket, reader) ? reader : undefined;
}

function closed(socket: Socket, reason: Error | undefined): Promise<void> {
  if (socket.closed) return Promise.resolve();
  const done = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  if (reason === undefined) socket.destroySoon();
  else socket.destroy();
  return done;
}

/** What the system's words mean for somebody who dials. */
const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOENT: "there is no such socket",
  ENOTSOCK: "that is no socket",
  EACCES: "this user may not",
  EPERM: "this user may not",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the host's name cannot be looked up now",
  EHOSTUNREACH: "no way leads to that host",
  ENETUNREACH: "no way leads to that network",
  ETIMEDOUT: "there was no answer",
};

/** The TransportError `connect` for a socket that did not come about; the system's error is its cause. */
export function connectFailure(address: string, cause: Error): TransportError {
  // Where a name has several addresses, Node collects an error for each and says nothing itself.
  const causes: readonly Error[] = cause instanceof AggregateError ? cause.errors : [cause];
  const words = new Set(causes.map((error) => meanings[(error as NodeJS.ErrnoException).code ?? ""]));
  const [meaning] = words;
  // Node writes an abstract socket's name as the kernel has it.
  const why = causes.map(({ message }) => message.replaceAll("\0", "")).join("; ");
  const detail = words.size === 1 && meaning !== undefined ? `${meaning} (${why})` : why;
  return new TransportError("connect", `cannot connect to ${address}: ${detail}`, { cause });
}

/**
 * Waits until a dialling socket is connected, or has emitted `event`. When it rejects, nothing is left of the socket.
 * @param failed makes the error of what the socket reported; default a TransportError `connect`
 */
export function connected(
  socket: Socket,
  address: string,
  { signal }: DialOptions,
  event = "connect",
  failed: (cause: Error) => Error = (cause) => connectFailure(address, cause),
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      signal?.removeEventListener("abort", onAbort);
      socket.off(event, onConnect);
      socket.off("error", onError);
      socket.off("close", onClose);
      if (error === undefined) {
        resolve();
        return;
      }
      socket.on("error", () => {}); // what still comes is about a socket that nobody has
      // It has gone when the caller hears of it.
      if (socket.closed) reject(error);
      else socket.once("close", () => reject(error));
      socket.destroy();
    };
    const onConnect = () => settle();
    const onError = (cause: Error) => settle(failed(cause));
    const onClose = () => settle(failed(new Error("the other side closed the connection")));
    const onAbort = () => settle(signal?.reason ?? new Error("aborted"));
    socket.on(event, onConnect);
    socket.on("error", onError);
    socket.on("close", onClose);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
  });
}
