import type { Host } from "../host.ts";
import { BLOCK, type BlockMap } from "../storage/block-map.ts";
import { formatPoolXml, type PoolDefinition, parsePoolXml } from "../storage/pool-xml.ts";
import { Volume } from "../storage/volume.ts";
import { parseVolumeXml } from "../storage/volume-xml.ts";
import { formatUuid, parseUuid } from "../uuid.ts";
import type { StoredBytes } from "./block-file.ts";
import { formatOnce } from "./format-once.ts";
import type { StateSource } from "./store.ts";

/** What a pool holds is its volumes' to say. */
const NO_SIZES = { capacity: 0n, allocation: 0n, available: 0n };

const poolXml = formatOnce((definition: PoolDefinition) => formatPoolXml(definition, NO_SIZES));

/** Persistent pools, and then their volumes with the bytes in them. */
export function storageStates({ storage }: Host): StateSource[] {
  const persistent = () => [...storage.pools].filter((pool) => pool.persistent);
  return [
    {
      kind: "pools",
      objects: () =>
        persistent().map(({ uuid, config, autostart }) => ({
          key: formatUuid(uuid),
          xml: poolXml(config),
          extra: { autostart },
        })),
      restore({ xml, extra }) {
        const pool = storage.assign(parsePoolXml(xml), "persistent");
        pool.autostart = extra.autostart === true;
        pool.active = pool.autostart;
      },
    },
    {
      kind: "volumes",
      objects: () =>
        persistent().flatMap((pool) => {
          const uuid = formatUuid(pool.uuid);
          const built = [...pool.volumes.values()].filter((volume) => !volume.building);
          return built.map((volume) => {
            const { name, capacity, reserved, data } = volume;
            return {
              key: `${uuid}/${name}`,
              xml: volumeXml(volume),
              extra: { pool: uuid, capacity: String(capacity), reserved: String(reserved) },
              ...(data.bytes > 0 && { bytes: bytesOf(data) }),
            };
          });
        }),
      restore({ xml, extra, blocks }) {
        const pool = storage.pools.byUuid(parseUuid(String(extra.pool)) ?? new Uint8Array(16));
        if (pool === undefined) return; // deleted with its pool, as far as the process came
        const { type, targetPath: folder } = pool.definition;
        const definition = parseVolumeXml(xml, type);
        const volume = new Volume({
          definition,
          pool: pool.name,
          folder,
          capacity: BigInt(String(extra.capacity)),
          allocation: BigInt(String(extra.reserved)),
          budget: storage.budget,
        });
        pool.volumes.set(volume.name, volume);
        for (const [index, block] of blocks()) volume.data.write(index * BLOCK, block);
      },
    },
  ];
}

const volumeXmls = new WeakMap<
  Volume,
  { readonly capacity: bigint; readonly allocation: bigint; readonly xml: string }
>();

/** As `formatOnce`, for what changes with its sizes. */
function volumeXml(volume: Volume): string {
  const { capacity, allocation } = volume;
  const made = volumeXmls.get(volume);
  if (made?.capacity === capacity && made.allocation === allocation) return made.xml;
  const { xml } = volume;
  volumeXmls.set(volume, { capacity, allocation, xml });
  return xml;
}

function bytesOf(data: BlockMap): StoredBytes {
  return {
    blockSize: BLOCK,
    get version() {
      return data.version;
    },
    blocks: () => data.versions(),
    block: (index) => data.block(index),
  };
}
