import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { ListenerOptions, ServerLimits } from "../../src/server/index.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface ChildOptions {
  readonly listen: readonly (string | ListenerOptions)[];
  readonly limits?: ServerLimits;
  /** Names of the descriptors from 3 on, in LISTEN_FDNAMES. */
  readonly systemd?: readonly string[];
  /** Descriptors to hand over as 3, 4 and so on. */
  readonly fds?: readonly number[];
  /** Descriptors that the process may have. Default: as this one. */
  readonly maxFiles?: number;
}

export interface Figures {
  /** Bytes, after a collection. */
  readonly rss: number;
  readonly heap: number;
  /** Bytes outside the heap. */
  readonly external: number;
  readonly served: number;
  readonly waiting: number;
  /** Sessions since the start. */
  readonly accepted: number;
  /** Slabs of the shared buffer pool that somebody holds. */
  readonly leases: number;
  /** Microseconds of processor time since the start. */
  readonly cpu: number;
  /** Mistakes that handlers made, and connections that were refused. */
  readonly errors: number;
  readonly refused: number;
}

let bundled: Promise<string> | undefined;

/** child-main.ts, for plain Node. Inside the package, so that it finds the package's dependencies. */
function program(): Promise<string> {
  bundled ??= (async () => {
    mkdirSync(join(root, "dist"), { recursive: true });
    const folder = mkdtempSync(join(root, "dist/test-daemon-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    const outfile = join(folder, "main.mjs");
    await build({
      entryPoints: [join(root, "test/server/child-main.ts")],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      logLevel: "error",
    });
    return outfile;
  })();
  return bundled;
}

/** A server in a process of its own, whose memory is nobody else's. */
export class ChildDaemon implements Disposable {
  readonly addresses: readonly string[];
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, addresses: readonly string[]) {
    this.child = child;
    this.#lines = lines;
    this.addresses = addresses;
  }

  static async start(options: ChildOptions): Promise<ChildDaemon> {
    const { listen, limits = {}, systemd = [], fds = [], maxFiles } = options;
    const main = await program();
    const env = { ...process.env, NODE_ENV: "test" };
    // LISTEN_PID is the daemon's own number, which a shell knows before it becomes the daemon.
    const names = `LISTEN_PID=$$ LISTEN_FDS=${systemd.length} LISTEN_FDNAMES=${systemd.join(":")} `;
    const script = `${maxFiles === undefined ? "" : `ulimit -n ${maxFiles} || exit 9; `}${
      systemd.length === 0 ? "" : `export ${names}; `
    }exec "$@"`;
    const argument = JSON.stringify({ listen, limits });
    const child = spawn("/bin/sh", ["-c", script, "sh", process.execPath, "--expose-gc", main, argument], {
      env,
      stdio: ["pipe", "pipe", "inherit", ...fds],
    });
    child.stdin?.on("error", () => {});
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done === true) throw new Error("the daemon does not start");
    return new ChildDaemon(child, lines, JSON.parse(first.value) as string[]);
  }

  /** What it needs now. */
  async figures(): Promise<Figures> {
    return JSON.parse(await this.#ask("figures")) as Figures;
  }

  /** Closes its server, and waits until the process has ended by itself. @returns its exit code */
  async end(): Promise<number | null> {
    const exit = once(this.child, "exit");
    this.child.stdin?.end();
    return ((await exit) as [number | null])[0];
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }

  async #ask(question: string): Promise<string> {
    this.child.stdin?.write(`${question}\n`);
    const answer = await this.#lines.next();
    if (answer.done === true) throw new Error("the daemon is gone");
    return answer.value;
  }
}
