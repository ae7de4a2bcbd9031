export type { Clock } from "./clock.ts";
export type { MemoryHypervisorOptions, MigrationTimeouts } from "./host.ts";
export { ManualClock } from "./manual-clock.ts";
export { createMemoryHypervisor } from "./memory-hypervisor.ts";
export { StateError } from "./state/state-error.ts";
