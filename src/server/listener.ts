import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import {
  sockets,
  type TlsServerOptions,
  type Transport,
  TransportError,
  tlsAcceptor,
  webSocketAcceptor,
} from "../transport/index.ts";
import { checkReach, type ListenAddress, parseListenAddress } from "./listen-address.ts";
import type { ListenerOptions } from "./listener-options.ts";
import { systemdSockets } from "./systemd.ts";
import { rememberSocket } from "./unix-credentials.ts";
import { bindUnix } from "./unix-socket-file.ts";

/** What a listener tells its server. */
export interface ListenerOwner {
  accept(transport: Transport): void;
  /** How many connections may be in their handshake at once; further ones are closed. */
  maxPending(): number;
  /** A connection that did not come about, or a listener that could not accept one. */
  onRefused(error: Error, address: string): void;
}

/** Accepts connections at one address. */
export interface Listener {
  /** As it was asked for, with the port that the system chose. */
  readonly address: string;
  /** Accepts no more. Connections that are there stay. */
  close(): Promise<void>;
  /** Reads certificates and keys again, where there are any. */
  readonly reload?: () => Promise<void>;
}

/** Starts to listen. @throws {TransportError} `connect`, for a socket in use too; `own-certificate` */
export async function listen(options: ListenerOptions, owner: ListenerOwner): Promise<Listener> {
  const address = parseListenAddress(options);
  const { accept, reload } = await acceptorOf(address, options);
  /** Those in their handshake. */
  const pending = new Set<Socket>();
  let shown = options.address;
  const onSocket = (socket: Socket) => {
    const transport = pending.size < owner.maxPending() ? accept(socket) : undefined;
    if (transport === undefined) socket.destroy();
    else if (!(transport instanceof Promise)) owner.accept(transport);
    else {
      pending.add(socket);
      const over = () => pending.delete(socket);
      transport.then(
        (secured) => {
          over();
          owner.accept(secured);
        },
        (error: Error) => {
          over();
          owner.onRefused(error, shown);
        },
      );
    }
  };
  const servers: Server[] = [];
  const close = async () => {
    // Calls back only when the last connection is gone, which the sessions see to; the socket is free at once, and
    // Node removes its file.
    for (const server of servers) server.close();
    for (const socket of pending) socket.destroy();
  };
  try {
    for (const place of placesOf(address)) {
      // Without a handshake nothing is read before the server has room for the client.
      const server = createServer({ pauseOnConnect: address.wire === "plain" }, onSocket);
      servers.push(server);
      shown = await bound(server, place, options, owner.maxPending());
      // Such as no file descriptors left: the client finds its connection closed, those that are there go on.
      server.on("error", (error) => owner.onRefused(error, shown));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { address: shown, ...(reload === undefined ? {} : { reload }), close };
}

interface Acceptor {
  /** Makes a transport of a socket, at once or after a handshake. */
  accept(socket: Socket): Transport | Promise<Transport>;
  readonly reload?: () => Promise<void>;
}

async function acceptorOf(address: ListenAddress, options: ListenerOptions): Promise<Acceptor> {
  const { acceptedTcp, acceptedUnix } = await sockets();
  const { wire } = address;
  if (wire === "plain") {
    const isUnix = (socket: Socket) => socket.remoteAddress === undefined;
    const path = address.kind === "unix" ? address.path : options.address;
    const unix = (socket: Socket) => {
      const transport = acceptedUnix(socket, path);
      rememberSocket(transport, socket);
      return transport;
    };
    if (address.kind === "unix") return { accept: unix };
    if (address.kind === "tcp") return { accept: (socket) => acceptedTcp(socket) };
    return { accept: (socket) => (isUnix(socket) ? unix(socket) : acceptedTcp(socket)) };
  }
  const secure = wire === "tls" || wire === "wss";
  const tls = secure ? await tlsAcceptor(options.tls as TlsServerOptions) : undefined;
  const reload = tls === undefined ? {} : { reload: () => tls.reload() };
  if (wire === "tls") return { accept: (socket) => tls!.accept(socket), ...reload };
  const { origins, tls: { handshakeTimeout } = {} } = options;
  const websockets = await webSocketAcceptor({
    ...(address.kind === "tcp" && { path: address.path }),
    ...(origins && { origins }),
    ...(handshakeTimeout !== undefined && { handshakeTimeout }),
  });
  if (tls === undefined) return { accept: (socket) => websockets.accept(socket) };
  const accept = async (raw: Socket) => {
    const { socket, peer } = await tls.secure(raw);
    return websockets.accept(socket, peer);
  };
  return { accept, ...reload };
}

/** A socket to listen at. */
type Place = Exclude<ListenAddress, { readonly kind: "systemd" }> | { readonly kind: "fd"; readonly fd: number };

/** systemd may have several sockets of one name: a unit with one for each kind of address. */
function placesOf(address: ListenAddress): Place[] {
  if (address.kind !== "systemd") return [address];
  const found = systemdSockets().filter(({ name }) => name === address.name);
  if (found.length > 0) return found.map(({ fd }) => ({ kind: "fd", fd }));
  throw new TransportError("connect", `${address.name}: systemd has handed over no socket of that name`);
}

/** Begins to listen. @returns where: as it was asked for, with the port */
async function bound(server: Server, address: Place, options: ListenerOptions, backlog: number): Promise<string> {
  switch (address.kind) {
    case "unix":
      await bindUnix(server, address.path, options, backlog, (begin) => listening(server, options.address, begin));
      return `unix:${address.path}`;
    case "tcp": {
      const { host, port } = address;
      await listening(server, options.address, () => server.listen({ host, port, backlog }));
      const { port: chosen } = server.address() as AddressInfo;
      return options.address.replace(/:\d+(\/.*)?$/, (_, path: string = "") => `:${chosen}${path === "/" ? "" : path}`);
    }
    case "fd": {
      await listening(server, options.address, () => server.listen({ fd: address.fd, backlog }));
      const where = server.address();
      if (where !== null && typeof where !== "string") {
        checkReach(options, parseListenAddress(options).wire, where.address);
      }
      return options.address;
    }
  }
}

function listening(server: Server, address: string, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error) => {
      reject(new TransportError("connect", `cannot listen at ${address}: ${cause.message}`, { cause }));
    };
    server.once("error", onError);
    server.once("listening", () => {
      server.off("error", onError);
      resolve();
    });
    begin();
  });
}
