import { constants } from "node:fs";
import { open, rename, rm, truncate } from "node:fs/promises";

/** The steps by which a store reaches its disk; tests pass some that fail. */
export interface StoreFiles {
  /** Makes a new file of these bytes, which only its owner may read, and waits until the disk has them. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Writes parts of a file, which is made where there is none, and waits until the disk has them. */
  writeAt(path: string, parts: Iterable<readonly [offset: number, bytes: Uint8Array]>): Promise<void>;
  truncate(path: string, length: number): Promise<void>;
  /** Puts it in the place of what has that name. */
  rename(from: string, to: string): Promise<void>;
  /** Not an error where there is none. */
  remove(path: string): Promise<void>;
  /** Waits until the disk has what was made, renamed and removed in a folder. */
  syncFolder(path: string): Promise<void>;
}

const { O_RDWR, O_CREAT } = constants;
/** Bytes. */
const MOST_TOGETHER = 1 << 20;

export const diskFiles: StoreFiles = {
  async write(path, bytes) {
    const file = await open(path, "w", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async writeAt(path, parts) {
    const file = await open(path, O_RDWR | O_CREAT, 0o600);
    try {
      for (const [offset, bytes] of together(parts)) {
        for (let at = 0; at < bytes.byteLength; ) {
          at += (await file.write(bytes, at, bytes.byteLength - at, offset + at)).bytesWritten;
        }
      }
      await file.sync();
    } finally {
      await file.close();
    }
  },
  truncate,
  rename,
  remove: (path) => rm(path, { force: true }),
  async syncFolder(path) {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};

/** Parts that follow on one another as one, so that fewer writes are made. */
function* together(
  parts: Iterable<readonly [offset: number, bytes: Uint8Array]>,
): Iterable<readonly [offset: number, bytes: Uint8Array]> {
  let start = 0;
  let size = 0;
  let run: Uint8Array[] = [];
  for (const [offset, bytes] of parts) {
    if (size > 0 && (offset !== start + size || size >= MOST_TOGETHER)) {
      yield [start, Buffer.concat(run)];
      run = [];
      size = 0;
    }
    if (size === 0) start = offset;
    run.push(bytes);
    size += bytes.byteLength;
  }
  if (size > 0) yield [start, Buffer.concat(run)];
}
