import { expect } from "vitest";
import { type Connection, connectTransport } from "../../src/api/index.ts";
import type { NonnullDomain } from "../../src/generated/remote/index.ts";
import {
  type Clock,
  createMemoryHypervisor,
  type Hypervisor,
  type MemoryHypervisorOptions,
  remoteProgram,
} from "../../src/hypervisor/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";

/** A daemon in this process, with an in-memory hypervisor. What handlers throw beyond VirtError fails the test. */
export class TestHost implements AsyncDisposable {
  readonly hypervisor: Hypervisor;
  readonly server: Server;
  readonly accidents: unknown[] = [];
  readonly #connections: Connection[] = [];

  constructor(options: MemoryHypervisorOptions = {}) {
    this.hypervisor = createMemoryHypervisor(options);
    this.server = createServer({
      programs: [remoteProgram(this.hypervisor)],
      onError: (error) => this.accidents.push(error),
    });
  }

  async connect(options: { readonly name?: string; readonly readOnly?: boolean } = {}): Promise<Connection> {
    const [ours, theirs] = pair();
    this.server.accept(theirs);
    const connection = await connectTransport(ours, { name: "virtwire:///system", ...options });
    this.#connections.push(connection);
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
    await this.server.close();
    await this.hypervisor.close();
    if (this.accidents.length > 0) throw new AggregateError(this.accidents, "a handler failed by accident");
  }
}

export interface GuestXml {
  readonly name?: string;
  readonly uuid?: string;
  readonly memory?: string;
  readonly vcpus?: number;
  readonly extra?: string;
}

export const UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f";

export function guestXml({ name = "web", uuid = UUID, memory, vcpus = 2, extra = "" }: GuestXml = {}): string {
  return `<domain type='virtwire'>
  <name>${name}</name>
  <uuid>${uuid}</uuid>
  ${memory ?? "<memory unit='MiB'>2</memory>"}
  <vcpu>${vcpus}</vcpu>
  <os><type>hvm</type></os>
  ${extra}
</domain>`;
}

/** Defines a guest and starts it. */
export async function startGuest(connection: Connection, xml: GuestXml = {}): Promise<NonnullDomain> {
  const { dom } = await connection.remote.domainDefineXml({ xml: guestXml(xml) });
  return (await connection.remote.domainCreateWithFlags({ dom, flags: 0 })).dom;
}

/** All of a guest's memory. */
export async function memoryOf(connection: Connection, dom: NonnullDomain, size: number): Promise<Uint8Array> {
  const memory = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const length = Math.min(1 << 20, size - at);
    const peeked = await connection.remote.domainMemoryPeek({ dom, offset: BigInt(at), size: length, flags: 2 });
    memory.set(peeked.buffer, at);
    at += length;
  }
  return memory;
}

/** A clock on which waiting takes no time: `delay` moves it on. */
export class FakeClock implements Clock {
  time = 0;

  now(): number {
    return this.time;
  }

  date(): number {
    return 1_700_000_000_000 + this.time;
  }

  async delay(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.time += ms;
  }
}

/** What a VirtError with that code and text looks like. */
export const virt = (code: number, message: string | RegExp) => ({
  name: "VirtError",
  code,
  message: typeof message === "string" ? message : (expect.stringMatching(message) as string),
});
