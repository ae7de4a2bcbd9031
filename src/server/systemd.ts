import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The first file descriptor that systemd hands over: SD_LISTEN_FDS_START. */
const FIRST = 3;

/** A listening socket that systemd opened. */
export interface SystemdSocket {
  readonly fd: number;
  /** Its FileDescriptorName, by default the name of the socket unit: `libvirtd-ro.socket`. */
  readonly name: string;
}

/**
 * The sockets that systemd has opened for this process, from LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; none where the
 * process was started in another way, or they are for another process. More than one may have the same name.
 * @throws {TypeError} where the variables contradict each other
 * @source sd_listen_fds_with_names(3)
 */
export function systemdSockets(env: NodeJS.ProcessEnv = process.env, pid: number = process.pid): SystemdSocket[] {
  if (env.LISTEN_PID === undefined || env.LISTEN_FDS === undefined || Number(env.LISTEN_PID) !== pid) return [];
  const count = Number(env.LISTEN_FDS);
  if (!Number.isInteger(count) || count < 0 || count > 1024)
    throw new TypeError(`LISTEN_FDS ${env.LISTEN_FDS}: no count`);
  const names = env.LISTEN_FDNAMES === undefined ? [] : env.LISTEN_FDNAMES.split(":");
  if (env.LISTEN_FDNAMES !== undefined && count > 0 && names.length !== count) {
    throw new TypeError(`LISTEN_FDNAMES has ${names.length} names for ${count} sockets`);
  }
  return Array.from({ length: count }, (_, i) => ({ fd: FIRST + i, name: names[i] || "unknown" }));
}

/** What systemd is told: sd_notify(3). */
const NOTICES = { ready: "READY=1", stopping: "STOPPING=1", reloading: "RELOADING=1" } as const;

/**
 * Tells systemd that this service is ready, stops or reads its configuration again, where NOTIFY_SOCKET names a socket
 * to tell it at. Node has no unix datagram sockets, so systemd's own program `systemd-notify` does it: the unit needs
 * `NotifyAccess=all` (or `exec`) where the process is not root, because the message then comes from a child process.
 * @returns false where nobody asked to be told
 * @throws {TypeError} for another kind of address than systemd has
 * @throws {Error} where the program is missing, or fails
 */
export async function notifySystemd(
  state: keyof typeof NOTICES,
  env: NodeJS.ProcessEnv = process.env,
): Promise<boolean> {
  const address = env.NOTIFY_SOCKET;
  if (address === undefined || address === "") return false;
  if (!/^[/@]|^vsock/.test(address)) throw new TypeError(`NOTIFY_SOCKET ${address}: no address of a socket`);
  try {
    await promisify(execFile)("systemd-notify", [NOTICES[state]], { env, timeout: 10_000 });
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT"
        ? "the program systemd-notify, of the package systemd, is not installed"
        : (cause as Error).message;
    throw new Error(`systemd waits for a notice (NOTIFY_SOCKET) and cannot get it: ${why}`, { cause });
  }
  return true;
}
