import { type Command, InvalidArgumentError } from "commander";
import { type Connection, parseUUID, type StoragePool, type StorageVol } from "../api/index.ts";
import { VerbError } from "./output.ts";
import { operand, verb } from "./verb.ts";

export interface VolumeOptions {
  readonly vol?: string;
  readonly file?: string;
  readonly pool?: string;
  readonly offset?: bigint;
  readonly length?: bigint;
  readonly sparse?: boolean;
  readonly progress?: boolean;
  readonly json?: boolean;
}

/** `vol-upload` and `vol-download`, which take the same. */
export function volumeVerb(action: "upload" | "download", description: string, offset: string): Command {
  return verb(`vol-${action}`, description)
    .argument("[vol]", "vol name, key or path")
    .argument("[file]", "file")
    .option("--vol <string>", "vol name, key or path")
    .option("--file <string>", "file")
    .option("--pool <string>", "pool name or uuid")
    .option("--offset <number>", `volume offset to ${offset}`, byteCount)
    .option("--length <number>", `amount of data to ${action}`, wrappedByteCount)
    .option("--sparse", "preserve sparseness of volume")
    .option("--progress", `display the progress of the ${action}`)
    .option("--json", "how many bytes and holes as one JSON value");
}

/** The operands of both commands. `--vol disk FILE`: the one operand is the file. */
export function volumeOperands(
  command: Command,
  options: VolumeOptions,
  volGiven: string | undefined,
  fileGiven: string | undefined,
): { readonly name: string; readonly path: string } {
  const shifted = options.vol !== undefined && fileGiven === undefined;
  return {
    name: operand(command, "vol", shifted ? undefined : volGiven),
    path: operand(command, "file", shifted ? volGiven : fileGiven),
  };
}

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
function byteCount(text: string): bigint {
  if (!/^\d+$/.test(text) || BigInt.asUintN(64, BigInt(text)) !== BigInt(text)) {
    throw new InvalidArgumentError("A number of bytes is needed.");
  }
  return BigInt(text);
}

/** The same, and a negative number counts from the top as in C: -1 is everything there is. */
function wrappedByteCount(text: string): bigint {
  if (!text.startsWith("-")) return byteCount(text);
  return BigInt.asUintN(64, -byteCount(text.slice(1)));
}
