import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive } from "../cli/run-cli.ts";

export const MIB = 1 << 20;

export interface Folder extends AsyncDisposable {
  readonly path: string;
  /** Whether the process whose id that file has is there. */
  isAlive(pidFile: string): Promise<boolean>;
  /** Bytes that a file takes of the disk. */
  used(name: string): Promise<number>;
}

/** A folder for a test, gone after it. */
export async function inFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "virtwire-stream-"));
  return {
    path,
    isAlive: async (name) => isAlive(Number(await readFile(join(path, name), "utf8"))),
    used: async (name) => (await stat(join(path, name))).blocks * 512,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
