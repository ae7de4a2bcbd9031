import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { StateError, stateError } from "./state-error.ts";
import type { StoreFiles } from "./store-files.ts";

/** The bytes of an object, which may change while they are kept, in blocks. What is in no block is zeros. */
export interface StoredBytes {
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Another number whenever a block has changed. */
  readonly version: number;
  /** The blocks that there are, each with a number that no other content of that block has in this process. */
  blocks(): Iterable<readonly [index: number, version: number]>;
  /** A block as it is at this moment, whole and nobody else's; undefined where it is no more. */
  block(index: number): { readonly version: number; readonly bytes: Uint8Array } | undefined;
}

/** What an object's file says of the bytes that go with it. */
export interface BlockTable {
  readonly file: string;
  readonly blockSize: number;
  /** Where each block is in the file, counted in blocks, and its CRC-32. */
  readonly blocks: readonly (readonly [index: number, slot: number, sum: number])[];
}

interface Placed {
  readonly slot: number;
  readonly sum: number;
  /** Undefined where nobody can tell what this process has of it. */
  readonly version: number | undefined;
}

/** New blocks in a file, of which the object's file does not know yet. */
export interface Draft {
  readonly table: BlockTable;
  /** They will never be known: their room is free again. */
  undo(): void;
  /** The object's file knows them. */
  placed(): void;
  /** The disk has the object's file: the room of what they replaced is free. */
  settled(): Promise<void>;
}

/**
 * A file with an object's blocks, in no order. A block that changes is written to another place than the one that the
 * object's file names, so that what is named is always whole.
 */
export class BlockFile {
  readonly name: string;
  readonly blockSize: number;
  readonly #folder: string;
  #places = new Map<number, Placed>();
  #free: number[] = [];
  /** Behind the last slot that was ever used. */
  #end = 0;

  constructor(folder: string, name: string, blockSize: number) {
    this.#folder = folder;
    this.name = name;
    this.blockSize = blockSize;
  }

  /** What an earlier process wrote. */
  static of(folder: string, { file, blockSize, blocks }: BlockTable): BlockFile {
    const blockFile = new BlockFile(folder, file, blockSize);
    const used = new Set<number>();
    for (const [index, slot, sum] of blocks) {
      blockFile.#places.set(index, { slot, sum, version: undefined });
      used.add(slot);
      blockFile.#end = Math.max(blockFile.#end, slot + 1);
    }
    for (let slot = blockFile.#end - 1; slot >= 0; slot--) if (!used.has(slot)) blockFile.#free.push(slot);
    return blockFile;
  }

  get #path(): string {
    return join(this.#folder, this.name);
  }

  /**
   * Reads all blocks. Each is good until the next one is asked for.
   *
   * @throws {StateError} where one cannot be read, or is not as it was written
   */
  *read(): Iterable<readonly [index: number, bytes: Uint8Array]> {
    if (this.#places.size === 0) return; // there may be no file
    try {
      const file = openSync(this.#path, "r");
      try {
        yield* this.#readFrom(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw stateError(this.#path, error);
    }
  }

  *#readFrom(file: number): Iterable<readonly [index: number, bytes: Uint8Array]> {
    const bytes = new Uint8Array(this.blockSize);
    for (const [index, { slot, sum }] of this.#places) {
      let at = 0;
      for (let more = 1; more > 0 && at < bytes.byteLength; at += more) {
        more = readSync(file, bytes, at, bytes.byteLength - at, slot * this.blockSize + at);
      }
      if (at < bytes.byteLength || crc32(bytes) !== sum) throw new StateError(this.#path, "is damaged");
      yield [index, bytes];
    }
  }

  /** Takes what a source has made of the blocks that were read for what the file has. */
  adopt(bytes: StoredBytes): void {
    for (const [index, version] of bytes.blocks()) {
      const place = this.#places.get(index);
      if (place !== undefined) this.#places.set(index, { ...place, version });
    }
  }

  /** Writes what has changed. Blocks that change meanwhile may come in either way; a later call writes them again. */
  async write(files: StoreFiles, bytes: StoredBytes): Promise<Draft> {
    const next = new Map<number, Placed>();
    const taken: number[] = [];
    const undo = () => {
      this.#free.push(...taken);
    };
    const changed: number[] = [];
    for (const [index, version] of bytes.blocks()) {
      const place = this.#places.get(index);
      if (place?.version === version) next.set(index, place);
      else changed.push(index);
    }
    const written = function* (this: BlockFile) {
      for (const index of changed) {
        const block = bytes.block(index);
        if (block === undefined) continue;
        const slot = this.#free.pop() ?? this.#end++;
        taken.push(slot);
        next.set(index, { slot, sum: crc32(block.bytes), version: block.version });
        yield [slot * this.blockSize, block.bytes] as const;
      }
    };
    try {
      if (changed.length > 0) await files.writeAt(this.#path, written.call(this));
    } catch (error) {
      undo();
      throw error;
    }
    const before = this.#places;
    return {
      table: {
        file: this.name,
        blockSize: this.blockSize,
        blocks: Array.from(next, ([index, { slot, sum }]) => [index, slot, sum] as const),
      },
      undo,
      placed: () => {
        this.#places = next;
      },
      settled: async () => {
        for (const [index, { slot }] of before) if (next.get(index)?.slot !== slot) this.#free.push(slot);
        await this.#cut(files);
      },
    };
  }

  /** Gives back to the disk what is free at the end. */
  async #cut(files: StoreFiles): Promise<void> {
    const end = this.#end;
    const free = new Set(this.#free);
    while (free.delete(this.#end - 1)) this.#end--;
    if (this.#end === end) return;
    this.#free = [...free];
    await files.truncate(this.#path, this.#end * this.blockSize);
  }
}
