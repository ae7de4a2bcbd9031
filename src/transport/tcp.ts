import { connect, isIPv4, type Socket } from "node:net";
import { sharedPool } from "../buffer/index.ts";
import { connected, SocketTransport } from "./socket.ts";
import { SocketReader } from "./socket-reader.ts";
import type { DialOptions, PeerIdentity, PoolOptions, Transport } from "./transport.ts";

/**
 * Connects over plain TCP, to whichever of a name's addresses answers first.
 * @param host a name or an address, IPv6 without brackets
 * @throws {TransportError} `connect`
 */
export async function dialTcp(host: string, port: number, options: DialOptions = {}): Promise<Transport> {
  const address = tcpAddress(host, port);
  const reader = new SocketReader(options.pool ?? sharedPool);
  const socket = connect({ host, port, autoSelectFamily: true, onread: reader }).pause();
  await connected(socket, address, options);
  return new SocketTransport(socket, identity(address, socket), options, reader);
}

/** Makes a transport of a socket that a TCP listener accepted. */
export function acceptedTcp(socket: Socket, options: PoolOptions = {}): Transport {
  const address = tcpAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
  return new SocketTransport(socket, identity(address, socket), options);
}

/** `tcp://127.0.0.1:16509`, `tcp://[::1]:16509`. */
export function tcpAddress(host: string, port: number, scheme = "tcp"): string {
  return host.includes(":") ? `${scheme}://[${host}]:${port}` : `${scheme}://${host}:${port}`;
}

/** Whether the other end of a socket is on this machine. */
export function isLoopback(socket: Socket): boolean {
  const address = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  return address === "::1" || (isIPv4(address) && address.startsWith("127."));
}

function identity(address: string, socket: Socket): PeerIdentity {
  const security = { encrypted: false, ssf: 0 };
  return { transport: "tcp", address, secure: false, local: isLoopback(socket), security };
}
