import { constants, type FileHandle, open, rm } from "node:fs/promises";
import { VerbError } from "./output.ts";

/** A file for what is received: it goes again where that fails, unless it was there before. */
export class NewFile implements AsyncDisposable {
  readonly handle: FileHandle;
  readonly #path: string;
  readonly #wasThere: boolean;

  constructor(handle: FileHandle, path: string, wasThere: boolean) {
    this.handle = handle;
    this.#path = path;
    this.#wasThere = wasThere;
  }

  async filledBy<T>(fill: () => Promise<T>): Promise<T> {
    try {
      return await fill();
    } catch (error) {
      if (!this.#wasThere) await rm(this.#path, { force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }
}

/** Creates or empties a file. @throws {VerbError} `failure` */
export async function createFile(path: string, failure: string): Promise<NewFile> {
  const { O_CREAT, O_EXCL, O_TRUNC, O_WRONLY } = constants;
  try {
    return new NewFile(await open(path, O_WRONLY | O_CREAT | O_EXCL, 0o666), path, false);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw new VerbError(failure);
  }
  try {
    return new NewFile(await open(path, O_WRONLY | O_TRUNC), path, true);
  } catch {
    throw new VerbError(failure);
  }
}
