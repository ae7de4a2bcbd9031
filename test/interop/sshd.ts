import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type NetConnectOpts } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** OpenSSH's server on a free port of 127.0.0.1, with keys that are thrown away with it. Needs root. */
export class Sshd implements AsyncDisposable {
  readonly port: number;
  /** The user's private key; `known_hosts` and `wrong_hosts`, which has another key for this server. */
  readonly keyfile: string;
  readonly knownHosts: string;
  readonly wrongHosts: string;
  /** A key that the server does not let in. */
  readonly strangerKey: string;
  readonly #dir: string;
  readonly #daemon: ChildProcess;

  private constructor(dir: string, port: number, daemon: ChildProcess) {
    this.port = port;
    this.keyfile = join(dir, "user");
    this.knownHosts = join(dir, "known_hosts");
    this.wrongHosts = join(dir, "wrong_hosts");
    this.strangerKey = join(dir, "stranger");
    this.#dir = dir;
    this.#daemon = daemon;
  }

  /** Installs what is missing and starts the server. @param dir a folder for its files, which must exist */
  static async start(dir: string): Promise<Sshd> {
    await installOpenSsh();
    await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
    const file = (name: string) => join(dir, name);
    // RSA: the C library behind virsh's `libssh2` reads no other keys everywhere, and signs with no newer hash.
    const keys = { host: "ed25519", otherhost: "ed25519", user: "rsa", stranger: "rsa" };
    for (const [name, type] of Object.entries(keys)) {
      await run("ssh-keygen", ["-q", "-t", type, "-m", "PEM", "-N", "", "-C", name, "-f", file(name)]);
    }
    const port = await freePort();
    await writeFile(file("authorized_keys"), await readFile(file("user.pub")), { mode: 0o644 });
    await chmod(dir, 0o711);
    const settings = [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${file("host")}`,
      `AuthorizedKeysFile ${file("authorized_keys")}`,
      "PidFile none",
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin prohibit-password",
      "PubkeyAcceptedAlgorithms +ssh-rsa",
    ];
    await writeFile(file("sshd_config"), settings.join("\n"));
    for (const [hosts, name] of [
      ["known_hosts", "host"],
      ["wrong_hosts", "otherhost"],
    ] as const) {
      const [type, key] = (await readFile(file(`${name}.pub`), "utf8")).split(" ");
      await writeFile(file(hosts), `[127.0.0.1]:${port} ${type} ${key}\n`);
    }
    const daemon = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", file("sshd_config")], { stdio: "ignore" });
    while (!(await reachable({ host: "127.0.0.1", port }))) {
      if (daemon.exitCode !== null) throw new Error(`sshd ended with ${daemon.exitCode}`);
    }
    return new Sshd(dir, port, daemon);
  }

  /** An `ssh` with settings of its own: nothing of this machine's user is read or written. @returns its path */
  async client(name: string, knownHosts: string): Promise<string> {
    const path = join(this.#dir, name);
    const settings = ["StrictHostKeyChecking yes", "IdentitiesOnly yes", `UserKnownHostsFile ${knownHosts}`];
    await writeFile(`${path}.config`, `${settings.join("\n")}\n`);
    await writeFile(path, `#!/bin/sh\nexec ssh -F ${path}.config "$@"\n`);
    await chmod(path, 0o755);
    return path;
  }

  async stop(): Promise<void> {
    if (this.#daemon.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#daemon.once("exit", resolve));
    this.#daemon.kill();
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** OpenSSH, nc and openssl from Debian, without a service of its own. */
export async function installOpenSsh(): Promise<void> {
  if (["/usr/sbin/sshd", "/usr/bin/ssh", "/bin/nc", "/usr/bin/openssl"].every((path) => existsSync(path))) return;
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) await writeFile(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const packages = ["openssh-server", "openssh-client", "netcat-openbsd", "openssl"];
  const args = ["-q", "-y", "-o", "DPkg::Lock::Timeout=600", "install", "--no-install-recommends", ...packages];
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, maxBuffer: 1 << 26 };
  try {
    await run("apt-get", args, options).catch(async () => {
      await run("apt-get", ["-q", "update"], options);
      await run("apt-get", args, options);
    });
  } finally {
    if (ours) await rm(policy);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether something listens at a port or a unix socket. */
export function reachable(where: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where);
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
