import { noSpace } from "./storage-errors.ts";

/** Bytes that all volumes of a host may hold together in memory. */
export class StorageBudget {
  readonly limit: number;
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** @throws {VirtError} VIR_ERR_SYSTEM_ERROR, ENOSPC. */
  take(bytes: number): void {
    if (this.#used + bytes > this.limit) throw noSpace("cannot write to stream");
    this.#used += bytes;
  }

  giveBack(bytes: number): void {
    this.#used -= bytes;
  }
}
