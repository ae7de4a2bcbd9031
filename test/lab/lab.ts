import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export type HostName = "alpha" | "beta" | "gamma" | "delta" | "epsilon" | "zeta" | "eta" | "theta";
/** What a URI leads to: libvirtd over TCP, TLS, its unix socket (read-write, read-only), or its test driver over TCP. */
export type Access = "tcp" | "tls" | "unix" | "ro" | "test";

/** What `lab json` prints. */
export interface LabState {
  readonly dir: string;
  readonly outside: string;
  readonly sasl: { readonly user: string; readonly password: string };
  readonly pki: Readonly<Record<"ca" | "cert" | "key" | "rogueCert" | "rogueKey", string>>;
  readonly hosts: Readonly<Record<string, LabHost>>;
}
export interface LabHost {
  readonly state: "up" | "down" | "stopped" | "frozen";
  readonly ip: string;
  readonly ip6: string;
  readonly tcp: number;
  /** null without `--tls`. */
  readonly tls: number | null;
  readonly unix: string;
  readonly unixReadOnly: string;
  readonly auth: "none" | "sasl";
  /** libvirtd's own log: one line for each message that it receives or sends. */
  readonly log: string;
  /** The folder of the guests' tick logs. */
  readonly ticks: string;
}

/** The last sign of life of a guest: its own counter, one more each second. */
export interface Tick {
  readonly count: number;
  readonly uptime: number;
}

export interface LabOptions {
  /** Default alpha and beta. */
  readonly hosts?: readonly HostName[];
  /** More arguments of `lab up`: `--tls`, `--auth sasl`, `--set KEY=VALUE`. */
  readonly up?: readonly string[];
  /** At most five letters, part of the names of the network interfaces. */
  readonly tag: string;
  /** The first three numbers of the lab's addresses: `10.79.0`. */
  readonly net: string;
}

/** Why no lab can run here, or undefined. */
export function labObstacle(): string | undefined {
  if (process.platform !== "linux") return "the lab needs Linux";
  if (process.getuid?.() !== 0) return "the lab needs root, for namespaces and packages";
  return undefined;
}

/** Installs libvirt, QEMU and tshark from Debian where they are missing. */
export async function setup(): Promise<void> {
  await run(script("setup"), [], { timeout: 900_000 });
}

/**
 * Real libvirtd hosts on this machine, each in namespaces of its own. Every lab has its own folder, interface names
 * and addresses, so that several can be up at once. Its addresses lead nowhere good once it is down: connect only
 * while it is up, and always end with {@link down}.
 */
export class Lab implements AsyncDisposable {
  readonly dir: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(dir: string, options: LabOptions) {
    this.dir = dir;
    this.#env = { ...process.env, LAB_DIR: dir, LAB_TAG: options.tag, LAB_NET: options.net, LC_ALL: "C.UTF-8" };
    delete this.#env.LIBVIRT_DEFAULT_URI;
  }

  /** Installs what is missing and starts the hosts. */
  static async up(options: LabOptions): Promise<Lab> {
    await setup();
    const lab = new Lab(await mkdtemp(join(tmpdir(), "vw-")), options);
    try {
      await lab.command("up", "--hosts", (options.hosts ?? ["alpha", "beta"]).join(","), ...(options.up ?? []));
    } catch (error) {
      await lab.down();
      throw error;
    }
    return lab;
  }

  async down(): Promise<void> {
    await this.command("down", "--purge");
    await rm(this.dir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  /** `lab VERB ARGUMENTS`, with what it printed. */
  async command(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runProcess(script("lab"), args, { env: this.#env, timeout: 300_000 });
    if (code !== 0) throw new Error(`lab ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  async uri(host: HostName, access: Access = "tcp"): Promise<string> {
    return (await this.command("uri", host, access)).trim();
  }

  async state(): Promise<LabState> {
    return JSON.parse(await this.command("json")) as LabState;
  }

  async host(name: HostName): Promise<LabHost> {
    const host = (await this.state()).hosts[name];
    if (host === undefined) throw new Error(`the lab has no host ${name}`);
    return host;
  }

  /** Boots a guest and waits for its first tick. */
  async guest(host: HostName, name: string, ...args: string[]): Promise<void> {
    await this.command("guest", host, name, ...args);
  }

  /** The guest's last tick that reached that host. */
  async tick(host: HostName, guest: string): Promise<Tick> {
    const line = await this.command("ticks", host, guest);
    const [, count, uptime] = /^tick (\d+) uptime ([\d.]+)/.exec(line) ?? [];
    if (count === undefined) throw new Error(`no tick of ${guest} on ${host}: ${line}`);
    return { count: Number(count), uptime: Number(uptime) };
  }

  /** The tick log of a guest on a host, as numbers in the order they were written. */
  async ticks(host: HostName, guest: string): Promise<number[]> {
    const { ticks } = await this.host(host);
    const text = await readFile(join(ticks, `${guest}.log`), "utf8").catch(() => "");
    return [...text.matchAll(/^tick (\d+)/gm)].map(([, count]) => Number(count));
  }

  /** Runs virsh with a URI of this lab. Resolves with its output whatever its exit code. */
  async virsh(uri: string, ...args: string[]): Promise<ProcessResult> {
    return await runProcess("virsh", ["-c", uri, ...args], { env: this.#env });
  }
}

export interface ProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and resolves with what it printed, whatever its exit code. */
export async function runProcess(
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly timeout?: number } = {},
): Promise<ProcessResult> {
  try {
    const { stdout, stderr } = await run(file, args, { timeout: 120_000, maxBuffer: 1 << 28, ...options });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== "number") throw error;
    return { code, stdout: stdout ?? "", stderr: stderr ?? "" };
  }
}
