import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import { type Codec, inField, XdrWriter } from "../xdr/index.ts";
import { ProtocolError } from "./errors.ts";
import { type Header, LENGTH_BYTES, MAX_FRAME, MIN_FRAME, readWord, writeHeader } from "./header.ts";

const NOTHING: Uint8Array = new Uint8Array(0);
/** A held buffer up to this size is used again for the next cut frame; a larger one is given back. */
const KEEP = 65_536;

/**
 * Cuts a stream of bytes into frames. A frame that lies whole in the chunk is handed out in place; one that came in
 * pieces is put together in a buffer that grows with what has arrived, never with what the length word announces.
 * Stream data is not put together: after its header come its pieces as they arrived.
 *
 * For each chunk: `push`, `next` and `piece` until nothing comes, `keep`.
 */
export class FrameScanner {
  readonly #max: number;
  /** What is left of earlier chunks, in `#held` from `#from` to `#to`. */
  #held = NOTHING;
  #from = 0;
  #to = 0;
  /** The present chunk, of which `#at` bytes are done with. */
  #chunk = NOTHING;
  #at = 0;
  /** Bytes to pass over before the next length word. */
  #skip = 0;
  /** Bytes of stream data that belong to the last header. */
  #data = 0;
  /** Whether the last piece lies in the present chunk. */
  #inChunk = false;

  /** @param maxFrame the longest frame taken, in bytes with the length word. Default and maximum: libvirt's. */
  constructor(maxFrame: number = MAX_FRAME) {
    this.#max = Math.min(maxFrame, MAX_FRAME);
  }

  /** Bytes of an unfinished frame, or of frames not asked for yet. */
  get pending(): number {
    return this.#to - this.#from + this.#left;
  }

  /** Bytes of memory in use for what is held. */
  get capacity(): number {
    return this.#held.byteLength;
  }

  /** Bytes of stream data still to come, by `piece`, before the next frame. */
  get data(): number {
    return this.#data;
  }

  /** Whether the last piece is a part of the present chunk, and not of bytes that were held back. */
  get inChunk(): boolean {
    return this.#inChunk;
  }

  /** Bytes left of the present chunk. */
  get #left(): number {
    return this.#chunk.length - this.#at; // `byteLength` is a call
  }

  /** Takes the next chunk, of any size. It is not copied until `keep`. */
  push(chunk: Uint8Array): void {
    if (this.#left > 0) this.keep();
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * The next whole frame without its length word, or undefined until more bytes arrive. Of a frame of stream data the
   * header alone, and then `data` says how much follows. A view that is valid until the next call of any method.
   * @throws {ProtocolError} `frame-length`
   * @source virNetMessageDecodeLength and virNetServerClientReadMessage, libvirt src/rpc
   */
  next(): Uint8Array | undefined {
    if (this.#skip > 0 && !this.#passOver()) return undefined;
    if (this.#from === this.#to) {
      const at = this.#at;
      const left = this.#left;
      if (left < LENGTH_BYTES) return undefined;
      const length = this.#whole(this.#chunk, at, left);
      if (left < length) return undefined;
      this.#at = at + length;
      const { buffer, byteOffset } = this.#chunk;
      return new Uint8Array(buffer, byteOffset + at + LENGTH_BYTES, length - LENGTH_BYTES); // faster than subarray()
    }
    if (!this.#gather(LENGTH_BYTES, LENGTH_BYTES)) return undefined;
    this.#length(this.#held, this.#from);
    if (!this.#gather(MIN_FRAME, MIN_FRAME)) return undefined;
    const length = this.#whole(this.#held, this.#from, MIN_FRAME);
    if (!this.#gather(length, length)) return undefined;
    const frame = this.#held.subarray(this.#from + LENGTH_BYTES, this.#from + length);
    this.#from += length;
    this.#empty();
    return frame;
  }

  /** The next bytes of stream data, as many as are there; undefined until more arrive. A view like that of `next`. */
  piece(): Uint8Array | undefined {
    const held = Math.min(this.#to - this.#from, this.#data);
    if (held > 0) {
      const piece = this.#held.subarray(this.#from, this.#from + held);
      this.#from += held;
      this.#empty();
      this.#data -= held;
      this.#inChunk = false;
      return piece;
    }
    const size = Math.min(this.#left, this.#data);
    if (size === 0) return undefined;
    const { buffer, byteOffset } = this.#chunk;
    const piece = new Uint8Array(buffer, byteOffset + this.#at, size);
    this.#at += size;
    this.#data -= size;
    this.#inChunk = true;
    return piece;
  }

  /** Copies what is left of the chunk, whose bytes are about to become invalid. */
  keep(): void {
    const rest = this.#left;
    if (rest > 0) this.#append(rest, Number.POSITIVE_INFINITY);
    this.#chunk = NOTHING;
    this.#at = 0;
  }

  /** Passes over bytes that follow the last frame without being part of any: those that carry file descriptors. */
  skip(bytes: number): void {
    this.#skip += bytes;
  }

  #passOver(): boolean {
    const held = Math.min(this.#skip, this.#to - this.#from);
    this.#from += held;
    const rest = Math.min(this.#skip - held, this.#left);
    this.#at += rest;
    this.#skip -= held + rest;
    return this.#skip === 0;
  }

  /** What of a frame is handed out at once: all of it, or the header of stream data where that is there. */
  #whole(bytes: Uint8Array, at: number, has: number): number {
    const length = this.#length(bytes, at);
    if (has < MIN_FRAME || length === MIN_FRAME || !isStreamData(bytes, at)) return length;
    this.#data = length - MIN_FRAME;
    return MIN_FRAME;
  }

  #empty(): void {
    if (this.#from < this.#to) return;
    this.#from = this.#to = 0;
    if (this.#held.byteLength > KEEP) this.#held = NOTHING;
  }

  #length(bytes: Uint8Array, at: number): number {
    const length = readWord(bytes, at) >>> 0;
    if (length < MIN_FRAME) throw new ProtocolError("frame-length", "a frame too short", { length, min: MIN_FRAME });
    if (length > this.#max) throw new ProtocolError("frame-length", "a frame too long", { length, max: this.#max });
    return length;
  }

  /** Moves bytes of the chunk behind the held ones until there are `wanted`, or none are left. */
  #gather(wanted: number, most: number): boolean {
    const missing = wanted - (this.#to - this.#from);
    if (missing <= 0) return true;
    const some = Math.min(missing, this.#left);
    if (some > 0) this.#append(some, most);
    return some === missing;
  }

  /** Copies `count` bytes of the chunk. The buffer doubles, but not above `most`, the size known to be of use. */
  #append(count: number, most: number): void {
    const held = this.#to - this.#from;
    if (this.#to + count > this.#held.byteLength) {
      if (held + count <= this.#held.byteLength) {
        this.#held.copyWithin(0, this.#from, this.#to);
      } else {
        const size = Math.max(held + count, Math.min(2 * this.#held.byteLength, most), 1024);
        const grown = new Uint8Array(size);
        grown.set(this.#held.subarray(this.#from, this.#to));
        this.#held = grown;
      }
      this.#from = 0;
      this.#to = held;
    }
    this.#held.set(this.#chunk.subarray(this.#at, this.#at + count), this.#to);
    this.#to += count;
    this.#at += count;
  }
}

/** Whether a frame, which begins at `at`, is a piece of a stream: STREAM/CONTINUE. */
function isStreamData(frame: Uint8Array, at: number): boolean {
  const header = at + LENGTH_BYTES;
  return (
    readWord(frame, header + 12) === VirNetMessageType.VIR_NET_STREAM &&
    readWord(frame, header + 20) === VirNetMessageStatus.VIR_NET_CONTINUE
  );
}

/**
 * Encodes a payload behind its header: one buffer, one frame.
 * @throws {XdrError} where the value does not fit its type, or the frame the limit of 32 MiB
 */
export function encodeFrame<T>(header: Header, codec: Codec<T>["encode"], value: T, at: string): Uint8Array {
  const w = new XdrWriter(undefined, MAX_FRAME);
  for (let i = 0; i < MIN_FRAME; i += 4) w.uint32(0);
  let frame: Uint8Array;
  try {
    codec(w, value);
    frame = w.finishShared();
  } catch (error) {
    const located = inField(error, at, w.offset);
    w.release();
    throw located;
  }
  writeHeader(frame, header);
  return frame;
}
