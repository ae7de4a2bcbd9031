/** `node streaming.js read VARIANT GIB`: reads a socket, and prints what that cost. Starts its own sender. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { PerformanceObserver } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { BufferPool, type Lease } from "virtwire/buffer";
import { sockets } from "virtwire/transport";
import type { Variant } from "./pool.ts";

/** What a transfer took. The memory's figures leave the first tenth out, in which everything finds its size. */
export interface Streamed {
  readonly "rate-mib-s": number;
  readonly "gc-count": number;
  readonly "gc-ms": number;
  readonly "rss-growth-mib": number;
  readonly "external-max-mib": number;
  readonly "cpu-ms-per-mib": number;
}

const MIB = 2 ** 20;
/** Chunks that the consumer has at a time. */
const HELD = 8;
/** What Node reads at once. */
const READ = 65_536;

const [role, variant = "pool", amount = "1"] = process.argv.slice(2);
const total = Number(amount) * 1024 * MIB;

/** Listens, prints the port, and sends to the one who connects. */
function write(): void {
  const chunk = Buffer.alloc(4 * READ, 1);
  let sent = 0;
  const server = createServer((socket) => {
    server.close();
    const more = () => {
      while (sent < total) {
        sent += chunk.length;
        if (!socket.write(chunk)) return void socket.once("drain", more);
      }
      socket.end();
    };
    more();
  });
  process.stdin.on("end", () => process.exit()).resume(); // the reader has gone
  server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
}

async function read(variant: Variant): Promise<void> {
  const args = [fileURLToPath(import.meta.url), "write", variant, amount];
  const sender = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const [said] = (await once(sender.stdout, "data")) as [Buffer];
  const meter = new Meter();
  await take(variant, Number(said.toString()), (bytes) => meter.add(bytes));
  console.log(JSON.stringify(await meter.result()));
  sender.stdin.end();
}

/** Resolves when all has been taken. */
async function take(variant: Variant, port: number, add: (bytes: number) => void): Promise<void> {
  if (variant === "pool") {
    const { dialTcp } = await sockets();
    const transport = await dialTcp("127.0.0.1", port, { pool: new BufferPool() });
    const held: Lease[] = [];
    await new Promise<void>((resolve) => {
      transport.start({
        bytes(chunk, keep) {
          if (keep !== undefined) held.push(keep(chunk));
          if (held.length > HELD) held.shift()?.release();
          add(chunk.length);
        },
        end: () => resolve(),
      });
    });
    return;
  }
  const allocate = Buffer[variant];
  const held: Uint8Array[] = [];
  const onread = {
    buffer: () => allocate(READ), // what is read stays there, so the next read needs another one
    callback(bytes: number, buffer: Uint8Array) {
      held.push(buffer.subarray(0, bytes));
      if (held.length > HELD) held.shift();
      add(bytes);
      return true;
    },
  };
  await once(connect({ port, host: "127.0.0.1", onread }).resume(), "end");
}

class Meter {
  #bytes = 0;
  #marked = false;
  #next = 0;
  #began = 0n;
  #cpu = process.cpuUsage();
  #rss = 0;
  #external = 0;
  #gcCount = 0;
  #gcMs = 0;
  readonly #observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      this.#gcCount++;
      this.#gcMs += duration;
    }
  });

  constructor() {
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  add(bytes: number): void {
    if (this.#bytes === 0) {
      this.#began = process.hrtime.bigint();
      this.#cpu = process.cpuUsage();
    }
    this.#bytes += bytes;
    if (this.#bytes < this.#next) return;
    this.#next += 64 * MIB;
    const { external, rss } = process.memoryUsage();
    if (this.#bytes < total / 10) return;
    if (!this.#marked) this.#rss = rss;
    this.#marked = true;
    this.#external = Math.max(this.#external, external);
  }

  async result(): Promise<Streamed> {
    const seconds = Number(process.hrtime.bigint() - this.#began) / 1e9;
    const { user, system } = process.cpuUsage(this.#cpu);
    const growth = process.memoryUsage.rss() - this.#rss;
    await new Promise((resolve) => setTimeout(resolve, 50)); // the observer hears of the last ones
    this.#observer.disconnect();
    return {
      "rate-mib-s": this.#bytes / MIB / seconds,
      "gc-count": this.#gcCount,
      "gc-ms": this.#gcMs,
      "rss-growth-mib": growth / MIB,
      "external-max-mib": this.#external / MIB,
      "cpu-ms-per-mib": (user + system) / 1000 / (this.#bytes / MIB),
    };
  }
}

if (role === "write") write();
else await read(variant as Variant);
