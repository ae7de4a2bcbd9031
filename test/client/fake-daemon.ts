import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { pair, sockets, type Transport } from "../../src/transport/index.ts";
import { RawEnd, type RawMessage } from "../rpc/raw-end.ts";
import { reusedBuffer } from "../rpc/reused-buffer.ts";
import { join, REPLY, str, words } from "../rpc/wire.ts";

export const AUTH_LIST = 66;
export const FEATURE = 60;
export const OPEN = 1;
export const CLOSE = 2;
export const GET_URI = 110;
export const LIB_VERSION = 157;
export const LOOKUP = 23;

export const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
/** The guest that a lookup finds: on the wire, and decoded. */
export const dom = (name: string) => join(str(name), uuid, words(1));
export const found = (name: string) => ({ dom: { name, uuid, id: 1 } });
/** What a promise rejects with, or its value. */
export const caught = (promise: Promise<unknown>) => promise.catch((error: unknown) => error);

/** What a healthy daemon answers. */
function answer({ proc, payload }: RawMessage): Uint8Array | undefined {
  switch (proc) {
    case AUTH_LIST:
      return words(1, 0);
    case FEATURE:
      return words(1);
    case OPEN:
    case CLOSE:
      return words();
    case GET_URI:
      return str("test:///chosen");
    case LIB_VERSION:
      return words(0, 9_000_000);
    case LOOKUP:
      return join(payload, uuid, words(1));
    default:
      return undefined;
  }
}

/** Looks at a call before it is answered. True: it has been dealt with, in whatever way. */
export type Fault = (call: RawMessage, daemon: FakeDaemon) => boolean;

/** A daemon that answers calls as they come, except where a fault says otherwise. */
export class FakeDaemon {
  readonly raw: RawEnd;
  /** Procedures that were called, in order. */
  readonly calls: RawMessage[] = [];
  /** Resolves when the client is gone. */
  readonly over: Promise<void>;
  #left!: () => void;

  constructor(transport: Transport, fault: Fault = () => false) {
    this.raw = new RawEnd(transport);
    const left = new Promise<void>((resolve) => {
      this.#left = resolve;
    });
    this.over = Promise.race([left, this.#serve(fault)]);
  }

  /** Closes the connection, after everything that was written. */
  hangUp(): void {
    void this.raw.transport.close().then(this.#left);
  }

  /** Breaks the connection off. */
  reset(): void {
    void this.raw.close().then(this.#left);
  }

  /** How often each procedure was called. */
  count(proc: number): number {
    return this.calls.filter((call) => call.proc === proc).length;
  }

  async #serve(fault: Fault): Promise<void> {
    for (;;) {
      const call = await this.raw.next();
      if (call === undefined) {
        await this.raw.transport.close();
        return;
      }
      if (call.type === REPLY || call.type !== 0) continue;
      this.calls.push(call);
      if (fault(call, this)) continue;
      const payload = answer(call);
      if (payload !== undefined) this.raw.reply(call, payload);
    }
  }
}

/** A client's end of a pipe to a new daemon. */
export function piped(fault?: Fault): { transport: Transport; daemon: FakeDaemon } {
  const [near, far] = pair();
  return { transport: reusedBuffer(near), daemon: new FakeDaemon(far, fault) };
}

/** Daemons at a unix socket, one per connection; `faults` says how each behaves. */
export class FakeListener implements AsyncDisposable {
  readonly uri: string;
  readonly daemons: FakeDaemon[] = [];
  readonly #directory: string;
  readonly #server = createServer();
  readonly #sockets = new Set<Socket>();

  private constructor(directory: string) {
    this.#directory = directory;
    this.uri = `test+unix:///default?socket=${path(directory, "sock")}`;
  }

  static async start(fault: (connection: number, socket: Socket) => Fault | undefined): Promise<FakeListener> {
    const listener = new FakeListener(mkdtempSync(path(tmpdir(), "fault-")));
    const { acceptedUnix } = await sockets();
    const server = listener.#server;
    server.on("connection", (socket) => {
      listener.#sockets.add(socket);
      socket.on("close", () => listener.#sockets.delete(socket));
      const how = fault(listener.daemons.length, socket);
      listener.daemons.push(new FakeDaemon(acceptedUnix(socket, "sock"), how));
    });
    await new Promise<void>((resolve) => server.listen(path(listener.#directory, "sock"), resolve));
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A turn of the event loop, even where tests have replaced the timers. */
const realImmediate = globalThis.setImmediate;
export const turn = () => new Promise<void>((resolve) => realImmediate(resolve));

/** Waits until something has happened, without moving any clock. */
export async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await turn();
}

/** What keeps this process alive, without what the test runner itself uses. */
function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => /^(Timeout|Immediate|TCP|Pipe|TLS|ProcessWrap)/.test(name))
    .sort();
}

/** Runs `work`, and fails where it leaves timers, sockets or other handles behind. */
export async function leavesNothing(work: () => Promise<void>): Promise<void> {
  await turn();
  const before = resources();
  await work();
  let after = resources();
  for (let i = 0; i < 200 && after.length > before.length; i++) {
    await turn();
    after = resources();
  }
  if (after.length > before.length) throw new Error(`left behind: ${after.join()}; there was: ${before.join()}`);
}
