import { VirErrorNumber, VirStoragePoolState } from "../../../generated/libvirt/index.ts";
import type { NonnullStoragePool } from "../../../generated/remote/index.ts";
import { driverError, operationInvalid } from "../driver-errors.ts";
import type { NodeDeviceDefinition } from "../node-device/node-device-xml.ts";
import { formatPoolXml, type PoolDefinition, type PoolSizes } from "./pool-xml.ts";
import type { Volume } from "./volume.ts";

/** What every pool has room for: 100 GiB. Its volumes' bytes take memory when they are written only. */
export const POOL_CAPACITY = 100n << 30n;

/** A storage pool and its volumes. They stay when it is stopped. */
export class Pool {
  readonly name: string;
  readonly uuid: Uint8Array;
  readonly volumes = new Map<string, Volume>();
  persistent: boolean;
  autostart = false;
  active = false;
  /** Copies and streams that are under way in it. */
  jobs = 0;
  /** The virtual host adapter that it was started with. */
  vport: NodeDeviceDefinition | undefined;
  #definition: PoolDefinition;
  /** What it becomes when it stops. */
  #next: PoolDefinition | undefined;

  constructor(definition: PoolDefinition, persistent: boolean) {
    this.name = definition.name;
    this.uuid = definition.uuid;
    this.persistent = persistent;
    this.#definition = definition;
  }

  /** What holds now. */
  get definition(): PoolDefinition {
    return this.#definition;
  }

  /** What the next start uses. */
  get config(): PoolDefinition {
    return this.#next ?? this.#definition;
  }

  /** How it is named on the wire. */
  get reference(): NonnullStoragePool {
    return { name: this.name, uuid: this.uuid };
  }

  get sizes(): PoolSizes {
    const allocation = [...this.volumes.values()].reduce((sum, volume) => sum + volume.allocation, 0n);
    const available = allocation < POOL_CAPACITY ? POOL_CAPACITY - allocation : 0n;
    return { capacity: POOL_CAPACITY, allocation, available };
  }

  /** virStoragePoolState */
  get state(): number {
    const { VIR_STORAGE_POOL_INACTIVE, VIR_STORAGE_POOL_RUNNING } = VirStoragePoolState;
    return this.active ? VIR_STORAGE_POOL_RUNNING : VIR_STORAGE_POOL_INACTIVE;
  }

  /** @param inactive as the next start will have it */
  xml(inactive: boolean): string {
    return formatPoolXml(inactive ? this.config : this.#definition, this.sizes);
  }

  /**
   * Defines it anew, at once or when it stops. What is transient holds until then.
   *
   * @source virStoragePoolObjAssignDef, libvirt src/conf/virstorageobj.c.
   */
  redefine(definition: PoolDefinition, what: "persistent" | "transient"): void {
    if (this.active) {
      this.#next = definition;
      return;
    }
    if (what === "transient") this.#next = this.#definition;
    this.#definition = definition;
  }

  stop(): void {
    this.active = false;
    if (this.#next !== undefined) this.#definition = this.#next;
    this.#next = undefined;
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID. */
  checkActive(): this {
    if (!this.active) throw operationInvalid(`storage pool '${this.name}' is not active`);
    return this;
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID. */
  checkInactive(): this {
    if (this.active) throw operationInvalid(`storage pool '${this.name}' is active`);
    return this;
  }

  /** @throws {VirtError} while something is under way in it. */
  checkIdle(): void {
    if (this.jobs === 0) return;
    const detail = `pool '${this.name}' has asynchronous jobs running.`;
    throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
  }

  /** Keeps it from being stopped while `work` lasts. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.jobs++;
    try {
      return await work();
    } finally {
      this.jobs--;
    }
  }

  /** @throws {VirtError} VIR_ERR_NO_STORAGE_VOL. */
  volume(name: string): Volume {
    const volume = this.volumes.get(name);
    if (volume !== undefined) return volume;
    throw driverError(VirErrorNumber.VIR_ERR_NO_STORAGE_VOL, `no storage vol with matching name '${name}'`);
  }

  /** Deletes all volumes. */
  clear(): void {
    for (const volume of this.volumes.values()) volume.data.clear();
    this.volumes.clear();
  }
}
