import {
  VirErrorNumber,
  VirStorageVolCreateFlags,
  VirStorageVolDeleteFlags,
  VirStorageVolDownloadFlags,
  VirStorageVolInfoFlags,
  VirStorageVolResizeFlags,
  VirStorageVolUploadFlags,
  VirStorageVolWipeAlgorithm,
} from "../../../generated/libvirt/index.ts";
import { type NonnullStorageVol, REMOTE_STORAGE_VOL_LIST_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags, driverError, operationFailed, operationInvalid } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { checkListCount } from "../list-count.ts";
import { listAnswer } from "../object-list.ts";
import { checkXml } from "../xml.ts";
import type { Pool } from "./pool.ts";
import { sanitizePath } from "./pool-xml.ts";
import { Volume } from "./volume.ts";
import { copyVolume, receiveVolume, sendVolume, wipeVolume } from "./volume-transfer.ts";
import { parseVolumeXml, type VolumeDefinition } from "./volume-xml.ts";

const CREATE = VirStorageVolCreateFlags;
const RESIZE = VirStorageVolResizeFlags;
const CREATE_FLAGS = CREATE.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA | CREATE.VIR_STORAGE_VOL_CREATE_VALIDATE;
const NO_FLAGS = 0;

/** Volumes and their bytes. */
export function volumeProcedures({ storage }: Host) {
  /** Lists a new volume. @source testStorageVolCreateXML, libvirt src/test/test_driver.c */
  const create = (pool: Pool, definition: VolumeDefinition, capacity: bigint): Volume => {
    const { name } = definition;
    if (pool.volumes.has(name)) throw operationFailed("storage vol already exists");
    if (pool.volumes.size >= REMOTE_STORAGE_VOL_LIST_MAX) {
      throw operationFailed(`a pool has at most ${REMOTE_STORAGE_VOL_LIST_MAX} volumes`); // more could not be listed
    }
    const allocation = definition.allocation ?? capacity;
    if (allocation > pool.sizes.available) {
      const detail = `Not enough free space in pool for volume '${name}'`;
      throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
    }
    const folder = pool.definition.targetPath;
    const volume = new Volume({ definition, pool: pool.name, folder, capacity, allocation, budget: storage.budget });
    checkXml(volume.xml);
    pool.volumes.set(name, volume);
    return volume;
  };

  const remove = (pool: Pool, volume: Volume): void => {
    volume.data.clear();
    pool.volumes.delete(volume.name);
  };

  const wipe = async (vol: NonnullStorageVol, algorithm: number): Promise<void> => {
    const { pool, volume } = storage.volume(vol);
    volume.checkIdle();
    await pool.during(() => volume.use(() => wipeVolume(volume, algorithm)));
  };

  const info = ({ pool, volume }: { pool: Pool; volume: Volume }) => ({
    type: pool.definition.type.volumeType,
    capacity: volume.capacity,
    allocation: volume.allocation,
  });

  const noVolume = (what: string, value: string) =>
    driverError(VirErrorNumber.VIR_ERR_NO_STORAGE_VOL, `no storage vol with matching ${what} '${value}'`);

  return {
    storagePoolNumOfVolumes: ({ pool }) => ({ num: storage.find(pool).checkActive().volumes.size }),
    storagePoolListVolumes({ pool, maxnames }) {
      checkListCount("maxnames", maxnames, "REMOTE_STORAGE_VOL_LIST_MAX", REMOTE_STORAGE_VOL_LIST_MAX);
      return { names: [...storage.find(pool).checkActive().volumes.keys()].slice(0, maxnames) };
    },
    storagePoolListAllVolumes({ pool, needResults, flags }) {
      checkFlags(flags, NO_FLAGS, "virStoragePoolListAllVolumes");
      const { active, volumes } = storage.find(pool);
      if (!active) throw operationInvalid("storage pool is not active");
      const references = [...volumes.values()].map(({ reference }) => reference);
      const { found, ret } = listAnswer(references, needResults);
      return { vols: found, ret };
    },
    storageVolLookupByName: ({ pool, name }) => ({ vol: storage.find(pool).checkActive().volume(name).reference }),
    storageVolLookupByKey({ key }) {
      const found = storage.searchVolume((volume) => volume.key === key);
      if (found === undefined) throw noVolume("key", key);
      return { vol: found.reference };
    },
    storageVolLookupByPath({ path }) {
      const clean = sanitizePath(path);
      const found = storage.searchVolume((volume) => volume.path === clean);
      if (found === undefined) throw noVolume("path", path);
      return { vol: found.reference };
    },

    storageVolCreateXml({ pool, xml, flags }) {
      checkFlags(flags, CREATE_FLAGS, "virStorageVolCreateXML");
      const found = storage.find(pool).checkActive();
      const definition = parseVolumeXml(xml, found.definition.type);
      return { vol: create(found, definition, definition.capacity ?? 0n).reference };
    },
    async storageVolCreateXmlFrom({ pool, xml, clonevol, flags }) {
      checkFlags(flags, CREATE_FLAGS | CREATE.VIR_STORAGE_VOL_CREATE_REFLINK, "virStorageVolCreateXMLFrom");
      const into = storage.find(pool).checkActive();
      const definition = parseVolumeXml(xml, into.definition.type, true);
      if (into.volumes.has(definition.name)) throw operationFailed("storage vol already exists");
      const { pool: from, volume: original } = storage.volume(clonevol);
      original.checkBuilt();
      // What is copied has to fit.
      const wanted = definition.capacity ?? 0n;
      const volume = create(into, definition, wanted > original.capacity ? wanted : original.capacity);
      volume.building = true;
      try {
        await into.during(() => from.during(() => original.use(() => copyVolume(original, into, volume))));
      } catch (error) {
        remove(into, volume);
        throw error;
      } finally {
        volume.building = false;
      }
      return { vol: volume.reference };
    },
    storageVolDelete({ vol, flags }) {
      checkFlags(flags, VirStorageVolDeleteFlags.VIR_STORAGE_VOL_DELETE_ZEROED, "virStorageVolDelete");
      const { pool, volume } = storage.volume(vol);
      volume.checkIdle();
      remove(pool, volume); // what it held is overwritten in any case
    },

    storageVolGetInfo: ({ vol }) => info(storage.volume(vol)),
    storageVolGetInfoFlags({ vol, flags }) {
      const { VIR_STORAGE_VOL_GET_PHYSICAL } = VirStorageVolInfoFlags;
      checkFlags(flags, VIR_STORAGE_VOL_GET_PHYSICAL, "virStorageVolGetInfoFlags");
      const all = info(storage.volume(vol));
      // A file is as long as its volume, however many holes there are in it.
      return (flags & VIR_STORAGE_VOL_GET_PHYSICAL) === 0 ? all : { ...all, allocation: all.capacity };
    },
    storageVolGetXmlDesc({ vol, flags }) {
      checkFlags(flags, NO_FLAGS, "virStorageVolGetXMLDesc");
      return { xml: storage.volume(vol).volume.xml };
    },
    storageVolGetPath: ({ vol }) => ({ name: storage.volume(vol).volume.path }),

    storageVolResize({ vol, capacity, flags }) {
      const { VIR_STORAGE_VOL_RESIZE_ALLOCATE, VIR_STORAGE_VOL_RESIZE_DELTA, VIR_STORAGE_VOL_RESIZE_SHRINK } = RESIZE;
      const all = VIR_STORAGE_VOL_RESIZE_ALLOCATE | VIR_STORAGE_VOL_RESIZE_DELTA | VIR_STORAGE_VOL_RESIZE_SHRINK;
      checkFlags(flags, all, "virStorageVolResize");
      const { pool, volume } = storage.volume(vol);
      volume.checkIdle();
      const shrink = (flags & VIR_STORAGE_VOL_RESIZE_SHRINK) !== 0;
      const allocate = (flags & VIR_STORAGE_VOL_RESIZE_ALLOCATE) !== 0;
      let target = capacity;
      if ((flags & VIR_STORAGE_VOL_RESIZE_DELTA) !== 0) {
        const smaller = capacity < volume.capacity ? volume.capacity - capacity : 0n;
        target = shrink ? smaller : volume.capacity + capacity;
      }
      volume.resize(target, { shrink, allocate }, pool.sizes.available);
    },
    async storageVolWipe({ vol, flags }) {
      checkFlags(flags, NO_FLAGS, "virStorageVolWipe");
      await wipe(vol, VirStorageVolWipeAlgorithm.VIR_STORAGE_VOL_WIPE_ALG_ZERO);
    },
    async storageVolWipePattern({ vol, algorithm, flags }) {
      checkFlags(flags, NO_FLAGS, "virStorageVolWipePattern");
      await wipe(vol, algorithm);
    },

    storageVolUpload({ vol, offset, length, flags }, context) {
      const { VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM } = VirStorageVolUploadFlags;
      checkFlags(flags, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM, "virStorageVolUpload");
      storage.volume(vol).volume.checkIdle();
      context.stream(
        async (stream) => {
          // Looked for again: another call may have come in between.
          const { pool, volume } = storage.volume(vol);
          volume.checkIdle();
          await pool.during(async () => {
            try {
              await volume.use(() => receiveVolume(pool, volume, stream, { offset, length }));
            } finally {
              storage.refreshed(pool);
            }
          });
        },
        { sparse: (flags & VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) !== 0 },
      );
    },
    storageVolDownload({ vol, offset, length, flags }, context) {
      const { VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM } = VirStorageVolDownloadFlags;
      checkFlags(flags, VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM, "virStorageVolDownload");
      storage.volume(vol).volume.checkBuilt();
      context.stream(
        async (stream) => {
          const { pool, volume } = storage.volume(vol);
          volume.checkBuilt();
          await pool.during(() => volume.use(() => sendVolume(volume, stream, { offset, length })));
        },
        { sparse: (flags & VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) !== 0 },
      );
    },
  } satisfies DriverHandlers;
}
