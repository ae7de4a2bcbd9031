import { timingSafeEqual } from "node:crypto";
import { type AddressInfo, createServer, type Server } from "node:net";
import { sockets, type Transport } from "../../transport/index.ts";
import { HELLO_BYTES, MemoryChannelError, readHello } from "./memory-channel.ts";
import { MemoryReceiver } from "./memory-receiver.ts";

/**
 * Bytes taken in before other work gets its turn: a few milliseconds of hashing. Node reads a busy socket up to 32
 * times in a row, which would be four times as much.
 */
const TURN_BYTES = 512 << 10;
/** Connections that may be without a hello at a time. One more, and the oldest is dropped. */
const MAX_STRANGERS = 8;

export interface MemoryListenerOptions {
  /** What the source must name. Good for one connection. */
  readonly token: Uint8Array;
  readonly memory: Uint8Array;
  /** Milliseconds to name the token. */
  readonly hello: number;
  /** Milliseconds without a byte after which the source is taken for dead. */
  readonly stall: number;
  /** The source has connected. */
  onConnected(): void;
  onMoved(bytes: number): void;
  /** All of the memory is there, and is what the source sent. */
  onArrived(digest: Uint8Array): void;
  /** The source was there, and failed. Strangers are not reported. */
  onFailed(error: MemoryChannelError): void;
}

/** Waits on a TCP port for the one connection that knows the token, and takes a guest's memory from it. */
export class MemoryListener {
  readonly #options: MemoryListenerOptions;
  readonly #server: Server;
  /** Connections that have not said hello, oldest first, with what ends our patience. */
  readonly #strangers = new Map<Transport, NodeJS.Timeout>();
  #stalled: NodeJS.Timeout | undefined;
  #source: Transport | undefined;
  #closed = false;

  constructor(options: MemoryListenerOptions) {
    this.#options = options;
    this.#server = createServer();
    // A listening socket that fails later has no more to give; the source cannot connect, and its side says so.
    this.#server.on("error", () => {});
  }

  /**
   * @param port 0 for any that is free.
   * @returns the port.
   */
  async listen(host: string, port: number): Promise<number> {
    const { acceptedTcp } = await sockets();
    this.#server.on("connection", (socket) => this.#greet(acceptedTcp(socket)));
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    const address = this.#server.address() as AddressInfo;
    if (this.#closed) this.#server.close();
    return address.port;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#stalled);
    if (this.#server.listening) this.#server.close();
    this.#dropStrangers();
    await this.#source?.close(new MemoryChannelError("migration is over"));
  }

  /** Takes a connection that may be anyone's, until it has said the token. */
  #greet(transport: Transport): void {
    if (this.#closed || this.#source !== undefined) {
      void transport.close(new MemoryChannelError("not expected"));
      return;
    }
    const [oldest] = this.#strangers.keys();
    if (this.#strangers.size >= MAX_STRANGERS) this.#drop(oldest!);
    const patience = setTimeout(() => this.#drop(transport), this.#options.hello);
    this.#strangers.set(transport, patience);
    const hello = new Uint8Array(HELLO_BYTES);
    let length = 0;
    let source: { take(chunk: Uint8Array): void; fail(error: MemoryChannelError): void } | undefined;
    transport.start({
      bytes: (chunk) => {
        if (source !== undefined) {
          source.take(chunk);
          return;
        }
        const piece = chunk.subarray(0, HELLO_BYTES - length);
        hello.set(piece, length);
        length += piece.byteLength;
        if (length < HELLO_BYTES) return;
        if (!this.#admits(hello)) {
          this.#drop(transport);
          return;
        }
        source = this.#receive(transport);
        const rest = chunk.subarray(piece.byteLength);
        if (rest.byteLength > 0) source.take(rest);
      },
      end: (cause) => {
        const why = "source closed the connection before all of the memory was there";
        if (source === undefined) this.#drop(transport);
        else source.fail(new MemoryChannelError(why, cause === undefined ? {} : { cause }));
      },
    });
  }

  #drop(stranger: Transport): void {
    clearTimeout(this.#strangers.get(stranger));
    this.#strangers.delete(stranger);
    void stranger.close(new MemoryChannelError("not expected"));
  }

  #dropStrangers(): void {
    for (const stranger of [...this.#strangers.keys()]) this.#drop(stranger);
  }

  #admits(bytes: Uint8Array): boolean {
    try {
      const { token, size } = readHello(bytes);
      return timingSafeEqual(token, this.#options.token) && size === BigInt(this.#options.memory.byteLength);
    } catch {
      return false;
    }
  }

  /** The source is here: nobody else will be listened to. */
  #receive(transport: Transport) {
    const { memory, stall, onConnected, onMoved, onArrived, onFailed } = this.#options;
    clearTimeout(this.#strangers.get(transport));
    this.#strangers.delete(transport);
    this.#dropStrangers();
    this.#server.close();
    this.#source = transport;
    const receiver = new MemoryReceiver(memory);
    let arrived = false;
    const fail = (error: MemoryChannelError) => {
      clearTimeout(this.#stalled);
      void transport.close(arrived ? undefined : error); // the answer still goes out
      if (!this.#closed && !arrived) onFailed(error);
    };
    let inTurn = 0;
    const yieldAfter = (bytes: number) => {
      inTurn += bytes;
      if (inTurn < TURN_BYTES) return;
      inTurn = 0;
      transport.pause();
      setImmediate(() => transport.resume());
    };
    const stalled = setTimeout(() => fail(new MemoryChannelError(`source sent nothing for ${stall} ms`)), stall);
    this.#stalled = stalled;
    const take = (chunk: Uint8Array) => {
      stalled.refresh();
      try {
        const moved = receiver.push(chunk);
        if (moved > 0) onMoved(moved);
        yieldAfter(moved);
      } catch (error) {
        fail(error as MemoryChannelError);
        return;
      }
      if (receiver.digest === undefined) return;
      arrived = true;
      clearTimeout(stalled);
      transport.write([receiver.answer]);
      onArrived(receiver.digest);
    };
    onConnected();
    return { take, fail };
  }
}
