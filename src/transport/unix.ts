import { connect, type Socket } from "node:net";
import { connected, SocketTransport } from "./socket.ts";
import type { DialOptions, Transport } from "./transport.ts";

/** Connects to a unix socket. @throws {TransportError} `connect` */
export async function dialUnix(path: string, options: DialOptions = {}): Promise<Transport> {
  const address = `unix:${path}`;
  const socket = connect({ path });
  await connected(socket, address, options);
  return new SocketTransport(socket, { transport: "unix", address, secure: true });
}

/** Makes a transport of a socket that a unix listener accepted. */
export function acceptedUnix(socket: Socket, path: string): Transport {
  return new SocketTransport(socket, { transport: "unix", address: `unix:${path}`, secure: true });
}
