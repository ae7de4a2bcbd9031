import { randomFillSync } from "node:crypto";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { VirErrorNumber, VirStorageVolWipeAlgorithm } from "../../../generated/libvirt/index.ts";
import type { ServerStream } from "../../../rpc/index.ts";
import { BLOCK } from "./block-map.ts";
import type { Pool } from "./pool.ts";
import { noSpace, storageError } from "./storage-errors.ts";
import type { Volume } from "./volume.ts";

/** Bytes that are read at once: what one packet of a stream carries at most in libvirt. */
const PIECE = 262_120;
/** Blocks between which other work has its turn: 4 MiB. */
const BLOCKS_AT_ONCE = 64;
/** Beyond this a number is not exact. No volume holds bytes there. */
const FARTHEST = BigInt(Number.MAX_SAFE_INTEGER);

/** Bytes, as the protocol has them. A length of 0 means up to the end. */
export interface Range {
  readonly offset: bigint;
  readonly length: bigint;
}

/** Where a range ends: at the volume's end at the latest. */
function endOf({ offset, length }: Range, { capacity }: Volume): number {
  const limit = capacity < FARTHEST ? capacity : FARTHEST;
  const end = length === 0n || offset + length > limit ? limit : offset + length;
  return Number(end);
}

/**
 * Writes what a client sends. What came before a failure stays written.
 *
 * @throws {VirtError} `cannot write to stream: No space left on device`, behind the end of the range, of the volume, of
 *   the pool's room or of the memory for volumes.
 * @source virFDStreamWriteInternal, libvirt src/util/virfdstream.c.
 */
export async function receiveVolume(pool: Pool, volume: Volume, stream: ServerStream, range: Range): Promise<void> {
  const end = endOf(range, volume);
  let at = range.offset > BigInt(end) ? end : Number(range.offset);
  for await (const part of stream.parts()) {
    if ("hole" in part) {
      if (part.hole > BigInt(end - at)) throw noSpace("cannot write to stream");
      const next = at + Number(part.hole);
      volume.data.punch(at, next);
      at = next;
      continue;
    }
    try {
      const fitting = part.bytes.subarray(0, end - at);
      write(pool, volume, at, fitting);
      at += fitting.byteLength;
      if (fitting.byteLength < part.bytes.byteLength) throw noSpace("cannot write to stream");
    } finally {
      part.release();
    }
  }
}

/** @throws {VirtError} ENOSPC. */
function write(pool: Pool, volume: Volume, at: number, bytes: Uint8Array): void {
  const growth = volume.growth(at, at + bytes.byteLength);
  if (growth > 0n && growth > pool.sizes.available) throw noSpace("cannot write to stream");
  volume.data.write(at, bytes);
}

/** Sends what stands in the volume when each piece's turn comes. */
export async function sendVolume(volume: Volume, stream: ServerStream, range: Range): Promise<void> {
  const end = endOf(range, volume);
  const piece = new Uint8Array(PIECE);
  for (let at = Math.min(Number(range.offset), end); at < end; ) {
    const extent = stream.sparse ? volume.data.extentAt(at, end) : { hole: false, end };
    if (extent.hole) {
      await stream.writeHole(BigInt(extent.end - at));
      at = extent.end;
      continue;
    }
    while (at < extent.end) {
      const bytes = piece.subarray(0, Math.min(PIECE, extent.end - at));
      volume.data.read(at, bytes);
      await stream.write(bytes);
      at += bytes.byteLength;
    }
  }
}

/**
 * Copies a volume's bytes, holes as holes. Others have their turn in between.
 *
 * @param pool where the copy is.
 * @throws {VirtError} ENOSPC.
 */
export async function copyVolume(from: Volume, pool: Pool, to: Volume): Promise<void> {
  const block = new Uint8Array(BLOCK);
  let done = 0;
  for (const offset of from.data.offsets()) {
    from.data.read(offset, block);
    write(pool, to, offset, block);
    if (++done % BLOCKS_AT_ONCE === 0) await yieldToOthers();
  }
}

const A = VirStorageVolWipeAlgorithm;
/** What the last pass of each way to wipe leaves behind. @source the patterns of scrub(1), which libvirt runs */
const lastPass = new Map<number, "zeros" | "random" | number>([
  [A.VIR_STORAGE_VOL_WIPE_ALG_ZERO, "zeros"],
  [A.VIR_STORAGE_VOL_WIPE_ALG_NNSA, "zeros"],
  [A.VIR_STORAGE_VOL_WIPE_ALG_DOD, "random"],
  [A.VIR_STORAGE_VOL_WIPE_ALG_BSI, 0x7f],
  [A.VIR_STORAGE_VOL_WIPE_ALG_GUTMANN, "random"],
  [A.VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER, "random"],
  [A.VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7, "random"],
  [A.VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33, "random"],
  [A.VIR_STORAGE_VOL_WIPE_ALG_RANDOM, "random"],
]);

/**
 * Overwrites what the volume holds; its holes hold nothing.
 *
 * @throws {VirtError} for an algorithm that there is not.
 */
export async function wipeVolume({ data, capacity }: Volume, algorithm: number): Promise<void> {
  if (algorithm === A.VIR_STORAGE_VOL_WIPE_ALG_TRIM) {
    throw storageError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, "'trim' algorithm not supported");
  }
  const left = lastPass.get(algorithm);
  if (left === undefined) {
    throw storageError(VirErrorNumber.VIR_ERR_INVALID_ARG, `wiping algorithm ${algorithm} not supported`);
  }
  if (left === "zeros") return data.clear();
  const block = new Uint8Array(BLOCK);
  let done = 0;
  for (const offset of data.offsets()) {
    if (left === "random") randomFillSync(block);
    else block.fill(left);
    data.write(offset, block.subarray(0, Number(capacity) - offset)); // behind its end are zeros, for when it grows
    if (++done % BLOCKS_AT_ONCE === 0) await yieldToOthers();
  }
}
