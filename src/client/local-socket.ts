import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { virtError } from "../rpc/index.ts";
import { type System, userRuntimeDirectory } from "./system.ts";
import type { ConnectUri, SocketMode } from "./uri.ts";

/** A daemon's socket on this machine. */
export interface LocalSocket {
  /** A path; `@` at its start stands for an abstract name. */
  readonly path: string;
  /** A daemon to start if nobody listens there. */
  readonly daemon: string | undefined;
}

/** Daemons to look for where no URI names a driver, in the order in which libvirtd would try their drivers. */
const systemProbe = ["xen", "qemu", "lxc", "vbox", "bhyve", "vz"];
const sessionProbe = ["qemu", "vbox"];

/** Whether the user's own daemon is meant rather than the system's. Root has none. */
export function isSession(uri: ConnectUri, system: System): boolean {
  return system.uid !== 0 && (uri.path === "/session" || uri.text.startsWith("test+") || uri.text === "");
}

/** The path of a socket; only the system's daemons have one for reading. */
function socketPath(daemon: string, readOnly: boolean, session: boolean, system: System): string {
  if (session) return `${userRuntimeDirectory(system)}/${daemon}-sock`;
  return `/var/run/libvirt/${daemon}-sock${readOnly ? "-ro" : ""}`;
}

/**
 * Chooses the sockets of the daemons on this machine that a URI can mean, the likeliest first. There is more than one
 * only where none exists yet and whoever can be started decides.
 *
 * Rejects with a VirtError VIR_ERR_OPERATION_UNSUPPORTED for `mode=direct` where no daemon is to be seen and no URI
 * says which.
 * @source remoteGetUNIXSocket and remoteGetURIDaemonInfo, libvirt src/remote/remote_sockets.c
 */
export async function localSockets(
  uri: ConnectUri,
  { readOnly, mode, system }: { readOnly: boolean; mode: SocketMode; system: System },
): Promise<readonly LocalSocket[]> {
  const given = uri.parameters.get("socket");
  if (given !== undefined) return [{ path: given, daemon: undefined }];
  const session = isSession(uri, system);
  const start = session && system.env.LIBVIRT_AUTOSTART !== "0";
  const socket = (prefix: string, daemon = prefix): LocalSocket => ({
    path: socketPath(prefix, readOnly, session, system),
    daemon: start ? daemon : undefined,
  });
  const exists = ({ path }: LocalSocket) => system.access(path, "exists");

  const drivers = uri.driver !== "" ? [uri.driver] : session ? sessionProbe : systemProbe;
  const direct = drivers.map((driver) => socket(`virt${driver}d`));
  const legacy = socket("libvirt", "libvirtd");
  if (mode === "legacy") return [legacy];
  if (mode === "direct" && uri.driver !== "") return direct;
  for (const one of direct) if (await exists(one)) return [one];
  if (mode === "direct") {
    if (start) return direct;
    const looked = direct.map(({ path }) => path).join(", ");
    const detail = `No URI is provided, and mode=direct finds no daemon's socket: looked for ${looked}`;
    throw virtError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, VirErrorDomain.VIR_FROM_REMOTE, detail);
  }
  // Which of the two is meant where neither exists was decided when a libvirt was built; both are named in the error.
  return (await exists(legacy)) ? [legacy] : start ? [...direct, legacy] : [legacy, ...direct];
}

/**
 * The socket on a host that ssh leads to, where nothing can be looked for.
 * @throws {VirtError} VIR_ERR_OPERATION_UNSUPPORTED for `mode=direct`
 */
export function remoteSocket(
  uri: ConnectUri,
  { readOnly, mode, system }: { readOnly: boolean; mode: SocketMode; system: System },
): string {
  const given = uri.parameters.get("socket");
  if (given !== undefined) return given;
  if (mode === "direct") {
    const detail = `Cannot use direct socket mode for ${uri.transport} transport`;
    throw virtError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, VirErrorDomain.VIR_FROM_REMOTE, detail);
  }
  return socketPath("libvirt", readOnly, isSession(uri, system), system);
}
