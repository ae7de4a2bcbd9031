import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A real libvirtd, in a lab of its own. */
export interface Daemon {
  /** The path of its unix socket. */
  readonly socket: string;
  /** Where it listens for TCP: `10.83.0.1:16509`. Leads nowhere good once it has ended. */
  readonly tcp: string;
  /** `9.0.0` */
  readonly version: string;
  /** Ends it and leaves nothing. */
  [Symbol.dispose](): void;
}

/**
 * Starts one, logging as it does without a word in its configuration.
 * @param root the checkout
 * @param tag what its lab is called: at most five letters
 * @param args more of `lab up`
 */
export function startDaemon(root: string, tag = "vi", ...args: string[]): Daemon {
  // Short: the path of a socket has at most 108 bytes.
  const folder = mkdtempSync(join(tmpdir(), "vwb-"));
  const env = { ...process.env, LAB_DIR: folder, LAB_TAG: tag, LAB_NET: "10.83.0", LC_ALL: "C.UTF-8" };
  const lab = (...words: string[]) => execFileSync(join(root, "test/lab/lab"), words, { env, encoding: "utf8" });
  const down = () => {
    process.off("exit", down);
    lab("down", "--purge");
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", down); // after a signal nothing is disposed of
  try {
    const status = lab("up", "--hosts", "alpha", "--set", 'log_filters="3:rpc"', ...args);
    const state = JSON.parse(lab("json")) as { hosts: { alpha: { unix: string; ip: string; tcp: number } } };
    const { unix: socket, ip, tcp } = state.hosts.alpha;
    return {
      socket,
      tcp: `${ip}:${tcp}`,
      version: /libvirt ([\d.]+)/.exec(status)?.[1] ?? "unknown",
      [Symbol.dispose]: down,
    };
  } catch (error) {
    down();
    throw error;
  }
}
