import { VirErrorDomain } from "../generated/libvirt/index.ts";
import { systemError, type VirtError } from "../rpc/index.ts";

/** What of this machine the choice of a connection depends on: an argument everywhere, so that tests bring their own. */
export interface System {
  /** The effective user. */
  readonly uid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home directory. */
  readonly home: string;
  /** Whether a file is there, or may be read, or run. */
  access(path: string, how: "exists" | "read" | "run"): Promise<boolean>;
  /**
   * The text of a file, undefined where there is none.
   * Rejects with a VirtError VIR_ERR_SYSTEM_ERROR: not readable, or more than `limit` bytes.
   */
  readText(path: string, limit: number): Promise<string | undefined>;
  /** Creates a directory for this user alone, and those above it. */
  makeDirectory(path: string): Promise<void>;
  /** Starts a program that outlives this one, with this environment. Rejects where it cannot be started. */
  startDaemon(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<void>;
}

/** No files, no environment, nobody: a browser. */
const nowhere: System = {
  uid: 0,
  env: {},
  home: "/",
  access: () => Promise.resolve(false),
  readText: () => Promise.resolve(undefined),
  makeDirectory: () => Promise.resolve(),
  startDaemon: () => Promise.reject(new Error("no programs here")),
};

/** The machine and user that this process runs on, as they are now. */
export async function thisSystem(): Promise<System> {
  if (typeof process === "undefined" || process.versions?.node === undefined) return nowhere;
  const [{ createReadStream, constants }, { access, mkdir }, { homedir }, { spawn }] = await Promise.all([
    import("node:fs"),
    import("node:fs/promises"),
    import("node:os"),
    import("node:child_process"),
  ]);
  const modes = { exists: constants.F_OK, read: constants.R_OK, run: constants.X_OK };
  return {
    uid: process.geteuid?.() ?? 0,
    env: process.env,
    home: homedir(),
    access: (path, how) =>
      access(path, modes[how]).then(
        () => true,
        () => false,
      ),
    async readText(path, limit) {
      const decoder = new TextDecoder();
      let text = "";
      let bytes = 0;
      try {
        for await (const chunk of createReadStream(path, { end: limit })) {
          bytes += (chunk as Uint8Array).byteLength;
          text += decoder.decode(chunk as Uint8Array, { stream: true });
        }
      } catch (error) {
        const { code, errno, message } = error as NodeJS.ErrnoException;
        if (code === "ENOENT") return undefined;
        throw systemError(VirErrorDomain.VIR_FROM_NONE, Math.abs(errno ?? 0), message, `Failed to read file '${path}'`);
      }
      if (bytes > limit) throw tooLarge(path, limit);
      return text + decoder.decode();
    },
    makeDirectory: (path) => mkdir(path, { recursive: true, mode: 0o700 }).then(() => {}),
    startDaemon: (program, args, env) =>
      new Promise((resolve, reject) => {
        const child = spawn(program, args, { cwd: "/", detached: true, stdio: "ignore", env: { ...env } });
        child.on("error", reject);
        child.on("spawn", () => {
          child.unref();
          resolve();
        });
      }),
  };
}

function tooLarge(path: string, limit: number): VirtError {
  const EOVERFLOW = 75;
  return systemError(
    VirErrorDomain.VIR_FROM_NONE,
    EOVERFLOW,
    `more than ${limit} bytes`,
    `Failed to read file '${path}'`,
  );
}

/** The user's own configuration, `~/.config/libvirt`. */
export function userConfigDirectory({ env, home }: System): string {
  return `${env.XDG_CONFIG_HOME || `${home}/.config`}/libvirt`;
}

/** Where the sockets of the user's own daemons are, `/run/user/1000/libvirt`. */
export function userRuntimeDirectory({ env, home }: System): string {
  return `${env.XDG_RUNTIME_DIR || env.XDG_CACHE_HOME || `${home}/.cache`}/libvirt`;
}
