import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** What a client is asked for: see c/client.c here and in bench/stream. */
export type Verb =
  | "serial"
  | "parallel"
  | "pipelined"
  | "latency"
  | "list"
  | "up"
  | "down"
  | "down-onread"
  | "up-alloc"
  | "down-alloc"
  | "idle"
  | "busy"
  | "signs";

/** A program with one open connection, which answers questions about its speed. */
export class Client {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    // What it says on the error output is why it ended.
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.on("error", () => {}); // ends the answers too
    if (this.#child.stdout === null) throw new Error(`${name} has no output`);
    this.#child.stdin?.on("error", () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Nanoseconds. @param units what the verb counts @param ms how long it may take */
  async ask(verb: Verb, units: number, ms: number): Promise<number[]> {
    this.#child.stdin?.write(`${verb} ${units} ${ms}\n`);
    // One that hangs is ended, and with it its answers.
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10 * ms + 20_000);
    const answer = await this.#answers.next();
    clearTimeout(timer);
    const numbers = answer.done === true ? [] : answer.value.split(" ").map(Number);
    if (numbers.length === 0 || !numbers.every((n) => n >= 0)) throw new Error(`${this.name} does not answer ${verb}`);
    return numbers;
  }

  /** Ends it, at once. */
  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** A client that was built for the bench. */
export interface Built {
  readonly command: string;
  readonly note: string;
  /** Removes what was built. */
  [Symbol.dispose](): void;
}

/**
 * libvirt's own client library. On Debian: `apt-get install gcc pkg-config libvirt-dev`.
 * @param bench the folder of bench/ whose c/client.c it is
 */
export function buildC(root: string, bench = "rpc"): Built {
  return build((run, out) => {
    const flags = run("pkg-config", "--cflags", "--libs", "libvirt").trim().split(/\s+/);
    run("gcc", "-O2", "-Wall", "-pthread", "-o", out, join(root, "bench", bench, "c/client.c"), ...flags);
    const version = run("pkg-config", "--modversion", "libvirt").trim();
    return `libvirt ${version}, virConnectOpen without an event loop, gcc -O2`;
  });
}

/**
 * go-libvirt as Debian has it: `apt-get install golang-go golang-github-digitalocean-go-libvirt-dev`.
 * @param bench the folder of bench/ whose go/client.go it is
 */
export function buildGo(root: string, bench = "rpc"): Built {
  return build((run, out, folder) => {
    const env = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOPROXY: "off", GOFLAGS: "", CGO_ENABLED: "0" };
    const go = (...args: string[]) => run("env", ...pairs({ ...env, GOCACHE: join(folder, "cache") }), "go", ...args);
    go("build", "-o", out, join(root, "bench", bench, "go/client.go"));
    const format = "$" + "{Version}";
    const version = run("dpkg-query", "-W", `-f=${format}`, "golang-github-digitalocean-go-libvirt-dev");
    return `go-libvirt ${version}, ${go("version").trim()}`;
  });
}

function pairs(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

type Run = (command: string, ...args: string[]) => string;

function build(make: (run: Run, out: string, folder: string) => string): Built {
  const folder = mkdtempSync(join(tmpdir(), "virtwire-bench-rpc-"));
  const remove = () => {
    process.off("exit", remove);
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", remove); // after a signal nothing is disposed of
  const run: Run = (command, ...args) => execFileSync(command, args, { cwd: folder, encoding: "utf8" });
  const command = join(folder, "client");
  try {
    return { command, note: make(run, command, folder), [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}
