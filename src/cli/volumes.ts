import { InvalidArgumentError } from "commander";
import { type Connection, parseUUID, type StoragePool, type StorageVol } from "../api/index.ts";
import { VerbError } from "./output.ts";

/**
 * Finds a volume by its name in a pool, by its key or by its path, in this order as virsh does.
 * @throws {VerbError} where there is none, or another pool has it
 */
export async function lookupVolume(conn: Connection, given: string, poolGiven?: string): Promise<StorageVol> {
  const pool = poolGiven === undefined ? undefined : await lookupPool(conn, poolGiven);
  if (pool !== undefined && !(await pool.isActive())) throw new VerbError(`pool '${poolGiven}' is not active`);
  const volume = await first([
    ...(pool === undefined ? [] : [() => pool.lookupStorageVolByName(given)]),
    () => conn.lookupStorageVolByKey(given),
    () => conn.lookupStorageVolByPath(given),
  ]).catch((cause: unknown) => {
    const hint = pool === undefined ? ", specifying --pool might help" : "";
    throw new VerbError(`failed to get vol '${given}'${hint}`, { cause });
  });
  if (pool !== undefined && (await volume.lookupStoragePoolByVolume()).getName() !== pool.getName()) {
    throw new VerbError(`Requested volume '${given}' is not in pool '${pool.getName()}'`);
  }
  return volume;
}

async function lookupPool(conn: Connection, given: string): Promise<StoragePool> {
  const uuid = parseUUID(given);
  return first([
    ...(uuid === undefined ? [] : [() => conn.lookupStoragePoolByUUID(uuid)]),
    () => conn.lookupStoragePoolByName(given),
  ]).catch((cause: unknown) => {
    throw new VerbError(`failed to get pool '${given}'`, { cause });
  });
}

/** What the first of them that succeeds gives, or the last one's error. */
async function first<T>(attempts: readonly (() => Promise<T>)[]): Promise<T> {
  let cause: unknown;
  for (const attempt of attempts) {
    try {
      return await attempt();
    } catch (error) {
      cause = error;
    }
  }
  throw cause;
}

/** An option's value as a number of bytes. */
export function byteCount(text: string): bigint {
  if (!/^\d+$/.test(text) || BigInt.asUintN(64, BigInt(text)) !== BigInt(text)) {
    throw new InvalidArgumentError("A number of bytes is needed.");
  }
  return BigInt(text);
}

/** The same, and a negative number counts from the top as in C: -1 is everything there is. */
export function wrappedByteCount(text: string): bigint {
  if (!text.startsWith("-")) return byteCount(text);
  return BigInt.asUintN(64, -byteCount(text.slice(1)));
}
