export type { ConnectionProcedure, DriverHandlers, Hypervisor } from "./hypervisor.ts";
export {
  type Clock,
  createMemoryHypervisor,
  type MemoryHypervisorOptions,
  type MigrationTimeouts,
} from "./memory/index.ts";
export { remoteProgram } from "./remote-program.ts";
