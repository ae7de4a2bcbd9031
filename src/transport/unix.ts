import { connect, type Socket } from "node:net";
import { sharedPool } from "../buffer/index.ts";
import { TransportError } from "./errors.ts";
import { connected, SocketTransport } from "./socket.ts";
import { SocketReader } from "./socket-reader.ts";
import type { DialOptions, PeerIdentity, PoolOptions, Transport } from "./transport.ts";

/** Bytes of `sun_path`. */
const PATH_BYTES = 108;

/**
 * Connects to a unix socket.
 * @param path one that starts with `@` is in Linux' abstract namespace, where libvirt's names are as long as they can be
 * @throws {TransportError} `connect`
 */
export async function dialUnix(path: string, options: DialOptions = {}): Promise<Transport> {
  const peer = identity(path);
  const room = PATH_BYTES - Buffer.byteLength(path);
  if (room < 1) throw new TransportError("connect", `cannot connect to ${peer.address}: the path is too long`);
  const reader = new SocketReader(options.pool ?? sharedPool);
  const name = path.startsWith("@") ? `\0${path.slice(1)}${"\0".repeat(room)}` : path;
  const socket = connect({ path: name, onread: reader }).pause();
  await connected(socket, peer.address, options);
  return new SocketTransport(socket, peer, options, reader);
}

/** Makes a transport of a socket that a unix listener accepted. */
export function acceptedUnix(socket: Socket, path: string, options: PoolOptions = {}): Transport {
  return new SocketTransport(socket, identity(path), options);
}

function identity(path: string): PeerIdentity {
  const security = { encrypted: false, ssf: 0 };
  return { transport: "unix", address: `unix:${path}`, secure: true, local: true, security };
}
