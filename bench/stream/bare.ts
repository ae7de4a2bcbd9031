/**
 * Bare Node sockets, asked for times: what nobody who sends bytes with Node can be faster than by much.
 *
 * `node bare.js serve tcp|tls FOLDER` prints its port; `node bare.js client tcp|tls FOLDER PORT` answers like c/client.c.
 * One connection for each transfer, opened before the clock starts.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer, type OnReadOpts, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";

/** Of one write, and of the buffer read into. */
const CHUNK = 256 * 1024;
const chunk = new Uint8Array(CHUNK);

const [, , role, kind, folder = "", port] = process.argv;
const file = (name: string) => readFileSync(join(folder, `${name}.pem`));

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= CHUNK) {
    const part = left < CHUNK ? chunk.subarray(0, left) : chunk;
    if (!socket.write(part)) await once(socket, "drain");
  }
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let left = 0;
  const question: Buffer[] = [];
  socket.on("error", () => socket.destroy());
  socket.on("data", (data: Buffer) => {
    if (left === 0) {
      question.push(data);
      const text = Buffer.concat(question).toString();
      if (!text.endsWith("\n")) return;
      question.length = 0;
      const [verb, bytes] = text.split(" ");
      if (verb === "up") left = Number(bytes);
      else void send(socket, Number(bytes));
      socket.write("!");
    } else {
      left -= data.length;
      if (left === 0) socket.write("!");
    }
  });
}

/** A connection whose bytes are only counted. */
class Counter {
  readonly socket: Socket;
  #wanted = 0;
  #reached: (() => void) | undefined;

  /** @param into reads into this buffer instead of new ones for `data` events */
  constructor(into: Uint8Array | undefined) {
    const onread: OnReadOpts | undefined = into && { buffer: into, callback: (length) => this.#count(length) };
    const to = { host: "127.0.0.1", port: Number(port), ...(onread && { onread }) };
    const tls = { ca: file("ca"), cert: file("cert"), key: file("key"), servername: "localhost" };
    this.socket = kind === "tls" ? connectTls({ ...to, ...tls }) : connectTcp(to);
    if (onread === undefined) this.socket.on("data", (data: Buffer) => this.#count(data.length));
    this.socket.setNoDelay(true);
  }

  /** Resolves when so many bytes have come. */
  take(bytes: number): Promise<void> {
    this.#wanted += bytes;
    return new Promise((resolve) => {
      this.#reached = resolve;
      this.#count(0);
    });
  }

  #count(length: number): boolean {
    this.#wanted -= length;
    if (this.#wanted === 0) this.#reached?.();
    return true;
  }
}

async function transfer(verb: string, bytes: number): Promise<number> {
  const counter = new Counter(verb === "down-onread" ? new Uint8Array(CHUNK) : undefined);
  const { socket } = counter;
  await once(socket, kind === "tls" ? "secureConnect" : "connect");
  const begin = process.hrtime.bigint();
  const up = verb === "up";
  socket.write(`${up ? "up" : "down"} ${bytes}\n`);
  if (up) {
    await counter.take(1);
    await send(socket, bytes);
    await counter.take(1);
  } else {
    await counter.take(1 + bytes);
  }
  const took = Number(process.hrtime.bigint() - begin);
  socket.destroy();
  return took;
}

if (role === "serve") {
  const tls = () => ({ ca: file("ca"), cert: file("cert"), key: file("key"), requestCert: true });
  const server = kind === "tls" ? createTlsServer(tls(), serve) : createServer(serve);
  server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const [verb = "", bytes] = line.split(" ");
    console.log(await transfer(verb, Number(bytes)));
  }
}
