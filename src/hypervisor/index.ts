export type { ConnectionProcedure, DriverHandlers, Hypervisor } from "./hypervisor.ts";
export { hypervisorPrograms } from "./hypervisor-programs.ts";
export {
  type Clock,
  createMemoryHypervisor,
  ManualClock,
  type MemoryHypervisorOptions,
  type MigrationTimeouts,
  StateError,
} from "./memory/index.ts";
export { remoteProgram } from "./remote-program.ts";
export { createTestDaemon, type TestDaemon, type TestDaemonOptions } from "./test-daemon.ts";
