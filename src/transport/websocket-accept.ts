import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { TransportError } from "./errors.ts";
import { isLoopback, tcpAddress } from "./tcp.ts";
import type { PeerIdentity, Transport } from "./transport.ts";
import { MAX_MESSAGE, MAX_UNREAD, type WebSocketLike, WebSocketTransport } from "./websocket.ts";

export interface WebSocketServerOptions {
  /** The only path that is served. Default: all are. */
  readonly path?: string;
  /** Origins of pages that may connect; `*` for all. Default none. Clients that send no origin always may. */
  readonly origins?: readonly string[];
  /** Milliseconds for the handshake. Default 10000. */
  readonly handshakeTimeout?: number;
}

/** Makes transports of sockets on which a client asks for a websocket. */
export class WebSocketAcceptor {
  readonly #options: WebSocketServerOptions;
  readonly #http: Server;
  readonly #upgrades: WebSocketServer;
  readonly #pending = new Map<Duplex, (result: WebSocket | Error) => void>();

  constructor(options: WebSocketServerOptions = {}) {
    this.#options = options;
    this.#upgrades = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE, perMessageDeflate: false });
    // It listens nowhere: sockets are handed to it.
    this.#http = createServer({ maxHeaderSize: 16_384 }, (request, response) => {
      response.writeHead(426, { Connection: "close", Upgrade: "websocket" }).end();
      this.#refuse(request.socket, "it asks for no websocket");
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("clientError", (error, socket) => {
      socket.destroy();
      this.#refuse(socket, error.message);
    });
  }

  /**
   * @param tls the identity of a client that has been through TLS
   * @throws {TransportError} and closes it
   */
  async accept(socket: Socket, tls?: PeerIdentity): Promise<Transport> {
    const scheme = tls === undefined ? "ws" : "wss";
    const address = tcpAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0, scheme);
    const peer: PeerIdentity =
      tls === undefined
        ? {
            transport: "ws",
            address,
            secure: false,
            local: isLoopback(socket),
            security: { encrypted: false, ssf: 0 },
          }
        : { ...tls, transport: "wss", address };
    const { handshakeTimeout = 10_000 } = this.#options;
    const websocket = await new Promise<WebSocket>((resolve, reject) => {
      const timer = setTimeout(() => this.#refuse(socket, "it did not ask in time"), handshakeTimeout);
      const onClose = () => this.#refuse(socket, "it closed the connection");
      socket.once("close", onClose);
      this.#pending.set(socket, (result) => {
        clearTimeout(timer);
        socket.off("close", onClose);
        if (!(result instanceof Error)) return resolve(result);
        socket.destroySoon();
        reject(new TransportError("connect", `websocket handshake with ${address} failed: ${result.message}`));
      });
      this.#http.emit("connection", socket);
    });
    websocket.binaryType = "arraybuffer";
    websocket.pause();
    return new WebSocketTransport(websocket as unknown as WebSocketLike, () => peer, MAX_MESSAGE, MAX_UNREAD);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { path = "/", origins = [] } = this.#options;
    const { origin } = request.headers;
    const refuse = (status: string, why: string) => {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      this.#refuse(socket, why);
    };
    if (path !== "/" && request.url?.replace(/\?.*$/s, "") !== path) {
      refuse("404 Not Found", "another path");
      return;
    }
    if (origin !== undefined && !origins.includes("*") && !origins.includes(origin)) {
      refuse("403 Forbidden", `a page of ${origin.slice(0, 200)}, which is not among the origins`);
      return;
    }
    // Where the request is no good, `ws` answers and ends the socket.
    this.#upgrades.handleUpgrade(request, socket, head, (websocket) => this.#settle(socket, websocket));
  }

  #refuse(socket: Duplex, why: string): void {
    this.#settle(socket, new Error(why));
  }

  #settle(socket: Duplex, result: WebSocket | Error): void {
    const settle = this.#pending.get(socket);
    this.#pending.delete(socket);
    settle?.(result);
  }
}
