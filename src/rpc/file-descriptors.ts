import { VIR_NET_MESSAGE_NUM_FDS_MAX as MAX_FDS } from "../generated/netmessage/index.ts";
import { ProtocolError } from "./errors.ts";

/** Bytes of the count in front of the payload. */
export const FD_COUNT_BYTES = 4;

/**
 * Reads how many file descriptors come with a CALL_WITH_FDS or REPLY_WITH_FDS message: one XDR unsigned int in front
 * of the payload, 0 to 32.
 * @throws {ProtocolError} `fd-count` above the limit, or when fewer than 4 bytes are there
 * @source virNetMessageDecodeNumFDs, libvirt src/rpc/virnetmessage.c. The comment in virnetprotocol.x says int8; the
 *   C code reads 4 bytes, and the C code is what peers run.
 */
export function readFdCount(body: Uint8Array): number {
  if (body.byteLength < FD_COUNT_BYTES) {
    throw new ProtocolError("fd-count", "no room for the count of file descriptors", { bytes: body.byteLength });
  }
  const count = new DataView(body.buffer, body.byteOffset, FD_COUNT_BYTES).getUint32(0);
  if (count > MAX_FDS) throw new ProtocolError("fd-count", "too many file descriptors", { count, max: MAX_FDS });
  return count;
}
