import { chmod, lstat, unlink } from "node:fs/promises";
import { type AddressInfo, createServer, type ListenOptions, type Server } from "node:net";
import { isMainThread } from "node:worker_threads";
import { sockets, type Transport, TransportError } from "../transport/index.ts";

export interface ListenerOptions {
  /** Permissions of unix sockets. Default 0o600. */
  readonly mode?: number;
  /** Allows TCP, where anyone on the way can read and change everything, beyond the loopback addresses. */
  readonly insecure?: boolean;
}

/** Accepts connections at one address. */
export interface Listener {
  /** `unix:/path` or `tcp://host:port`, with the port that the system chose. */
  readonly address: string;
  /** Accepts no more. Connections that are there stay. */
  close(): Promise<void>;
}

/** A listening address, checked: what `listen` needs. */
export type ListenAddress =
  | { readonly scheme: "unix"; readonly path: string }
  | { readonly scheme: "tcp"; readonly host: string; readonly port: number };

/**
 * Reads `unix:/run/x-sock` or `tcp://127.0.0.1:0`; port 0 lets the system choose.
 * @throws {TypeError} for anything else, and for TCP beyond loopback without `insecure`
 */
export function parseListenAddress(address: string, { insecure = false }: ListenerOptions): ListenAddress {
  const unix = /^unix:(?:\/\/)?(\/.+)$/.exec(address);
  if (unix !== null) return { scheme: "unix", path: unix[1] as string };
  const tcp = /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(address);
  if (tcp === null)
    throw new TypeError(`${address}: not an address to listen at; unix:/path or tcp://host:port wanted`);
  const host = tcp[1] ?? (tcp[2] as string);
  const port = Number(tcp[3]);
  if (port > 65_535) throw new TypeError(`${address}: no such port`);
  if (!insecure && !isLoopback(host)) {
    throw new TypeError(
      `${address}: plain TCP without authentication lets everyone in reach control this daemon; ` +
        "listen at a loopback address, or say `insecure: true`",
    );
  }
  return { scheme: "tcp", host, port };
}

/** 127.0.0.0/8, ::1 and the name localhost. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Starts to listen. @throws {TransportError} `connect`, for a socket in use too */
export async function listen(
  address: ListenAddress,
  accept: (transport: Transport) => void,
  options: ListenerOptions,
): Promise<Listener> {
  const { acceptedTcp, acceptedUnix, tcpAddress } = await sockets();
  if (address.scheme === "tcp") {
    const { host, port } = address;
    const server = createServer((socket) => accept(acceptedTcp(socket)));
    await bound(server, { host, port }, tcpAddress(host, port));
    const bind = server.address() as AddressInfo;
    return { address: tcpAddress(host, bind.port), close: () => closed(server) };
  }
  const { path } = address;
  const { mode = 0o600 } = options;
  await removeStale(path);
  const server = createServer((socket) => accept(acceptedUnix(socket, path)));
  await bound(server, { path }, `unix:${path}`, mode);
  try {
    await chmod(path, mode);
  } catch (cause) {
    await closed(server);
    throw new TransportError("connect", `unix:${path}: ${(cause as Error).message}`, { cause });
  }
  return { address: `unix:${path}`, close: () => closed(server) }; // Node removes the socket file
}

/** @param mode for a socket file, which must not be open to others even for a moment */
function bound(server: Server, where: ListenOptions, address: string, mode?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new TransportError("connect", `cannot listen at ${address}: ${cause.message}`, { cause }));
    });
    const onListening = () => {
      server.removeAllListeners("error");
      // Such as no file descriptors left: the client finds its connection closed, those that are there go on.
      server.on("error", () => {});
      resolve();
    };
    // The mask belongs to the whole process, but a path is bound before `listen` returns. Worker threads cannot set
    // it; there the mode is right a moment later.
    const mask = mode === undefined || !isMainThread ? undefined : process.umask(0o777 & ~mode);
    try {
      server.listen(where, onListening);
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // Called back only when the last connection is gone, which the sessions see to; the socket is free at once.
    server.close();
    resolve();
  });
}

/** Removes the socket file of a daemon that is no more. One that answers stays, and so does a file of another kind. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || !found.isSocket()) return;
  const { dialUnix } = await sockets();
  try {
    await (await dialUnix(path)).close(new Error("only asking whether someone is there"));
  } catch (error) {
    const { code } = (error as TransportError).cause as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED") await unlink(path);
  }
}
