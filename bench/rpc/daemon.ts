import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A real libvirtd, in a lab of its own. */
export interface Daemon {
  /** The path of its unix socket. */
  readonly socket: string;
  /** `9.0.0` */
  readonly version: string;
  /** Ends it and leaves nothing. */
  [Symbol.dispose](): void;
}

/** Starts one, logging as it does without a word in its configuration. @param root the checkout */
export function startDaemon(root: string): Daemon {
  // Short: the path of a socket has at most 108 bytes.
  const folder = mkdtempSync(join(tmpdir(), "vwb-"));
  const env = { ...process.env, LAB_DIR: folder, LAB_TAG: "vi", LAB_NET: "10.83.0", LC_ALL: "C.UTF-8" };
  const lab = (...args: string[]) => execFileSync(join(root, "test/lab/lab"), args, { env, encoding: "utf8" });
  const down = () => {
    process.off("exit", down);
    lab("down", "--purge");
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", down); // after a signal nothing is disposed of
  try {
    const status = lab("up", "--hosts", "alpha", "--set", 'log_filters="3:rpc"');
    const state = JSON.parse(lab("json")) as { hosts: { alpha: { unix: string } } };
    return {
      socket: state.hosts.alpha.unix,
      version: /libvirt ([\d.]+)/.exec(status)?.[1] ?? "unknown",
      [Symbol.dispose]: down,
    };
  } catch (error) {
    down();
    throw error;
  }
}
