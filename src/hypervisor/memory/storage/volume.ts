import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import type { NonnullStorageVol } from "../../../generated/remote/index.ts";
import { operationInvalid } from "../driver-errors.ts";
import { BlockMap } from "./block-map.ts";
import type { StorageBudget } from "./storage-budget.ts";
import { storageError } from "./storage-errors.ts";
import { checkBytes, formatVolumeXml, type VolumeDefinition } from "./volume-xml.ts";

export interface VolumeOptions {
  readonly definition: VolumeDefinition;
  /** Name of the pool. */
  readonly pool: string;
  /** Folder of the pool. */
  readonly folder: string;
  /** Bytes. */
  readonly capacity: bigint;
  /** Bytes that are set aside for it. */
  readonly allocation: bigint;
  readonly budget: StorageBudget;
}

/** A volume: what it is, and its bytes. */
export class Volume {
  readonly name: string;
  readonly key: string;
  readonly path: string;
  readonly data: BlockMap;
  /** Bytes. */
  capacity: bigint;
  /** Bytes that are set aside for it, written or not. */
  reserved: bigint;
  /** While it is being copied from another. */
  building = false;
  readonly #definition: VolumeDefinition;
  readonly #pool: string;
  #users = 0;

  constructor({ definition, pool, folder, capacity, allocation, budget }: VolumeOptions) {
    this.name = definition.name;
    this.path = `${folder}/${definition.name}`;
    this.key = this.path;
    this.data = new BlockMap(budget);
    this.capacity = capacity;
    this.reserved = allocation;
    this.#definition = definition;
    this.#pool = pool;
  }

  /** Bytes that it takes from its pool: what was set aside, or what was written where that is more. */
  get allocation(): bigint {
    return this.#allocated(BigInt(this.data.bytes));
  }

  /** Bytes that it would take more, were that stretch written. */
  growth(start: number, end: number): bigint {
    return this.#allocated(BigInt(this.data.bytes + this.data.growth(start, end))) - this.allocation;
  }

  /** How it is named on the wire. */
  get reference(): NonnullStorageVol {
    return { pool: this.#pool, name: this.name, key: this.key };
  }

  get xml(): string {
    const { key, path, capacity, allocation } = this;
    return formatVolumeXml(this.#definition, { key, path, capacity, allocation });
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID while somebody reads or writes it. */
  checkIdle(): void {
    if (this.#users > 0) throw operationInvalid(`volume '${this.name}' is still in use.`);
    this.checkBuilt();
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID while it is being copied from another. */
  checkBuilt(): void {
    if (this.building) throw operationInvalid(`volume '${this.name}' is still being allocated.`);
  }

  /** Keeps it from being changed or deleted while `work` lasts. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
    }
  }

  /**
   * Makes it smaller or larger.
   *
   * @source storageVolResize, libvirt src/storage/storage_driver.c.
   */
  resize(capacity: bigint, { shrink, allocate }: { shrink: boolean; allocate: boolean }, available: bigint): void {
    const refused = (detail: string) => storageError(VirErrorNumber.VIR_ERR_INVALID_ARG, detail);
    const { allocation } = this;
    checkBytes(capacity);
    if (capacity < allocation) throw refused("can't shrink capacity below existing allocation");
    if (capacity < this.capacity && !shrink) {
      throw refused("Can't shrink capacity below current capacity unless shrink flag explicitly specified");
    }
    if (allocate && capacity - allocation > available) {
      throw storageError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, "Not enough space left in storage pool");
    }
    if (capacity < this.capacity) this.data.punch(Number(capacity), Number(this.capacity));
    this.capacity = capacity;
    if (allocate) this.reserved = capacity;
  }

  #allocated(held: bigint): bigint {
    const written = held < this.capacity ? held : this.capacity;
    return written > this.reserved ? written : this.reserved;
  }
}
