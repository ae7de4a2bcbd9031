import {
  VIR_NET_MESSAGE_HEADER_MAX,
  VIR_NET_MESSAGE_HEADER_XDR_LEN,
  VIR_NET_MESSAGE_MAX,
  type VirNetMessageHeader,
} from "../generated/netmessage/index.ts";

/** Bytes of the length word. It counts itself. */
export const LENGTH_BYTES = VIR_NET_MESSAGE_HEADER_XDR_LEN;
/** Bytes of virNetMessageHeader. */
export const HEADER_BYTES = VIR_NET_MESSAGE_HEADER_MAX;
/** The shortest frame: length word and header, no payload. */
export const MIN_FRAME = LENGTH_BYTES + HEADER_BYTES;
/** The longest frame: VIR_NET_MESSAGE_MAX and the length word. */
export const MAX_FRAME = VIR_NET_MESSAGE_MAX + LENGTH_BYTES;

/** virNetMessageHeader. `type` and `status` may be numbers that this version does not know. */
export type Header = VirNetMessageHeader;

// Byte by byte: to make a DataView for each message takes longer than to read one.

/** Reads the header at the beginning of a frame without its length word, which has at least 24 bytes. */
export function readHeader(frame: Uint8Array): Header {
  return {
    prog: readWord(frame, 0) >>> 0,
    vers: readWord(frame, 4) >>> 0,
    proc: readWord(frame, 8),
    type: readWord(frame, 12) as Header["type"],
    serial: readWord(frame, 16) >>> 0,
    status: readWord(frame, 20) as Header["status"],
  };
}

/** Writes length word and header at the beginning of a whole frame. */
export function writeHeader(frame: Uint8Array, header: Header): void {
  writeWord(frame, 0, frame.byteLength);
  writeWord(frame, 4, header.prog);
  writeWord(frame, 8, header.vers);
  writeWord(frame, 12, header.proc);
  writeWord(frame, 16, header.type);
  writeWord(frame, 20, header.serial);
  writeWord(frame, 24, header.status);
}

/** Changes the serial of a whole frame. */
export function setSerial(frame: Uint8Array, serial: number): void {
  writeWord(frame, 20, serial);
}

/** Changes the length word of a frame. */
export function setLength(frame: Uint8Array, length: number): void {
  writeWord(frame, 0, length);
}

/** A signed word of 32 bits. */
export function readWord(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
