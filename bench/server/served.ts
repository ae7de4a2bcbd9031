import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Bytes that a daemon's process has. */
export interface Memory {
  readonly rss: number;
  /** The heap and what hangs on it. */
  readonly heap: number;
  readonly clients: number;
}

/** Our daemon in a process of its own. */
export class Served {
  readonly socket: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "vwb-"));
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(program: string) {
    this.socket = join(this.#folder, "sock");
    this.#child = spawn(process.execPath, [program, this.socket], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#child.stdout === null) throw new Error("our daemon has no output");
    this.#child.stdin?.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    process.on("exit", this.#end); // after a signal nothing is disposed of
  }

  /** @param program the path of the compiled ours.js */
  static async start(program: string): Promise<Served> {
    const served = new Served(program);
    if ((await served.#lines.next()).value !== "ready") throw new Error("our daemon does not start");
    return served;
  }

  async memory(): Promise<Memory> {
    this.#child.stdin?.write("memory\n");
    const answer = await this.#lines.next();
    if (answer.done === true) throw new Error("our daemon is gone");
    const [rss = 0, heap = 0, clients = 0] = answer.value.split(" ").map(Number);
    return { rss, heap, clients };
  }

  readonly #end = (): void => {
    process.off("exit", this.#end);
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  };

  [Symbol.dispose](): void {
    this.#end();
  }
}
