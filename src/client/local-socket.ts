import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type ConnectUri, invalid } from "./uri.ts";

/** Daemons that serve one driver, each at `virt<driver>d-sock`. */
const directDrivers = new Set([
  "qemu",
  "lxc",
  "xen",
  "vbox",
  "vz",
  "ch",
  "bhyve",
  "network",
  "storage",
  "secret",
  "nodedev",
  "interface",
  "nwfilter",
]);

/** What the choice of a socket depends on, replaced in tests. */
export interface LocalSystem {
  /** The effective user. */
  readonly uid: number;
  readonly runtimeDir: string | undefined;
  readonly home: string;
  readonly exists: (path: string) => boolean;
}

export function thisSystem(): LocalSystem {
  return {
    uid: process.geteuid?.() ?? 0,
    runtimeDir: process.env.XDG_RUNTIME_DIR,
    home: homedir(),
    exists: existsSync,
  };
}

/**
 * The unix socket of the daemon on this machine that a URI means.
 * @throws {VirtError} VIR_ERR_INVALID_ARG for a `mode` that is unknown, or that the driver does not have
 * @source remoteGetUNIXSocket and remoteProbeSessionDriver, libvirt src/remote/remote_sockets.c
 */
export function localSocket(uri: ConnectUri, readOnly: boolean, system: LocalSystem = thisSystem()): string {
  const given = uri.parameters.get("socket");
  if (given !== undefined) return given;
  const ofUser =
    system.uid !== 0 && (uri.path === "/session" || uri.text.toLowerCase().startsWith("test+") || uri.text === "");
  const dir = ofUser ? join(system.runtimeDir ?? join(system.home, ".cache"), "libvirt") : "/var/run/libvirt";
  const end = readOnly && !ofUser ? "-sock-ro" : "-sock";
  const legacy = join(dir, `libvirt${end}`);
  const direct = directDrivers.has(uri.driver) ? join(dir, `virt${uri.driver}d${end}`) : undefined;
  const mode = uri.parameters.get("mode") ?? "auto";
  switch (mode) {
    case "legacy":
      return legacy;
    case "direct":
      if (direct === undefined) throw invalid(`mode=direct: no daemon of its own for driver '${uri.driver}'`);
      return direct;
    case "auto":
      return direct !== undefined && system.exists(direct) ? direct : legacy;
    default:
      throw invalid(`mode=${mode}: auto, legacy or direct wanted`);
  }
}
