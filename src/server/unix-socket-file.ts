import { execFile } from "node:child_process";
import { chmod, lchown, lstat, readFile, unlink } from "node:fs/promises";
import type { Server } from "node:net";
import { promisify } from "node:util";
import { isMainThread } from "node:worker_threads";
import { sockets, TransportError } from "../transport/index.ts";
import type { ListenerOptions } from "./listener-options.ts";

/** Bytes of `sun_path`. */
const PATH_BYTES = 108;

/**
 * Binds a socket file, which is never open to others than its mode and group say, not even for a moment.
 * @param bind begins to listen, and resolves when it does
 * @throws {TransportError} `connect`
 */
export async function bindUnix(
  server: Server,
  path: string,
  { group, mode = group === undefined ? 0o600 : 0o660 }: ListenerOptions,
  backlog: number,
  bind: (begin: () => void) => Promise<void>,
): Promise<void> {
  const length = Buffer.byteLength(path);
  if (length >= PATH_BYTES)
    throw failure(path, new Error(`the path is too long: ${length} bytes of ${PATH_BYTES - 1}`));
  if (path.startsWith("@")) {
    // The C client gives the kernel the whole of sun_path, and so the name has to have all of its zeros.
    await bind(() => server.listen({ path: `\0${path.slice(1)}${"\0".repeat(PATH_BYTES - length)}`, backlog }));
    return;
  }
  const gid = group === undefined ? undefined : await groupId(group, path);
  await removeStale(path);
  await bind(() => {
    // Nobody else's until it is as it should be. The mask belongs to the whole process: files that Node's threads make
    // in this moment may become private, but never open to more. Worker threads cannot set it.
    const mask = isMainThread ? process.umask(0o777 & ~(mode & 0o700)) : undefined;
    try {
      server.listen({ path, backlog });
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
  });
  try {
    if (gid !== undefined) await lchown(path, -1, gid);
    await chmod(path, mode);
  } catch (cause) {
    server.close();
    throw failure(path, cause as Error);
  }
}

function failure(path: string, cause: Error): TransportError {
  return new TransportError("connect", `cannot listen at unix:${path}: ${cause.message}`, { cause });
}

/** A group's number, by what the system knows: its files, and the directories it asks. */
async function groupId(group: string | number, path: string): Promise<number> {
  if (typeof group === "number") return group;
  if (/^\d+$/.test(group)) return Number(group);
  const id = (text: string) => {
    const line = text.split("\n").find((one) => one.startsWith(`${group}:`));
    return line === undefined ? undefined : Number(line.split(":")[2]);
  };
  const found =
    id(await readFile("/etc/group", "utf8").catch(() => "")) ??
    id(
      await promisify(execFile)("getent", ["group", group]).then(
        ({ stdout }) => stdout,
        () => "",
      ),
    );
  if (found === undefined) throw failure(path, new Error(`there is no group ${group}`));
  return found;
}

/** Removes the socket file of a daemon that is no more. One that answers stays, and so does a file of another kind. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || !found.isSocket()) return;
  const { dialUnix } = await sockets();
  try {
    await (await dialUnix(path)).close(new Error("only asking whether someone is there"));
  } catch (error) {
    const cause = (error as TransportError).cause as NodeJS.ErrnoException | undefined;
    if (cause?.code === "ECONNREFUSED") await unlink(path);
  }
}
