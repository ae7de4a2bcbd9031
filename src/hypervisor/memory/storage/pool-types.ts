import { VirConnectListAllStoragePoolsFlags, VirStorageVolType } from "../../../generated/libvirt/index.ts";

const F = VirConnectListAllStoragePoolsFlags;
const {
  VIR_STORAGE_VOL_BLOCK: BLOCK,
  VIR_STORAGE_VOL_FILE: FILE,
  VIR_STORAGE_VOL_NETWORK: NETWORK,
} = VirStorageVolType;

/** A kind of storage pool. */
export interface PoolType {
  readonly name: string;
  /** What its `<source>` has; `network` for those without a `<target>`. */
  readonly takes: readonly ("name" | "device" | "host" | "dir" | "adapter" | "network")[];
  /** Formats of the source; none where there is no such thing. */
  readonly formats: readonly string[];
  readonly defaultFormat: string | undefined;
  /** Of its volumes; undefined where they have none. */
  readonly volumeFormat: "raw" | "none" | undefined;
  /** virStorageVolType of its volumes. */
  readonly volumeType: number;
  /** What a list of pools is filtered by. */
  readonly flag: number;
}

const FILE_SYSTEMS = ["auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs"];
const DISK_LABELS = ["unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2"];

function pool(
  name: string,
  flag: number,
  volumeType: number,
  rest: Partial<Omit<PoolType, "name" | "flag" | "volumeType">> = {},
): readonly [string, PoolType] {
  const none = { takes: [], formats: [], defaultFormat: undefined, volumeFormat: undefined };
  return [name, { name, flag, volumeType, ...none, ...rest }];
}

/** @source poolTypeInfo, libvirt src/conf/storage_conf.c; the volumes' types are testStorageVolumeTypeForPool's. */
export const poolTypes: ReadonlyMap<string, PoolType> = new Map([
  pool("dir", F.VIR_CONNECT_LIST_STORAGE_POOLS_DIR, FILE, { volumeFormat: "raw" }),
  pool("fs", F.VIR_CONNECT_LIST_STORAGE_POOLS_FS, FILE, {
    takes: ["device"],
    formats: [...FILE_SYSTEMS, "ocfs2", "vmfs"],
    defaultFormat: "auto",
    volumeFormat: "raw",
  }),
  pool("netfs", F.VIR_CONNECT_LIST_STORAGE_POOLS_NETFS, FILE, {
    takes: ["host", "dir"],
    formats: ["auto", "nfs", "glusterfs", "cifs"],
    defaultFormat: "auto",
    volumeFormat: "raw",
  }),
  pool("logical", F.VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL, BLOCK, {
    takes: ["name", "device"],
    formats: ["unknown", "lvm2"],
    defaultFormat: "lvm2",
  }),
  pool("disk", F.VIR_CONNECT_LIST_STORAGE_POOLS_DISK, BLOCK, {
    takes: ["device"],
    formats: DISK_LABELS,
    defaultFormat: "unknown",
    volumeFormat: "none",
  }),
  pool("iscsi", F.VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI, BLOCK, { takes: ["host", "device"] }),
  pool("iscsi-direct", F.VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT, NETWORK, {
    takes: ["host", "device", "network"],
  }),
  pool("scsi", F.VIR_CONNECT_LIST_STORAGE_POOLS_SCSI, BLOCK, { takes: ["adapter"] }),
  pool("mpath", F.VIR_CONNECT_LIST_STORAGE_POOLS_MPATH, BLOCK),
  pool("rbd", F.VIR_CONNECT_LIST_STORAGE_POOLS_RBD, NETWORK, {
    takes: ["host", "network", "name"],
    volumeFormat: "raw",
  }),
  pool("sheepdog", F.VIR_CONNECT_LIST_STORAGE_POOLS_SHEEPDOG, NETWORK, { takes: ["host", "network", "name"] }),
  pool("gluster", F.VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER, NETWORK, {
    takes: ["host", "network", "name", "dir"],
    volumeFormat: "raw",
  }),
  pool("zfs", F.VIR_CONNECT_LIST_STORAGE_POOLS_ZFS, BLOCK, { takes: ["name", "device"] }),
  pool("vstorage", F.VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE, FILE, { takes: ["name"], volumeFormat: "raw" }),
]);
