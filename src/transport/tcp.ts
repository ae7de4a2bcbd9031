import { connect, type Socket } from "node:net";
import { connected, SocketTransport } from "./socket.ts";
import type { DialOptions, Transport } from "./transport.ts";

/**
 * Connects over plain TCP.
 * @param host a name or an address, IPv6 without brackets
 * @throws {TransportError} `connect`
 */
export async function dialTcp(host: string, port: number, options: DialOptions = {}): Promise<Transport> {
  const address = tcpAddress(host, port);
  const socket = connect({ host, port });
  await connected(socket, address, options);
  return new SocketTransport(socket, { transport: "tcp", address, secure: false });
}

/** Makes a transport of a socket that a TCP listener accepted. */
export function acceptedTcp(socket: Socket): Transport {
  const address = tcpAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
  return new SocketTransport(socket, { transport: "tcp", address, secure: false });
}

/** `tcp://127.0.0.1:16509`, `tcp://[::1]:16509`. */
export function tcpAddress(host: string, port: number): string {
  return host.includes(":") ? `tcp://[${host}]:${port}` : `tcp://${host}:${port}`;
}
