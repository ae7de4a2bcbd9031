import { inField, XdrError, type XdrErrorCode } from "./errors.ts";
import { HIGH, isAscii, LOW, latin1Write, utf8Write } from "./platform.ts";

const encoder = new TextEncoder();
/** A hyper and its halves: 3 times as fast as asUintN and `DataView.setBigInt64`, calls out of compiled code. */
const signed = new BigInt64Array(1);
const unsigned = new BigUint64Array(signed.buffer);
const halves = new Uint32Array(signed.buffer);
/** Up to here a loop over the characters beats a call of TextEncoder. */
const SHORT_STRING = 40;
/** Up to here UTF-8 is written faster than looked for. */
const MEDIUM_STRING = 256;
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

/** Characters of the longest name in the table; a typed parameter's has 80 bytes at most. */
const LONGEST_NAME = 64;
const NAME_BITS = 11;
/** Words of a slot: the length and the padded bytes. */
const NAME_WORDS = 1 + LONGEST_NAME / 4;
// The table of names: a slot has a text and what is written for it. A name has two slots, and takes one over: with one,
// those that meet in it would do so in every record, which made stats 1.6 times slower.
const nameTexts: string[] = new Array(1 << NAME_BITS).fill("");
const nameWords = new Int32Array((1 << NAME_BITS) * NAME_WORDS);
/** The slot that came after each, because records have their names in one order: stats encode 1.8 times as fast. */
const nextName = new Uint16Array(1 << NAME_BITS);
let lastName = 0;

/** Up to here a loop over the bytes beats a call of set(). */
const SMALL_OPAQUE = 32;

/** A buffer and the views on it. */
interface Room {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly words: Int32Array;
}

function roomFor(size: number): Room {
  const buffer = new ArrayBuffer(size);
  return {
    buffer,
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    words: new Int32Array(buffer, 0, size >> 2),
  };
}

/** The buffer that finished writers leave to the next one, so that a payload costs one allocation of its own size. */
let scratch: Room | undefined;
const SCRATCH_BYTES = 65_536;

/** Memory for small results that are soon let go, from `sharedAt` on, and the largest of them. */
let shared: ArrayBuffer = new ArrayBuffer(0);
let sharedAt = 0;
const SHARED_BYTES = 16_384;
const SHARED_MOST = 1024;
/** Up to so many bytes are copied one by one. */
const LOOP_MOST = 128;
const NOTHING = roomFor(0);
/** A buffer that one huge payload needed is not kept. */
const LARGEST_SCRATCH = 1_048_576;

/**
 * Writes XDR (RFC 4506) into one growing buffer. Every value is checked against its type and limit: what comes out
 * is what a strict decoder takes. `at` names the field for the error.
 */
export class XdrWriter {
  #room: Room;
  // Its views, and how much it holds.
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #words: Int32Array;
  #size: number;
  #offset = 0;
  #depth = 0;
  readonly #max: number;

  /**
   * @param size bytes of a buffer of its own to begin with; it doubles as needed. Default: the shared one.
   * @param max bytes that may be written. Default 1 GiB.
   */
  constructor(size?: number, max = 0x4000_0000) {
    this.#max = max;
    const room = size === undefined && scratch !== undefined ? scratch : roomFor(size ?? SCRATCH_BYTES);
    if (room === scratch) scratch = undefined;
    this.#room = room;
    this.#bytes = room.bytes;
    this.#view = room.view;
    this.#words = room.words;
    this.#size = room.bytes.length;
  }

  /** Bytes written so far. */
  get offset(): number {
    return this.#offset;
  }

  /** What has been written: a view, valid until the next write or the end of the writer. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#room.buffer, 0, this.#offset); // twice as fast as subarray()
  }

  /** Starts over in the same buffer: for callers who take `bytes` and are done with them before the next payload. */
  reset(): void {
    this.#offset = 0;
    this.#depth = 0;
  }

  /**
   * What has been written, as a copy of exactly its size. Ends the writer: its buffer goes to the next one.
   * @throws {XdrError} `limit` where more than `max` bytes were written
   */
  finish(): Uint8Array<ArrayBuffer> {
    this.#withinMax(this.#offset);
    const result = this.#bytes.slice(0, this.#offset);
    this.release();
    return result;
  }

  /**
   * The same where the result is soon let go: small ones share memory, for which nothing has to be asked of the system.
   */
  finishShared(): Uint8Array<ArrayBuffer> {
    const length = this.#offset;
    if (length > SHARED_MOST) return this.finish();
    this.#withinMax(length);
    if (sharedAt + length > shared.byteLength) {
      shared = new ArrayBuffer(SHARED_BYTES);
      sharedAt = 0;
    }
    const result = new Uint8Array(shared, sharedAt, length);
    sharedAt = (sharedAt + length + 7) & ~7;
    const bytes = this.#bytes;
    if (length > LOOP_MOST) result.set(bytes.subarray(0, length));
    else for (let i = 0; i < length; i++) result[i] = bytes[i] as number; // `set` takes longer to begin
    this.release();
    return result;
  }

  /** Ends the writer without a result, after an error. */
  release(): void {
    if (this.#size >= SCRATCH_BYTES && this.#size <= LARGEST_SCRATCH) scratch = this.#room;
    this.#moveTo(NOTHING);
    this.#offset = 0;
  }

  int32(value: number, at?: string): void {
    if (typeof value !== "number" || (value | 0) !== value) this.#range(value, "a 32-bit integer", at, "number");
    const from = this.#offset;
    if (from + 4 > this.#size) this.#grow(4);
    this.#offset = from + 4;
    this.#view.setInt32(from, value);
  }

  uint32(value: number, at?: string): void {
    if (typeof value !== "number" || value >>> 0 !== value)
      this.#range(value, "an unsigned 32-bit integer", at, "number");
    const from = this.#offset;
    if (from + 4 > this.#size) this.#grow(4);
    this.#offset = from + 4;
    this.#view.setUint32(from, value);
  }

  int64(value: bigint, at?: string): void {
    if (typeof value !== "bigint") this.#range(value, "a 64-bit integer (bigint)", at, "bigint");
    signed[0] = value;
    if (signed[0] !== value) this.#range(value, "a 64-bit integer (bigint)", at, "bigint");
    const from = this.#offset;
    if (from + 8 > this.#size) this.#grow(8);
    this.#offset = from + 8;
    this.#view.setUint32(from, halves[HIGH] as number);
    this.#view.setUint32(from + 4, halves[LOW] as number);
  }

  uint64(value: bigint, at?: string): void {
    if (typeof value !== "bigint") this.#range(value, "an unsigned 64-bit integer (bigint)", at, "bigint");
    unsigned[0] = value;
    if (unsigned[0] !== value) this.#range(value, "an unsigned 64-bit integer (bigint)", at, "bigint");
    const from = this.#offset;
    if (from + 8 > this.#size) this.#grow(8);
    this.#offset = from + 8;
    this.#view.setUint32(from, halves[HIGH] as number);
    this.#view.setUint32(from + 4, halves[LOW] as number);
  }

  float(value: number, at?: string): void {
    if (typeof value !== "number") this.#range(value, "a number", at, "number");
    const from = this.#offset;
    if (from + 4 > this.#size) this.#grow(4);
    this.#offset = from + 4;
    this.#view.setFloat32(from, value);
  }

  double(value: number, at?: string): void {
    if (typeof value !== "number") this.#range(value, "a number", at, "number");
    const from = this.#offset;
    if (from + 8 > this.#size) this.#grow(8);
    this.#offset = from + 8;
    this.#view.setFloat64(from, value);
  }

  bool(value: boolean, at?: string): void {
    if (typeof value !== "boolean") this.#type(value, "a boolean", at);
    this.uint32(value ? 1 : 0);
  }

  /** The presence word of optional data: whether `value` is there. `undefined` counts as absent. */
  present<T>(value: T | null | undefined): value is T {
    const there = value !== null && value !== undefined;
    this.uint32(there ? 1 : 0);
    return there;
  }

  /** C's `char`, widened to four bytes with its sign. -128 to 127. */
  char(value: number, at?: string): void {
    this.#narrow(value, -0x80, 0x7f, at);
  }

  /** C's `unsigned char` in four bytes. */
  uchar(value: number, at?: string): void {
    this.#narrow(value, 0, 0xff, at);
  }

  /** C's `short` in four bytes. */
  short(value: number, at?: string): void {
    this.#narrow(value, -0x8000, 0x7fff, at);
  }

  /** C's `unsigned short` in four bytes. */
  ushort(value: number, at?: string): void {
    this.#narrow(value, 0, 0xffff, at);
  }

  /** `opaque x[length]`. */
  fixedOpaque(value: Uint8Array, length: number, at?: string): void {
    this.#bytesOfLength(value, length, at);
    this.#raw(value);
  }

  /** `opaque x<max>`. */
  opaque(value: Uint8Array, max: number, at?: string): void {
    this.#bytesUpTo(value, max, at);
    this.uint32(value.length);
    this.#raw(value);
  }

  /**
   * `string x<max>`, `max` in bytes of UTF-8.
   * @throws {XdrError} `nul` for a zero character (C peers would cut the string there), `utf8` for a lone surrogate.
   */
  string(value: string, max: number, at?: string): void {
    if (typeof value !== "string") this.#type(value, "a string", at);
    const start = this.#offset;
    const units = value.length;
    if (units <= SHORT_STRING && units <= max && this.#ascii(value, units)) return;
    if (units > max) this.#tooLong(start, value, max, at);
    if (value.includes("\0")) this.#fail("nul", at, `zero character at ${value.indexOf("\0")}`);
    if (units > MEDIUM_STRING && this.#longAscii(value, units)) return;
    if (!isWellFormed(value)) this.#fail("utf8", at, "a lone surrogate");
    // One character has four bytes at most: what does not fit the room leaves more than `max` bytes written.
    const room = Math.min(units * 3, max + 4);
    if (start + 4 + room + 3 > this.#size) this.#grow(4 + room + 3, 4 + units);
    const written =
      utf8Write !== undefined
        ? utf8Write.call(this.#bytes, value, start + 4, room)
        : encoder.encodeInto(value, this.#bytes.subarray(start + 4, start + 4 + room)).written;
    if (written > max) this.#tooLong(start, value, max, at);
    this.#view.setUint32(start, written);
    this.#offset = start + 4 + written;
    this.#pad(written);
  }

  /**
   * `string x<max>` for names that come again and again, such as the fields of typed parameters: one that is in the
   * table of names is copied from there: stats encode 1.5 times as fast. Never for secrets: the table is the process's.
   */
  name(value: string, max: number, at?: string): void {
    let slot = nextName[lastName] as number;
    if (nameTexts[slot] !== value) {
      if (typeof value !== "string" || value.length > LONGEST_NAME) {
        this.string(value, max, at);
        return;
      }
      slot = slotOf(value);
      if (nameTexts[slot] !== value && nameTexts[slot] !== "") slot ^= 1;
      if (nameTexts[slot] !== value && !this.#newName(slot, value, max, at)) return;
      nextName[lastName] = slot;
    }
    lastName = slot;
    if (value.length > max) this.#tooLong(this.#offset, value, max, at);
    const size = 4 + ((value.length + 3) & ~3);
    if (this.#offset + size > this.#size) this.#grow(size);
    // In words as they lie in memory: a DataView is asked anew for each what it is. 1.1 times for stats.
    const words = this.#words;
    let to = this.#offset >> 2;
    this.#offset += size;
    for (let word = slot * NAME_WORDS, end = to + (size >> 2); to < end; to++) words[to] = nameWords[word++] as number;
  }

  /** Takes an ASCII name into the table; writes another text. */
  #newName(slot: number, value: string, max: number, at: string | undefined): boolean {
    const start = this.#offset;
    this.string(value, max, at);
    if (this.#view.getUint32(start) !== value.length) return false;
    // A text cut out of a long one keeps that alive; a key is a text of its own.
    nameTexts[slot] = Object.keys({ [value]: 0 })[0] as string;
    nameWords.set(this.#words.subarray(start >> 2, this.#offset >> 2), slot * NAME_WORDS);
    this.#offset = start;
    return true;
  }

  /** `char x[length]`: each byte widened to four, sign-extended as x86 C does. */
  fixedChars(value: Uint8Array, length: number, at?: string): void {
    this.#bytesOfLength(value, length, at);
    this.#wide(value);
  }

  /** `char x<max>`, `max` in elements. */
  chars(value: Uint8Array, max: number, at?: string): void {
    this.#bytesUpTo(value, max, at);
    this.uint32(value.length);
    this.#wide(value);
  }

  /** `T x[length]`. */
  fixedArray<T>(value: readonly T[], length: number, encode: (w: XdrWriter, item: T) => void, at?: string): void {
    if (!Array.isArray(value)) this.#type(value, "an array", at);
    if (value.length !== length) this.#fail("limit", at, `${value.length} elements, exactly ${length} wanted`);
    this.#items(value, encode, at);
  }

  /** `T x<max>`. */
  array<T>(value: readonly T[], max: number, encode: (w: XdrWriter, item: T) => void, at?: string): void {
    this.count(value, max, at);
    this.#items(value, encode, at);
  }

  /** The count of a `T x<max>`, within its limit. */
  count(value: readonly unknown[], max: number, at?: string): void {
    if (!Array.isArray(value)) this.#type(value, "an array", at);
    if (value.length > max) this.#fail("limit", at, `${value.length} elements, limit ${max}`);
    this.uint32(value.length);
  }

  /** One level down in a recursive type: a value that contains itself ends as an error. @throws {XdrError} `depth` */
  enter(at?: string): void {
    if (++this.#depth > 1024) this.#fail("depth", at, "nested more than 1024 deep");
  }

  leave(): void {
    this.#depth--;
  }

  /** A discriminant that no arm of the union has. */
  noArm(value: unknown, at?: string): never {
    return this.#fail("union", at, `no arm for ${shown(value)}`);
  }

  #items<T>(value: readonly T[], encode: (w: XdrWriter, item: T) => void, at: string | undefined): void {
    let i = 0;
    try {
      for (; i < value.length; i++) encode(this, value[i] as T);
    } catch (error) {
      throw inField(error, `${at ?? ""}[${i}]`, this.#offset);
    }
  }

  /**
   * Writes a short ASCII text with its length and padding, four characters at a time; false, with nothing written, if
   * it is not ASCII.
   */
  #ascii(value: string, units: number): boolean {
    let to = this.#offset;
    if (to + 4 + SHORT_STRING > this.#size) this.#grow(4 + SHORT_STRING, 4 + units);
    const view = this.#view;
    view.setInt32(to, units);
    to += 4;
    let i = 0;
    // Gets a bit above the lowest seven from what is not ASCII, and from a zero: the bytes less one each.
    let odd = 0;
    for (; i + 3 < units; i += 4, to += 4) {
      const a = value.charCodeAt(i);
      const b = value.charCodeAt(i + 1);
      const c = value.charCodeAt(i + 2);
      const d = value.charCodeAt(i + 3);
      const word = (a << 24) | (b << 16) | (c << 8) | d;
      odd |= a | b | c | d | ((word - 0x01010101) & 0x80808080);
      view.setInt32(to, word);
    }
    if (i < units) {
      let word = 0;
      for (let shift = 24; i < units; i++, shift -= 8) {
        const unit = value.charCodeAt(i);
        odd |= unit | (unit - 1);
        word |= unit << shift;
      }
      view.setInt32(to, word);
      to += 4;
    }
    if ((odd & ~0x7f) !== 0) return false;
    this.#offset = to;
    return true;
  }

  /**
   * Writes a long text without zeros as Latin-1, which copies it, and looks whether that is ASCII; false, with nothing
   * written, if not. 1 MiB is written 1.4 times as fast, 8 KiB 1.2 times. V8 answers the pattern by how it stores the
   * text, mostly without a look at the characters.
   */
  #longAscii(value: string, units: number): boolean {
    if (latin1Write === undefined || isAscii === undefined || BEYOND_LATIN1.test(value)) return false;
    const start = this.#offset;
    if (start + 4 + units + 3 > this.#size) this.#grow(4 + units + 3, 4 + units);
    latin1Write.call(this.#bytes, value, start + 4, units);
    if (!isAscii(new Uint8Array(this.#room.buffer, start + 4, units))) return false;
    this.#view.setUint32(start, units);
    this.#offset = start + 4 + units;
    this.#pad(units);
    return true;
  }

  #raw(value: Uint8Array): void {
    const length = value.length;
    const padding = -length & 3;
    const from = this.#take(length + padding); // at once: a refusal leaves the offset at a whole word
    const bytes = this.#bytes;
    if (length > SMALL_OPAQUE) bytes.set(value, from);
    else for (let i = 0; i < length; i++) bytes[from + i] = value[i] as number;
    for (let i = from + length; i < this.#offset; i++) bytes[i] = 0;
  }

  #wide(value: Uint8Array): void {
    const from = this.#take(value.length * 4);
    for (let i = 0; i < value.length; i++) {
      this.#view.setInt32(from + i * 4, ((value[i] as number) << 24) >> 24);
    }
  }

  #pad(length: number): void {
    for (let size = -length & 3; size > 0; size--) {
      this.#reserve(1);
      this.#bytes[this.#offset++] = 0;
    }
  }

  #narrow(value: number, min: number, max: number, at: string | undefined): void {
    if (typeof value !== "number" || (value | 0) !== value || value < min || value > max)
      this.#range(value, `an integer from ${min} to ${max}`, at, "number");
    this.int32(value);
  }

  // `byteLength` is a call out of compiled code and costs 15 ns, `length` none: small messages encode 1.3 times as fast.
  #bytesOfLength(value: Uint8Array, length: number, at: string | undefined): void {
    if (!(value instanceof Uint8Array)) this.#type(value, "a Uint8Array", at);
    if (value.length !== length) this.#fail("limit", at, `${value.length} bytes, exactly ${length} wanted`);
  }

  #bytesUpTo(value: Uint8Array, max: number, at: string | undefined): void {
    if (!(value instanceof Uint8Array)) this.#type(value, "a Uint8Array", at);
    if (value.length > max) this.#fail("limit", at, `${value.length} bytes, limit ${max}`);
  }

  /** Makes room for `size` bytes and returns where they begin. */
  #take(size: number): number {
    this.#reserve(size);
    const from = this.#offset;
    this.#offset = from + size;
    return from;
  }

  #reserve(size: number): void {
    if (this.#offset + size > this.#size) this.#grow(size);
  }

  /**
   * Makes room for `size` bytes, of which at least `least` will be written.
   * @throws {XdrError} `limit`
   */
  #grow(size: number, least = size): void {
    const needed = this.#offset + size;
    this.#withinMax(this.#offset + least);
    const room = roomFor(Math.max(needed, Math.min(this.#size * 2, this.#max)));
    room.bytes.set(this.#bytes.subarray(0, this.#offset));
    this.#moveTo(room);
  }

  #moveTo(room: Room): void {
    this.#room = room;
    this.#bytes = room.bytes;
    this.#view = room.view;
    this.#words = room.words;
    this.#size = room.bytes.length;
  }

  #withinMax(bytes: number): void {
    if (bytes > this.#max) this.#fail("limit", undefined, `${bytes} bytes, limit ${this.#max} for a payload`);
  }

  /** A value of the wrong type, or a number of the right one that does not fit. */
  #range(value: unknown, wanted: string, at: string | undefined, type: "number" | "bigint"): never {
    return this.#fail(typeof value === type ? "range" : "type", at, `${shown(value)} is not ${wanted}`);
  }

  #type(value: unknown, wanted: string, at: string | undefined): never {
    return this.#fail("type", at, `${shown(value)} is not ${wanted}`);
  }

  #tooLong(start: number, value: string, max: number, at: string | undefined): never {
    this.#offset = start;
    return this.#fail("limit", at, `${encoder.encode(value).byteLength} bytes, limit ${max}`);
  }

  #fail(code: XdrErrorCode, at: string | undefined, detail: string): never {
    throw new XdrError(code, this.#offset, at, detail);
  }
}

/** Where a name is in the table. Looks at every character: names of one kind differ in one. */
function slotOf(name: string): number {
  let hash = name.length;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x9e3779b1);
  return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> (32 - NAME_BITS);
}

function shown(value: unknown): string {
  if (typeof value === "string") return "a string";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "bigint" ? `${value}n` : String(value);
}

/** Whether no surrogate stands alone. Every platform has the method; ES2023's types have not. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
