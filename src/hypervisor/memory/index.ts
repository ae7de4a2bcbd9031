export type { Clock } from "./clock.ts";
export type { MemoryHypervisorOptions, MigrationTimeouts } from "./host.ts";
export { createMemoryHypervisor } from "./memory-hypervisor.ts";
