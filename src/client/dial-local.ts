import { VirErrorDomain } from "../generated/libvirt/index.ts";
import { startTimer, systemError, TransportError, type VirtError } from "../rpc/index.ts";
import { sockets, type Transport } from "../transport/index.ts";
import type { LocalSocket } from "./local-socket.ts";
import { type System, userRuntimeDirectory } from "./system.ts";

/** Bytes in sockaddr_un's path. A name must leave room for the NUL behind it. */
const SUN_PATH = 108;

/** How often, and after how many milliseconds, a daemon that was started is tried again. */
const ATTEMPTS = 500;
const PAUSE = 10;

/** What a daemon gets of our environment: virCommandAddEnvPassCommon and virNetSocketForkDaemon. */
const passed =
  "LD_PRELOAD LD_LIBRARY_PATH PATH HOME USER LOGNAME TMPDIR XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR".split(" ");

/**
 * Connects to a daemon on this machine, and starts it where nobody listens and `choice` names one.
 *
 * libvirt locks a file meanwhile, so that two clients do not both start one. Node has no such locks, and the daemons
 * have their own: the second ends at once, and its client is served by the first.
 *
 * @param choice sockets in the order to try; what is named behind the first is for its error, or may be started
 * Rejects with a TransportError `connect`, a VirtError VIR_ERR_SYSTEM_ERROR if there is no daemon to start, or the
 * signal's reason.
 * @source virNetSocketNewConnectUNIX, libvirt src/rpc/virnetsocket.c
 */
export async function dialLocal(
  choice: readonly LocalSocket[],
  system: System,
  signal: AbortSignal | undefined,
): Promise<Transport> {
  const [first] = choice as [LocalSocket, ...LocalSocket[]];
  let missing: unknown;
  for (const { path } of first.daemon === undefined ? [first] : choice) {
    try {
      return await connect(path, signal);
    } catch (error) {
      if (!isNobodyThere(error)) throw error;
      missing ??= error;
    }
  }
  if (first.daemon === undefined) throw choice.length === 1 ? missing : noneOf(choice, missing);

  const { daemon, program } = await findDaemon(choice, system);
  await system.makeDirectory(userRuntimeDirectory(system));
  const env = passed.flatMap((name) => {
    const value = system.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  try {
    await system.startDaemon(program, ["--timeout=120"], { LC_ALL: "C", ...Object.fromEntries(env) });
  } catch (cause) {
    throw new TransportError("connect", `cannot start ${program}: ${(cause as Error).message}`, { cause });
  }
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await connect(daemon.path, signal);
    } catch (error) {
      if (!isNobodyThere(error)) throw error;
      if (left > 0) await pause(signal);
      else
        throw new TransportError("connect", `${program} was started but ${(error as Error).message}`, { cause: error });
    }
  }
}

async function connect(path: string, signal: AbortSignal | undefined): Promise<Transport> {
  const bytes = new TextEncoder().encode(path).byteLength;
  if (bytes >= SUN_PATH) {
    const ENAMETOOLONG = 36;
    const detail = `Path ${path} too long for unix socket`;
    throw systemError(VirErrorDomain.VIR_FROM_RPC, ENAMETOOLONG, `${bytes} bytes, at most ${SUN_PATH - 1}`, detail);
  }
  const { dialUnix } = await sockets();
  return dialUnix(path, signal === undefined ? {} : { signal });
}

function isNobodyThere(error: unknown): boolean {
  const cause = error instanceof TransportError ? (error.cause as { code?: unknown } | undefined) : undefined;
  return cause?.code === "ENOENT" || cause?.code === "ECONNREFUSED";
}

function noneOf(choice: readonly LocalSocket[], cause: unknown): TransportError {
  const [first, ...others] = choice.map(({ path }) => path);
  const detail = `cannot connect to unix:${first}: no daemon listens there, nor is there ${others.join(" or ")}`;
  return new TransportError("connect", detail, { cause });
}

/** The first of the daemons that is installed: in VIRTD_PATH's or LIBVIRTD_PATH's directory, or where programs are. */
async function findDaemon(choice: readonly LocalSocket[], { env, access }: System) {
  const only = env.VIRTD_PATH ?? env.LIBVIRTD_PATH;
  const folders = only === undefined ? ["/usr/sbin", ...(env.PATH ?? "").split(":").filter(Boolean)] : [only];
  for (const daemon of choice) {
    for (const folder of folders) {
      const program = `${folder}/${daemon.daemon}`;
      if (await access(program, "run")) return { daemon, program };
    }
  }
  throw notInstalled(choice, folders);
}

function notInstalled(choice: readonly LocalSocket[], folders: readonly string[]): VirtError {
  const ENOENT = 2;
  const names = choice.map(({ daemon }) => daemon).join(" or ");
  const detail = `nobody listens at ${choice.map(({ path }) => path).join(" or ")}, and there is no ${names} to start`;
  return systemError(VirErrorDomain.VIR_FROM_RPC, ENOENT, `looked in ${folders.join(":")}`, detail);
}

function pause(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = startTimer(end, PAUSE);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
