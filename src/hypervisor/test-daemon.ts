import { createServer, type Fault, type Server, type ServerOptions, withFaults } from "../server/index.ts";
import { pair, type Transport } from "../transport/index.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { createMemoryHypervisor, type MemoryHypervisorOptions } from "./memory/index.ts";
import { remoteProgram } from "./remote-program.ts";

export interface TestDaemonOptions extends MemoryHypervisorOptions {
  /** Whatever else the server is to be: its limits, its rights, more programs. */
  readonly server?: Partial<ServerOptions>;
}

/** A daemon inside a test. */
export interface TestDaemon extends AsyncDisposable {
  readonly hypervisor: Hypervisor;
  readonly server: Server;
  /** The client's end of a new connection to it: for `connectTransport`. */
  dial(...faults: Fault[]): Transport;
  close(): Promise<void>;
}

/**
 * Makes a daemon for unit tests: guests in memory, no socket, no process, no root.
 *
 * `await using daemon = createTestDaemon({ inventory: "test" })`, then `await connectTransport(daemon.dial())`.
 */
export function createTestDaemon({ server: serverOptions, ...options }: TestDaemonOptions = {}): TestDaemon {
  const hypervisor = createMemoryHypervisor(options);
  const { programs = [], ...rest } = serverOptions ?? {};
  const server = createServer({ ...rest, programs: [remoteProgram(hypervisor), ...programs] });
  const { clock } = options;
  const close = async () => {
    try {
      await server.close();
    } finally {
      await hypervisor.close();
    }
  };
  return {
    hypervisor,
    server,
    dial(...faults) {
      const [near, far] = pair();
      server.accept(faults.length === 0 ? far : withFaults(far, faults, clock === undefined ? {} : { clock }));
      return near;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
