import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import { authSaslStart, authSaslStep } from "../generated/remote/index.ts";
import { HEADER_BYTES, LENGTH_BYTES, readHeader } from "../rpc/index.ts";
import {
  type Keep,
  type PeerIdentity,
  type Transport,
  TransportError,
  type TransportSink,
} from "../transport/index.ts";

/** What a SASL mechanism puts around the bytes of a connection once the login is done. Each direction has its state. */
export interface SecurityLayer {
  /** Its strength in bits, as SASL counts: 1 for integrity alone, above that the cipher's key. */
  readonly ssf: number;
  /** Bytes that may go into one token. */
  readonly maxPlain: number;
  /** Bytes in the longest token taken, without its length word. */
  readonly maxToken: number;
  /** Makes a token, without its length word. Must not keep or change `plain`. */
  encode(plain: Uint8Array): Uint8Array;
  /** Opens a token, which it may keep and change. @throws where the token is not the other side's next one. */
  decode(token: Uint8Array): Uint8Array;
}

const LENGTH_WORD = 4;

/** `complete`, with which the replies to SASL's steps begin. */
const COMPLETE_BYTES = 4;

/**
 * A transport that passes bytes through until `secure` is called, and from then on sends and takes SASL tokens: a
 * length word, big-endian, and as many bytes. Tokens have nothing to do with the messages in them.
 * @source virNetSASLSessionEncode, libvirt src/rpc/virnetsaslcontext.c; RFC 4422 section 3.7
 */
export class SecurityLayerTransport implements Transport {
  readonly #inner: Transport;
  #sink: TransportSink | undefined;
  /** What opens what comes. */
  #layer: SecurityLayer | undefined;
  /** What seals what goes out: the same, but for the reply that says so, which still goes out as it is. */
  #sealing = false;
  readonly #frames = new FrameEnds();
  /** What was written, each message an answer to one that came. */
  readonly #answers: FrameEnds | undefined;
  readonly #word = new Uint8Array(LENGTH_WORD);
  /** The token that is being read, once its length is known. */
  #token: Uint8Array | undefined;
  /** Bytes of the length word, or of the token, that are there. */
  #have = 0;

  /** @param serves whether this is the side that answers calls, and may be told `secureAfterReply` */
  constructor(inner: Transport, serves = false) {
    this.#inner = inner;
    if (serves) this.#answers = new FrameEnds();
  }

  get peer(): PeerIdentity {
    const { peer } = this.#inner;
    const ssf = this.#layer?.ssf ?? 0;
    return ssf <= 1 ? peer : { ...peer, secure: true, security: { encrypted: true, ssf } };
  }

  /**
   * Everything after this goes through the layer, in both directions. Bytes that came too early, unprotected, would
   * otherwise become the beginning of the first protected message, and somebody on the way could have sent them.
   * @throws {TransportError} `io` where the bytes read so far end inside a message; the transport is then closed
   */
  secure(layer: SecurityLayer): void {
    this.#secure(layer, !this.#frames.inside);
    this.#sealing = true;
  }

  /**
   * The same for the side that serves, where the reply that ends the login is yet to be written: it goes out as it is, and
   * what is written after it is sealed. Whole messages must be written, as a Peer does. A client waits for that reply:
   * whatever has come behind the call that it answers, and may still lie in the Peer, is somebody else's.
   */
  secureAfterReply(layer: SecurityLayer): void {
    this.#secure(layer, !this.#frames.inside && this.#frames.whole - (this.#answers?.whole ?? 0) === 1);
  }

  #secure(layer: SecurityLayer, isClean: boolean): void {
    if (this.#layer !== undefined) throw new TransportError("io", "the connection has a security layer already");
    if (!isClean) {
      const error = new TransportError("io", "unprotected bytes came after the login that agreed on protection");
      this.#fail(error);
      throw error;
    }
    this.#layer = layer;
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    this.#inner.start({ bytes: (chunk, keep) => this.#bytes(chunk, keep), end: (error) => this.#end(error) });
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  write(parts: readonly Uint8Array[]): boolean {
    if (this.#layer === undefined) {
      if (this.#answers !== undefined) for (const part of parts) this.#answers.push(part);
      return this.#inner.write(parts);
    }
    if (!this.#sealing) return this.#writeReply(this.#layer, parts);
    let tokens: readonly Uint8Array[];
    try {
      tokens = encode(this.#layer, parts);
    } catch (error) {
      this.#fail(error as Error);
      return true;
    }
    return this.#inner.write(tokens);
  }

  /** Seals what comes after the reply that ends the login, once that is among what is written. */
  #writeReply(layer: SecurityLayer, parts: readonly Uint8Array[]): boolean {
    const bytes = joined(parts);
    for (let at = 0; at < bytes.byteLength && !this.#sealing; ) {
      const message = bytes.subarray(at);
      at += Math.max(LENGTH_WORD, new DataView(bytes.buffer, at).getUint32(0));
      if (!endsLogin(message)) continue;
      this.#sealing = true;
      return this.#inner.write([bytes.subarray(0, at), ...encode(layer, [bytes.subarray(at)])]);
    }
    return this.#inner.write(parts);
  }

  drained(): Promise<void> {
    return this.#inner.drained();
  }

  close(reason?: Error): Promise<void> {
    this.#sink = undefined;
    return this.#inner.close(reason);
  }

  #bytes(chunk: Uint8Array, keep: Keep | undefined): void {
    const layer = this.#layer;
    if (layer === undefined) {
      this.#frames.push(chunk);
      this.#sink?.bytes(chunk, keep);
      return;
    }
    try {
      for (let at = 0; at < chunk.byteLength && this.#sink !== undefined; ) at = this.#take(layer, chunk, at);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Reads on from `at`, at most to the end of one token. @returns where it stopped */
  #take(layer: SecurityLayer, chunk: Uint8Array, at: number): number {
    const into = this.#token ?? this.#word;
    const end = Math.min(at + into.byteLength - this.#have, chunk.byteLength);
    into.set(chunk.subarray(at, end), this.#have);
    this.#have += end - at;
    if (this.#have < into.byteLength) return end;
    this.#have = 0;
    if (this.#token === undefined) {
      const length = new DataView(into.buffer).getUint32(0);
      if (length === 0 || length > layer.maxToken) {
        throw new TransportError("io", `a SASL token of ${length} bytes, of at most ${layer.maxToken}`);
      }
      this.#token = new Uint8Array(length);
      return end;
    }
    this.#token = undefined;
    const plain = layer.decode(into);
    if (plain.byteLength > 0) this.#sink?.bytes(plain);
    return end;
  }

  #end(error: Error | undefined): void {
    const sink = this.#sink;
    this.#sink = undefined;
    const inside = this.#token !== undefined || this.#have > 0;
    const short = "the other side closed the connection inside a SASL token";
    sink?.end(error ?? (inside ? new TransportError("eof", short) : undefined));
  }

  #fail(error: Error): void {
    const sink = this.#sink;
    this.#sink = undefined;
    void this.#inner.close(error);
    sink?.end(error);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

/** Whether a message is the reply to a step of SASL's that says that the login is complete. */
function endsLogin(message: Uint8Array): boolean {
  if (message.byteLength < LENGTH_BYTES + HEADER_BYTES + COMPLETE_BYTES) return false;
  const { prog, proc, type, status } = readHeader(message.subarray(LENGTH_BYTES));
  return (
    prog === authSaslStep.program.number &&
    (proc === authSaslStart.number || proc === authSaslStep.number) &&
    type === VirNetMessageType.VIR_NET_REPLY &&
    status === VirNetMessageStatus.VIR_NET_OK &&
    new DataView(message.buffer, message.byteOffset).getInt32(LENGTH_BYTES + HEADER_BYTES) !== 0
  );
}

/** Joins and cuts what is written into tokens as large as the other side takes. */
function encode(layer: SecurityLayer, parts: readonly Uint8Array[]): Uint8Array[] {
  const tokens: Uint8Array[] = [];
  let left = parts.reduce((sum, part) => sum + part.byteLength, 0);
  let plain = new Uint8Array(Math.min(left, layer.maxPlain));
  let have = 0;
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; ) {
      const end = Math.min(at + plain.byteLength - have, part.byteLength);
      plain.set(part.subarray(at, end), have);
      have += end - at;
      at = end;
      if (have < plain.byteLength) continue;
      const token = layer.encode(plain);
      const word = new Uint8Array(LENGTH_WORD);
      new DataView(word.buffer).setUint32(0, token.byteLength);
      tokens.push(word, token);
      left -= have;
      have = 0;
      plain = new Uint8Array(Math.min(left, layer.maxPlain));
    }
  }
  return tokens;
}

/** Knows whether the bytes so far end where a message does. Each begins with its length, the word included. */
class FrameEnds {
  #word = 0;
  #wordBytes = 0;
  /** Bytes of the message still to come, its length word done. */
  #left = 0;
  /** Messages that have ended. */
  whole = 0;

  get inside(): boolean {
    return this.#left > 0 || this.#wordBytes > 0;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.byteLength - at);
        this.#left -= step;
        at += step;
        if (this.#left === 0) this.whole++;
        continue;
      }
      this.#word = ((this.#word << 8) | (chunk[at++] as number)) >>> 0;
      if (++this.#wordBytes < LENGTH_WORD) continue;
      this.#left = Math.max(0, this.#word - LENGTH_WORD);
      this.#wordBytes = 0;
      this.#word = 0;
    }
  }
}
