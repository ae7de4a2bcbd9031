import { constants } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { systemError } from "../system-error.ts";
import type { ReadBytes } from "./save-image.ts";

/**
 * Opens a file and closes it again when `use` is done. A pipe without anybody at its other end fails at once instead
 * of keeping a thread waiting.
 *
 * @param what as in `cannot read domain image '/x'`
 * @throws {VirtError} VIR_ERR_SYSTEM_ERROR.
 */
export async function withFile<T>(
  path: string,
  flags: number,
  what: string,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  let file: FileHandle;
  try {
    file = await open(path, flags | constants.O_NONBLOCK, 0o600);
  } catch (error) {
    throw systemError(error, what);
  }
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

export function readerOf(file: FileHandle, path: string): ReadBytes {
  return async (length) => {
    const bytes = new Uint8Array(length);
    let at = 0;
    try {
      while (at < length) {
        const { bytesRead } = await file.read(bytes, at, length - at, null);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
    } catch (error) {
      throw systemError(error, `cannot read domain image '${path}'`);
    }
    return bytes.subarray(0, at);
  };
}

export const READ = constants.O_RDONLY;

/**
 * Writes a file whole. Where that fails there is no file, as there is none that was there before.
 *
 * @param what as in `saving domain 'web' to '/x'`: what failed is added.
 * @param written is called after each chunk; what it throws ends the writing.
 * @throws {VirtError} VIR_ERR_SYSTEM_ERROR, or what `chunks` and `written` throw.
 */
export async function writeWhole(
  path: string,
  what: string,
  chunks: AsyncIterable<Uint8Array>,
  written: (bytes: number) => void = () => {},
): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
  await withFile(path, flags, `${what}: open failed`, async (file) => {
    try {
      for await (const chunk of chunks) {
        await file.writeFile(chunk);
        written(chunk.byteLength);
      }
      if (await isRegular(file)) {
        await file.sync();
        await syncFolderOf(path);
      }
    } catch (error) {
      // Not a device or a pipe, which nobody here made. The first error is the one to tell.
      if (await isRegular(file).catch(() => false)) await unlink(path).catch(() => {});
      throw systemError(error, `${what}: write failed`);
    }
  });
}

const isRegular = async (file: FileHandle) => (await file.stat()).isFile();

/** Waits until the disk has the name of a file, too. */
async function syncFolderOf(path: string): Promise<void> {
  const folder = await open(dirname(path), READ);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

let replacements = 0;

/** Puts a file in the place of another in one step, so that one of the two is always there. */
export async function replaceWhole(path: string, what: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const fresh = `${path}.${process.pid}-${++replacements}.new`; // somebody else may be replacing it, too
  await writeWhole(fresh, what, chunks);
  try {
    await rename(fresh, path);
    await syncFolderOf(path);
  } catch (error) {
    await unlink(fresh).catch(() => {});
    throw systemError(error, what);
  }
}
