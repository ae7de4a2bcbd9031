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

/** Reads the header at the beginning of a frame without its length word, which has at least 24 bytes. */
export function readHeader(frame: Uint8Array): Header {
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES);
  return {
    prog: view.getUint32(0),
    vers: view.getUint32(4),
    proc: view.getInt32(8),
    type: view.getInt32(12) as Header["type"],
    serial: view.getUint32(16),
    status: view.getInt32(20) as Header["status"],
  };
}

/** Writes length word and header at the beginning of a whole frame. */
export function writeHeader(frame: Uint8Array, header: Header): void {
  const view = new DataView(frame.buffer, frame.byteOffset, MIN_FRAME);
  view.setUint32(0, frame.byteLength);
  view.setUint32(4, header.prog);
  view.setUint32(8, header.vers);
  view.setInt32(12, header.proc);
  view.setInt32(16, header.type);
  view.setUint32(20, header.serial);
  view.setInt32(24, header.status);
}

/** Changes the serial of a whole frame. */
export function setSerial(frame: Uint8Array, serial: number): void {
  new DataView(frame.buffer, frame.byteOffset, MIN_FRAME).setUint32(20, serial);
}
