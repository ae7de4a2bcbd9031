import { type BufferPool, sharedPool } from "../buffer/index.ts";
import { TransportError } from "./errors.ts";
import type { WebSocketOptions } from "./options.ts";
import { keeperOf } from "./owned.ts";
import type { DialOptions, PeerIdentity, TlsIdentity, Transport, TransportSink } from "./transport.ts";

/** Bytes on their way above which `write` says that the pipe is full. */
const HIGH_WATER = 65_536;
/** The largest packet of libvirt's: VIR_NET_MESSAGE_MAX and the length word. */
export const MAX_MESSAGE = 33_554_436;
/** Two of the largest packets. */
export const MAX_UNREAD = 67_108_864;
/** Bytes that a message takes besides its own. */
const MESSAGE_COST = 256;
/** Milliseconds between looks at a browser's queue, which tells nobody when it empties. */
const POLL = 5;
/** Milliseconds that the other side has to answer a close. */
const GRACE = 2000;

/** What the platform's WebSocket and that of the package `ws` have in common, as far as it is used here. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: Uint8Array, sent?: (error?: Error) => void): void;
  close(code?: number, reason?: string): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: { message?: string; error?: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  // Those of `ws` alone.
  pause?(): void;
  resume?(): void;
  terminate?(): void;
  on?(event: "upgrade", listener: (response: { socket: object }) => void): void;
}
type SocketClass = new (url: string, protocols: string[], options?: object) => WebSocketLike;

const OPEN = 1;
const CLOSED = 3;

/**
 * Connects over a websocket, whose binary messages are pieces of the byte stream, cut anywhere.
 * @throws {TransportError} `connect`; `option` for a URL that is none
 */
export async function dialWebSocket(options: WebSocketOptions, dial: DialOptions = {}): Promise<Transport> {
  const { url } = options;
  if (!/^wss?:/i.test(url) || !URL.canParse(url)) {
    throw new TransportError("option", `${shown(url)} is not the URL of a websocket`);
  }
  const [WebSocket, inNode] = await socketClass();
  dial.signal?.throwIfAborted();
  let socket: WebSocketLike;
  try {
    const protocols = [...(options.protocols ?? [])];
    socket = inNode ? new WebSocket(url, protocols, nodeOptions(options)) : new WebSocket(url, protocols);
  } catch (cause) {
    throw new TransportError("option", `no websocket to ${shown(url)}: ${(cause as Error).message}`, { cause });
  }
  return overWebSocket(socket, options, dial);
}

/** Makes a transport of a websocket that has just begun to connect. */
export async function overWebSocket(
  socket: WebSocketLike,
  options: WebSocketOptions,
  { signal, pool }: DialOptions = {},
): Promise<Transport> {
  const { url, maxMessage = MAX_MESSAGE, maxUnread = MAX_UNREAD } = options;
  const secure = /^wss:/i.test(url);
  socket.binaryType = "arraybuffer";
  let tls: Tls | undefined;
  socket.on?.("upgrade", (response) => {
    tls = tlsOf(response.socket as NodeTlsSocket, options);
  });
  // Asked for when the upgrade is over; the transport itself has to be there before the first message.
  const peer = (): PeerIdentity => ({
    transport: secure ? "wss" : "ws",
    address: shown(url),
    secure,
    local: false,
    security: { encrypted: secure, ssf: tls?.ssf ?? 0 },
    ...(tls && { tls: tls.identity }),
  });
  const transport = new WebSocketTransport(socket, peer, maxMessage, maxUnread, pool);
  await transport.opened(shown(url), signal);
  return transport;
}

/** A URL for people: without what may be secret, a password or a token behind the path. */
function shown(url: string): string {
  return url.replace(/[?#][\s\S]*$/, "").replace(/^(\w+:\/*)[^/]*@/, "$1");
}

/** `ws` in Node, which knows headers, certificates and back-pressure; elsewhere the platform's own. */
async function socketClass(): Promise<[SocketClass, boolean]> {
  const inNode = typeof process === "object" && process.versions?.node !== undefined;
  if (inNode) return [(await import("ws")).WebSocket as unknown as SocketClass, true];
  const own = (globalThis as { WebSocket?: SocketClass }).WebSocket;
  if (own === undefined) throw new TransportError("unsupported", "this platform has no WebSocket");
  return [own, false];
}

function nodeOptions({ headers, ca, cert, key, verify = true, maxMessage = MAX_MESSAGE }: WebSocketOptions): object {
  return {
    headers,
    ca,
    cert,
    key,
    rejectUnauthorized: verify,
    maxPayload: maxMessage,
    perMessageDeflate: false,
  };
}

/** An open websocket, or one that is about to be, as a transport. */
export class WebSocketTransport implements Transport {
  readonly #socket: WebSocketLike;
  readonly #peer: () => PeerIdentity;
  readonly #maxMessage: number;
  readonly #maxUnread: number;
  readonly #pool: BufferPool;
  #sink: TransportSink | undefined;
  /** Why the pipe broke, once that is known. */
  #failure: TransportError | undefined;
  /** What `onerror` had to say: the reason why a close is none that was agreed on. */
  #said: { message: string; cause: unknown } | undefined;
  #closing = false;
  #paused = true;
  /** What came while nobody read, from `#next` on. */
  #waiting: Uint8Array[] = [];
  #next = 0;
  /** What that takes, as `maxUnread` counts. */
  #unread = 0;
  /** Bytes given to `ws` and not yet on their way. */
  #sending = 0;
  #settled: ((error?: unknown) => void) | undefined;
  #onRoom: (() => void)[] = [];
  #onClosed: (() => void)[] = [];
  #poll: ReturnType<typeof setTimeout> | undefined;

  constructor(
    socket: WebSocketLike,
    peer: () => PeerIdentity,
    maxMessage: number,
    maxUnread: number,
    pool: BufferPool = sharedPool,
  ) {
    this.#pool = pool;
    this.#socket = socket;
    this.#peer = peer;
    this.#maxMessage = maxMessage;
    this.#maxUnread = maxUnread;
    socket.onopen = () => {
      if (!this.#closing) socket.pause?.();
      this.#settled?.();
    };
    socket.onerror = ({ message, error }) => {
      const cause = error as NodeJS.ErrnoException | undefined;
      // Of several addresses, each has its own error.
      const causes = cause instanceof AggregateError ? (cause.errors as Error[]) : [];
      const text = causes.length === 0 ? (message ?? "") : causes.map((one) => one.message).join("; ");
      this.#said ??= { message: text, cause: error };
      if (cause?.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.#tooLarge();
    };
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    socket.onmessage = ({ data }) => this.#message(data);
  }

  get peer(): PeerIdentity {
    return this.#peer();
  }

  /** Waits until the socket is open. When it rejects, nothing is left of it. */
  opened(url: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => void this.close(signal?.reason ?? new Error("aborted")).then(() => settle(signal?.reason));
      const settle = (error?: unknown) => {
        signal?.removeEventListener("abort", onAbort);
        this.#settled = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#settled = (error) => {
        if (signal?.aborted) return; // onAbort has the word
        if (error === undefined) return settle();
        const { message, cause } = this.#said ?? { message: (error as Error).message, cause: undefined };
        const why = message === "" ? "no reason is given" : message;
        settle(new TransportError("connect", `cannot connect to ${url}: ${why}`, { cause }));
      };
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort);
    });
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    this.resume();
    if (this.#socket.readyState === CLOSED) queueMicrotask(() => this.#end());
  }

  pause(): void {
    this.#paused = true;
    if (this.#socket.readyState === OPEN) this.#socket.pause?.();
  }

  resume(): void {
    this.#paused = false;
    if (this.#waiting.length > 0) queueMicrotask(() => this.#deliver());
    else this.#socket.resume?.();
  }

  write(parts: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (this.#closing || socket.readyState !== OPEN) return true;
    const bytes = oneMessage(parts);
    if (bytes.byteLength === 0) return true;
    if (socket.terminate === undefined) socket.send(bytes);
    else {
      this.#sending += bytes.byteLength;
      socket.send(bytes, () => {
        this.#sending -= bytes.byteLength;
        if (!this.#full()) this.#room();
      });
    }
    return !this.#full();
  }

  drained(): Promise<void> {
    if (!this.#full()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onRoom.push(resolve);
      if (this.#socket.terminate === undefined) this.#watch();
    });
  }

  close(reason?: Error): Promise<void> {
    const socket = this.#socket;
    this.#sink = undefined;
    this.#forget();
    if (socket.readyState === CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onClosed.push(resolve);
      if (!this.#closing) socket.resume?.(); // the answer to our close comes behind what is unread
      this.#closing = true;
      if (reason !== undefined && socket.terminate !== undefined) socket.terminate();
      else if (reason !== undefined) {
        socket.close(1000);
        this.#closed(1006, ""); // a browser ends it in its own time
      } else {
        socket.close(1000);
        let timer: ReturnType<typeof setTimeout>;
        const wait = () => {
          timer = setTimeout(() => {
            if (this.#queued() > 0) wait();
            else if (socket.terminate) socket.terminate();
            else this.#closed(1006, "");
          }, GRACE);
        };
        wait();
        this.#onClosed.push(() => clearTimeout(timer));
      }
    });
  }

  #full(): boolean {
    if (this.#socket.readyState !== OPEN) return false;
    return this.#queued() > HIGH_WATER;
  }

  #queued(): number {
    return this.#socket.terminate === undefined ? this.#socket.bufferedAmount : this.#sending;
  }

  #room(): void {
    for (const resolve of this.#onRoom.splice(0)) resolve();
  }

  #watch(): void {
    this.#poll ??= setTimeout(() => {
      this.#poll = undefined;
      if (this.#full()) this.#watch();
      else this.#room();
    }, POLL);
  }

  #message(data: unknown): void {
    if (this.#closing || this.#failure !== undefined) return;
    if (!(data instanceof ArrayBuffer)) {
      this.#fail(new TransportError("message", "the other side sent a text message, where bytes are due"), 1003);
      return;
    }
    if (data.byteLength > this.#maxMessage) {
      this.#tooLarge();
      return;
    }
    if (data.byteLength === 0) return;
    this.#waiting.push(new Uint8Array(data));
    this.#unread += data.byteLength + MESSAGE_COST;
    if (!this.#paused) this.#deliver();
    else if (this.#unread > this.#maxUnread) {
      this.#forget();
      const why = `more than ${this.#maxUnread} bytes came that nobody read: a websocket cannot be told to wait here`;
      this.#fail(new TransportError("overflow", why), 1009);
    }
  }

  #take(): Uint8Array | undefined {
    const chunk = this.#waiting[this.#next];
    if (chunk === undefined) return undefined;
    this.#next++;
    this.#unread -= chunk.byteLength + MESSAGE_COST;
    // What has been read is let go in large steps, or each would move all that still waits.
    if (this.#next * 2 >= this.#waiting.length) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    return chunk;
  }

  #forget(): void {
    this.#waiting = [];
    this.#next = 0;
    this.#unread = 0;
  }

  #tooLarge(): void {
    this.#fail(
      new TransportError("message", `the other side sent a message of more than ${this.#maxMessage} bytes`),
      1009,
    );
  }

  #fail(failure: TransportError, code: number): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    const socket = this.#socket;
    if (socket.terminate !== undefined) socket.terminate();
    else socket.close(code === 1009 ? 4009 : 4003); // a page may use codes of its own only
    this.#end();
  }

  #deliver(): void {
    while (!this.#paused && this.#sink !== undefined) {
      const chunk = this.#take();
      if (chunk === undefined) break;
      this.#sink.bytes(chunk, keeperOf(this.#pool, chunk));
    }
    if (this.#paused || this.#waiting.length > 0) return;
    this.#socket.resume?.();
    if (this.#socket.readyState === CLOSED) this.#end();
  }

  #closed(code: number, reason: string): void {
    // 1000 and 1001 are agreed on; 1005 is a close without a code.
    if (!this.#closing && ![1000, 1001, 1005].includes(code)) {
      const said = [this.#said?.message, reason].filter((text) => text !== undefined && text !== "").join("; ");
      const message = `the websocket was closed with code ${code}${said === "" ? "" : `: ${said}`}`;
      this.#failure ??= new TransportError("io", message, { cause: this.#said?.cause });
    }
    this.#settled?.(new Error(`closed with code ${code}`));
    clearTimeout(this.#poll);
    this.#room();
    for (const resolve of this.#onClosed.splice(0)) resolve();
    if (this.#waiting.length === 0 && !this.#paused) this.#end();
  }

  #end(): void {
    if (this.#failure === undefined && (this.#waiting.length > 0 || this.#paused)) return;
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end(this.#failure);
  }
}

/** A copy: what was written may change before it is sent. */
function oneMessage(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.byteLength;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

// ---- TLS, in Node alone ----

interface Tls {
  readonly identity: TlsIdentity;
  readonly ssf: number;
}

/** The part of node:tls' TLSSocket that is of use here; none of it at a plain socket. */
interface NodeTlsSocket {
  readonly authorized?: boolean;
  getProtocol?(): string | null;
  getCipher?(): { standardName: string };
  getPeerX509Certificate?(): { subject: string; issuer: string; fingerprint256: string } | undefined;
}

function tlsOf(socket: NodeTlsSocket, { verify = true }: WebSocketOptions): Tls | undefined {
  if (socket.getCipher === undefined) return undefined;
  const { standardName: cipher } = socket.getCipher();
  const cert = socket.getPeerX509Certificate?.();
  const [, bits = "0"] = /_(128|256)_/.exec(cipher) ?? [];
  const identity = {
    protocol: socket.getProtocol?.() ?? "",
    cipher,
    subject: cert?.subject.replaceAll("\n", ", "),
    issuer: cert?.issuer.replaceAll("\n", ", "),
    fingerprint256: cert?.fingerprint256,
    verified: verify || socket.authorized === true,
  };
  return { identity, ssf: cipher.includes("CHACHA20") ? 256 : Number(bits) };
}
