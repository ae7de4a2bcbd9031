export type { Misuse } from "./debugger.ts";
export type { Lease } from "./lease.ts";
export { BufferPool, type BufferPoolOptions, type PoolStats, sharedPool } from "./pool.ts";

// For other layers.
export type { Slab } from "./slab.ts";
