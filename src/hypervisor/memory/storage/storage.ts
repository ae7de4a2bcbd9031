import {
  VirConnectListAllStoragePoolsFlags,
  VirErrorNumber,
  VirStoragePoolEventID,
} from "../../../generated/libvirt/index.ts";
import {
  type NonnullStoragePool,
  type NonnullStorageVol,
  REMOTE_STORAGE_POOL_LIST_MAX,
  storagePoolEventLifecycle,
  storagePoolEventRefresh,
} from "../../../generated/remote/index.ts";
import { driverError } from "../driver-errors.ts";
import { EventRegistrations } from "../event-registrations.ts";
import { type FilterGroups, ObjectList } from "../object-list.ts";
import { formatUuid } from "../uuid.ts";
import { Pool } from "./pool.ts";
import { poolTypes } from "./pool-types.ts";
import type { PoolDefinition } from "./pool-xml.ts";
import { StorageBudget } from "./storage-budget.ts";
import { storageError } from "./storage-errors.ts";
import type { Volume } from "./volume.ts";

const F = VirConnectListAllStoragePoolsFlags;

/** @source virStoragePoolObjMatch, libvirt src/conf/virstorageobj.c. */
export const poolFilters: FilterGroups<Pool> = [
  [
    [F.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, (pool) => pool.active],
    [F.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, (pool) => !pool.active],
  ],
  [
    [F.VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT, (pool) => pool.persistent],
    [F.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT, (pool) => !pool.persistent],
  ],
  [
    [F.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART, (pool) => pool.autostart],
    [F.VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART, (pool) => !pool.autostart],
  ],
  [...poolTypes.values()].map((type) => [type.flag, (pool: Pool) => pool.definition.type === type] as const),
];

/** The storage pools of a host, and who hears of them. */
export class Storage {
  readonly pools = new ObjectList<Pool>();
  readonly budget: StorageBudget;
  readonly registrations = new EventRegistrations({
    event: "storage pool event",
    callback: "storage pool event callback",
    ids: Object.keys(VirStoragePoolEventID).length,
  });

  /** @param maxBytes that all volumes may hold together */
  constructor(maxBytes: number) {
    this.budget = new StorageBudget(maxBytes);
  }

  /**
   * Finds what a reference means: its UUID alone decides.
   *
   * @throws {VirtError} VIR_ERR_NO_STORAGE_POOL.
   */
  find({ uuid }: Pick<NonnullStoragePool, "uuid">): Pool {
    const pool = this.pools.byUuid(uuid);
    if (pool !== undefined) return pool;
    throw noPool(`no storage pool with matching uuid '${formatUuid(uuid)}'`);
  }

  /** @throws {VirtError} VIR_ERR_NO_STORAGE_POOL. */
  named(name: string): Pool {
    const pool = this.pools.byName(name);
    if (pool !== undefined) return pool;
    throw noPool(`no storage pool with matching name '${name}'`);
  }

  /**
   * Finds a volume and its pool, which must be active.
   *
   * @throws {VirtError} where it is not, or there is none.
   */
  volume(reference: NonnullStorageVol): { pool: Pool; volume: Volume } {
    const pool = this.named(reference.pool).checkActive();
    return { pool, volume: pool.volume(reference.name) };
  }

  /** The volume of an active pool that fits. */
  searchVolume(fits: (volume: Volume) => boolean): Volume | undefined {
    for (const pool of this.pools) {
      const found = pool.active ? [...pool.volumes.values()].find(fits) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * The pool that a definition is for, defined anew, or a new one.
   *
   * @throws {VirtError} where name, UUID or source belong to another pool.
   * @source virStoragePoolObjListAdd, libvirt src/conf/virstorageobj.c.
   */
  assign(definition: PoolDefinition, what: "persistent" | "transient"): Pool {
    const { name, uuid, sourceKey } = definition;
    const failed = (detail: string) => storageError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);
    const isMadeFrom = ({ definition: now, config }: Pool) =>
      now.sourceKey === sourceKey || config.sourceKey === sourceKey;
    const rival =
      sourceKey === undefined ? undefined : [...this.pools].find((pool) => pool.name !== name && isMadeFrom(pool));
    if (rival !== undefined) throw failed(`Storage source conflict with pool: '${rival.name}'`);
    const same = this.pools.byUuid(uuid);
    if (same !== undefined) {
      if (same.name !== name) throw failed(`pool '${same.name}' is already defined with uuid ${formatUuid(uuid)}`);
      if (what === "transient" && same.active) {
        throw storageError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, `pool is already active as '${same.name}'`);
      }
      same.redefine(definition, what);
      if (what === "persistent") same.persistent = true;
      return same;
    }
    const namesake = this.pools.byName(name);
    if (namesake !== undefined) throw failed(`pool '${name}' already exists with uuid ${formatUuid(namesake.uuid)}`);
    if (this.pools.size >= REMOTE_STORAGE_POOL_LIST_MAX) {
      throw failed(`a host has at most ${REMOTE_STORAGE_POOL_LIST_MAX} storage pools`); // more could not be listed
    }
    const pool = new Pool(definition, what === "persistent");
    this.pools.add(pool);
    return pool;
  }

  /** Takes a pool off, with its volumes. */
  remove(pool: Pool): void {
    this.pools.remove(pool);
    pool.clear();
  }

  /** @param event a virStoragePoolEventLifecycleType */
  lifecycle(pool: Pool, event: number): void {
    const { VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE } = VirStoragePoolEventID;
    for (const { session, callbackID } of this.#wanting(VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, pool)) {
      session.send(storagePoolEventLifecycle, { callbackID, pool: pool.reference, event, detail: 0 });
    }
  }

  /** What is in the pool, or how much of it, was found out anew. */
  refreshed(pool: Pool): void {
    for (const { session, callbackID } of this.#wanting(
      VirStoragePoolEventID.VIR_STORAGE_POOL_EVENT_ID_REFRESH,
      pool,
    )) {
      session.send(storagePoolEventRefresh, { callbackID, pool: pool.reference });
    }
  }

  #wanting(eventID: number, { uuid }: Pool) {
    return this.registrations.wanting(eventID, formatUuid(uuid));
  }
}

function noPool(detail: string) {
  return driverError(VirErrorNumber.VIR_ERR_NO_STORAGE_POOL, detail);
}
