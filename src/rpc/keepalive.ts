import { ping, pong, program } from "../generated/keepalive/index.ts";
import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import { type Header, MIN_FRAME, writeHeader } from "./header.ts";

function message(proc: number): Uint8Array {
  const frame = new Uint8Array(MIN_FRAME);
  const { VIR_NET_MESSAGE: type } = VirNetMessageType;
  writeHeader(frame, {
    prog: program.number,
    vers: program.version,
    proc,
    type,
    serial: 0,
    status: VirNetMessageStatus.VIR_NET_OK,
  });
  return frame;
}

/** The answer to a ping, the same for every one: one buffer serves all connections. */
export const PONG = message(pong.number);

/** Whether a MESSAGE is a ping. Its serial, status and payload do not count. @source virKeepAliveCheckMessage */
export function isPing(header: Header): boolean {
  return header.prog === program.number && header.vers === program.version && header.proc === ping.number;
}

/** Whether a MESSAGE belongs to the keepalive program, of any version. */
export function isKeepalive(header: Header): boolean {
  return header.prog === program.number;
}
