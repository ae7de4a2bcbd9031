import {
  VirErrorDomain,
  VirErrorNumber,
  VirStoragePoolBuildFlags,
  VirStoragePoolCreateFlags,
  VirStoragePoolDefineFlags,
  VirStoragePoolDeleteFlags,
  VirStoragePoolEventLifecycleType,
  VirStorageXMLFlags,
} from "../../../generated/libvirt/index.ts";
import { REMOTE_STORAGE_POOL_LIST_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags, invalidArgument } from "../driver-errors.ts";
import { exclusiveFlags } from "../flags.ts";
import type { Host } from "../host.ts";
import { checkListCount } from "../list-count.ts";
import { filtered, flagsOf, listAnswer } from "../object-list.ts";
import { formatUuid } from "../uuid.ts";
import type { Pool } from "./pool.ts";
import { findPoolSources } from "./pool-sources.ts";
import { parsePoolXml, sanitizePath } from "./pool-xml.ts";
import { poolFilters } from "./storage.ts";
import { storageError } from "./storage-errors.ts";

const B = VirStoragePoolBuildFlags;
const C = VirStoragePoolCreateFlags;
const EVENT = VirStoragePoolEventLifecycleType;
const BUILD_FLAGS = B.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE | B.VIR_STORAGE_POOL_BUILD_OVERWRITE;
const BUILD_FIRST =
  C.VIR_STORAGE_POOL_CREATE_WITH_BUILD |
  C.VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE |
  C.VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE;
const NO_FLAGS = 0;

/** Storage pools: what they are, and their life from define to undefine. */
export function poolProcedures(host: Host) {
  const { storage, nodeDevices } = host;
  const { pools, registrations } = storage;
  const names = (active: boolean) => [...pools].filter((pool) => pool.active === active).map(({ name }) => name);
  const checkNames = (maxnames: number) =>
    checkListCount("maxnames", maxnames, "REMOTE_STORAGE_POOL_LIST_MAX", REMOTE_STORAGE_POOL_LIST_MAX);

  const checkCreate = (flags: number, api: string) => {
    checkFlags(flags, BUILD_FIRST, api);
    const pair = [
      "VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE",
      "VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE",
    ] as const;
    exclusiveFlags(flags, C, pair, VirErrorDomain.VIR_FROM_STORAGE);
  };
  const start = (pool: Pool, flags: number) => {
    if ((flags & BUILD_FIRST) !== 0) storage.lifecycle(pool, EVENT.VIR_STORAGE_POOL_EVENT_CREATED);
    pool.active = true;
    storage.lifecycle(pool, EVENT.VIR_STORAGE_POOL_EVENT_STARTED);
  };
  const stop = (pool: Pool) => {
    pool.stop();
    if (pool.vport !== undefined) nodeDevices.remove(pool.vport);
    pool.vport = undefined;
  };

  return {
    connectNumOfStoragePools: () => ({ num: names(true).length }),
    connectListStoragePools({ maxnames }) {
      checkNames(maxnames);
      return { names: names(true).slice(0, maxnames) };
    },
    connectNumOfDefinedStoragePools: () => ({ num: names(false).length }),
    connectListDefinedStoragePools({ maxnames }) {
      checkNames(maxnames);
      return { names: names(false).slice(0, maxnames) };
    },
    connectListAllStoragePools({ needResults, flags }) {
      checkFlags(flags, flagsOf(poolFilters), "virConnectListAllStoragePools");
      const references = filtered(pools, poolFilters, flags).map(({ reference }) => reference);
      const { found, ret } = listAnswer(references, needResults);
      return { pools: found, ret };
    },
    connectFindStoragePoolSources({ type, srcSpec, flags }) {
      checkFlags(flags, NO_FLAGS, "virConnectFindStoragePoolSources");
      return { xml: findPoolSources(type, srcSpec) };
    },
    storagePoolLookupByName: ({ name }) => ({ pool: storage.named(name).reference }),
    storagePoolLookupByUuid: ({ uuid }) => ({ pool: storage.find({ uuid }).reference }),
    storagePoolLookupByVolume: ({ vol }) => ({ pool: storage.named(vol.pool).reference }),
    storagePoolLookupByTargetPath({ path }) {
      const clean = sanitizePath(path);
      const found = [...pools].find((pool) => pool.active && pool.definition.targetPath === clean);
      if (found !== undefined) return { pool: found.reference };
      const detail = `no storage pool with matching target path '${path}'`;
      throw storageError(VirErrorNumber.VIR_ERR_NO_STORAGE_POOL, detail);
    },
    storagePoolIsActive: ({ pool }) => ({ active: storage.find(pool).active ? 1 : 0 }),
    storagePoolIsPersistent: ({ pool }) => ({ persistent: storage.find(pool).persistent ? 1 : 0 }),

    storagePoolDefineXml({ xml, flags }) {
      checkFlags(flags, VirStoragePoolDefineFlags.VIR_STORAGE_POOL_DEFINE_VALIDATE, "virStoragePoolDefineXML");
      const pool = storage.assign(parsePoolXml(xml), "persistent");
      storage.lifecycle(pool, EVENT.VIR_STORAGE_POOL_EVENT_DEFINED);
      return { pool: pool.reference };
    },
    storagePoolCreateXml({ xml, flags }) {
      checkCreate(flags, "virStoragePoolCreateXML");
      const definition = parsePoolXml(xml);
      const pool = storage.assign(definition, "transient");
      const { vport } = definition;
      if (vport !== undefined) {
        const { parent, wwnn, wwpn } = vport;
        const wwns = { wwnn, wwpn, fabricWwn: undefined };
        try {
          pool.vport = nodeDevices.createVport({ parent, parentWwns: undefined, parentFabricWwn: undefined, wwns });
        } catch (error) {
          if (pool.persistent) pool.stop();
          else storage.remove(pool);
          throw error;
        }
      }
      start(pool, flags);
      return { pool: pool.reference };
    },
    storagePoolCreate({ pool, flags }) {
      checkCreate(flags, "virStoragePoolCreate");
      start(storage.find(pool).checkInactive(), flags);
    },
    storagePoolBuild({ pool, flags }) {
      checkFlags(flags, BUILD_FLAGS, "virStoragePoolBuild");
      const pair = ["VIR_STORAGE_POOL_BUILD_OVERWRITE", "VIR_STORAGE_POOL_BUILD_NO_OVERWRITE"] as const;
      exclusiveFlags(flags, B, pair, VirErrorDomain.VIR_FROM_STORAGE);
      storage.lifecycle(storage.find(pool).checkInactive(), EVENT.VIR_STORAGE_POOL_EVENT_CREATED);
    },
    storagePoolDestroy({ pool }) {
      const found = storage.find(pool).checkActive();
      found.checkIdle();
      stop(found);
      if (!found.persistent) storage.remove(found);
      storage.lifecycle(found, EVENT.VIR_STORAGE_POOL_EVENT_STOPPED);
    },
    /** Its volumes go: they are what a pool is made of. */
    storagePoolDelete({ pool, flags }) {
      checkFlags(flags, VirStoragePoolDeleteFlags.VIR_STORAGE_POOL_DELETE_ZEROED, "virStoragePoolDelete");
      const found = storage.find(pool).checkInactive();
      found.checkIdle();
      found.clear();
      storage.lifecycle(found, EVENT.VIR_STORAGE_POOL_EVENT_DELETED);
    },
    storagePoolUndefine({ pool }) {
      const found = storage.find(pool).checkInactive();
      found.checkIdle();
      storage.remove(found);
      storage.lifecycle(found, EVENT.VIR_STORAGE_POOL_EVENT_UNDEFINED);
    },
    storagePoolRefresh({ pool, flags }) {
      checkFlags(flags, NO_FLAGS, "virStoragePoolRefresh");
      storage.refreshed(storage.find(pool).checkActive());
    },
    storagePoolGetInfo({ pool }) {
      const { state, sizes } = storage.find(pool);
      return { state, ...sizes };
    },
    storagePoolGetXmlDesc({ pool, flags }) {
      const { VIR_STORAGE_XML_INACTIVE } = VirStorageXMLFlags;
      checkFlags(flags, VIR_STORAGE_XML_INACTIVE, "virStoragePoolGetXMLDesc");
      return { xml: storage.find(pool).xml((flags & VIR_STORAGE_XML_INACTIVE) !== 0) };
    },
    storagePoolGetAutostart({ pool }) {
      const { persistent, autostart } = storage.find(pool);
      return { autostart: persistent && autostart ? 1 : 0 };
    },
    storagePoolSetAutostart({ pool, autostart }) {
      const found = storage.find(pool);
      if (!found.persistent) throw invalidArgument("pool has no config file");
      found.autostart = autostart !== 0;
    },
    connectStoragePoolEventRegisterAny: ({ eventID, pool }, { session }) => ({
      callbackID: registrations.register(session, eventID, pool === null ? undefined : formatUuid(pool.uuid)),
    }),
    connectStoragePoolEventDeregisterAny({ callbackID }, { session }) {
      registrations.deregister(session, callbackID);
    },
  } satisfies DriverHandlers;
}
