import type { BufferPool, Slab } from "../buffer/index.ts";
import type { Keep } from "./transport.ts";

/** Keeps parts of a chunk that nobody else has: nothing is to be done but to count. */
export function keeperOf(pool: BufferPool, chunk: Uint8Array): Keep {
  let slab: Slab | undefined;
  return (part) => {
    slab ??= pool.adoptSlab(chunk);
    return slab.lease(part);
  };
}
