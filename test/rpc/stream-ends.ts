import type { Lease } from "../../src/buffer/index.ts";
import { sharedPool } from "../../src/buffer/index.ts";
import { remoteDescription } from "../../src/generated/remote/index.ts";
import {
  type DropReason,
  Peer,
  type PeerOptions,
  type ServerStreamOptions,
  type StreamRun,
} from "../../src/rpc/index.ts";
import { createServer, type Server, type ServerOptions, serve } from "../../src/server/index.ts";
import { pair, type Transport } from "../../src/transport/index.ts";
import { RawEnd, type RawMessage } from "./raw-end.ts";
import { join, REMOTE, str, words } from "./wire.ts";

export const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
export const dom = { name: "web", uuid, id: -1 };
export const vol = { pool: "p", name: "v", key: "/p/v" };
/** Arguments of STORAGE_VOL_UPLOAD and _DOWNLOAD. */
export const volArgs = (flags = 0) => ({ vol, offset: 0n, length: 0n, flags });
export const volPayload = (flags = 0) => join(str("p"), str("v"), str("/p/v"), words(0, 0, 0, 0, flags));
export const UPLOAD = 208;
export const DOWNLOAD = 209;
export const CONSOLE = 201;

/** `size` bytes that differ along the way. */
export function pattern(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, x = seed; i < size; i++) {
    x = (x * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = x >> 16;
  }
  return bytes;
}

/** All the data of a stream, its leases given back. */
export async function readAll(stream: { [Symbol.asyncIterator](): AsyncIterator<Lease> }): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const lease of { [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator]() }) {
    parts.push(lease.bytes.slice());
    lease.release();
  }
  return join(...parts);
}

/** Leases that nobody has given back. */
export const openLeases = () => sharedPool.stats.leases;

/** Our client before scripted bytes. */
export function clientBeforeBytes(options: PeerOptions = {}, wrap = (transport: Transport) => transport) {
  const [near, far] = pair();
  const dropped: DropReason[] = [];
  const peer = new Peer(wrap(near), { ...options, onDrop: (reason) => dropped.push(reason) });
  return { peer, server: new RawEnd(far), dropped };
}

/** What goes into a stream that `call` opened. */
export function streamFrame(
  call: RawMessage,
  type: number,
  status: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const { prog, vers, proc, serial } = call;
  return join(words(28 + payload.byteLength, prog, vers, proc, type, serial, status), payload);
}

/** Upload, download and console are served by `run`. */
export function streamServer(
  run: StreamRun,
  options: ServerStreamOptions = {},
  more: Partial<ServerOptions> = {},
): Server {
  return createServer({
    programs: [
      serve(remoteDescription, {
        storageVolUpload: (_args, context) => void context.stream(run, options),
        storageVolDownload: (_args, context) => void context.stream(run, options),
        domainOpenConsole: (_args, context) => void context.stream(run, options),
        domainMigratePrepareTunnel3Params(_args, context) {
          context.stream(run, options);
          return { cookieOut: Uint8Array.of(7) };
        },
        domainScreenshot(_args, context) {
          context.stream(run, options);
          return { mime: "image/png" };
        },
        connectGetLibVersion: () => ({ libVer: 11_000_000n }),
      }),
    ],
    ...more,
  });
}

/** Our client before our server. */
export function bothHalves(
  run: StreamRun,
  options?: ServerStreamOptions,
  more?: Partial<ServerOptions>,
  peerOptions: PeerOptions = {},
) {
  const [near, far] = pair();
  const server = streamServer(run, options, more);
  const session = server.accept(far);
  if (session === undefined) throw new Error("not accepted");
  return { peer: new Peer(near, peerOptions), server, session };
}

/** Scripted bytes before our server. */
export function bytesBeforeServer(run: StreamRun, options?: ServerStreamOptions, more?: Partial<ServerOptions>) {
  const [near, far] = pair();
  const dropped: DropReason[] = [];
  const server = streamServer(run, options, { ...more, onDrop: (reason) => dropped.push(reason) });
  const session = server.accept(far);
  if (session === undefined) throw new Error("not accepted");
  const raw = new RawEnd(near);
  /** Opens a stream, and reads the reply. */
  const open = async (proc: number, serial: number, flags = 0) => {
    const payload = proc === CONSOLE ? join(str("web"), uuid, words(-1, 0, 0)) : volPayload(flags);
    raw.write(words(28 + payload.byteLength, REMOTE, 1, proc, 0, serial, 0), payload);
    return raw.expect();
  };
  return { raw, server, session, dropped, open };
}
