import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type {
  AnyAuthMethod,
  AuthenticationType,
  Client,
  ClientChannel,
  ConnectConfig,
  ParsedKey,
  Prompt,
  ServerHostKeyAlgorithm,
} from "ssh2";
import { TransportError } from "./errors.ts";
import { findHostKey, keyFingerprint, keyType, knownHostLine, knownTypes } from "./known-hosts.ts";
import type { LibsshOptions, SshMethod, SshQuestion } from "./options.ts";
import { collectErrors } from "./process.ts";
import { connected } from "./socket.ts";
import { checkDestination, sshAddress } from "./ssh.ts";
import { remoteCommand } from "./ssh-command.ts";
import { StreamTransport } from "./stream.ts";
import { isLoopback } from "./tcp.ts";
import type { DialOptions, PeerIdentity, Transport } from "./transport.ts";

/** Milliseconds that the host has for its part of a close. */
const GRACE = 2000;
/** How often a question is asked again when the answer was wrong. */
const ATTEMPTS = 3;

/** ssh2's own order, which it cannot be asked for. */
const hostKeyAlgorithms: readonly ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
  "ssh-rsa",
];

type Ssh2 = typeof import("ssh2");

/**
 * Logs in without a program, and runs the command that leads to the daemon.
 * @source virNetLibsshSessionConnect, libvirt src/rpc/virnetlibsshsession.c
 */
export async function dialLibssh(options: LibsshOptions, dial: DialOptions = {}): Promise<Transport> {
  const { transport = "libssh", host, port = 22, user = "root" } = options;
  checkDestination(options);
  const ssh2 = await loadSsh2(transport);
  const command = remoteCommand(options.remote);
  const login = await Login.prepare(ssh2, options);
  dial.signal?.throwIfAborted();

  const socket = connect({ host, port, autoSelectFamily: true });
  const address = sshAddress(transport, options);
  await connected(socket, address, dial);
  socket.setNoDelay(true).on("error", () => {}); // the client says it too, once it has the socket
  const client = new ssh2.Client();
  client.on("error", () => {}); // always somebody listens, in between too; those who want to know do besides
  try {
    await login.run(client, socket, address, dial.signal);
    const program = await execute(client, socket, command, address, dial.signal);
    const peer: PeerIdentity = {
      transport,
      address: sshAddress(transport, { host, user, ...(options.port === undefined ? {} : { port }) }),
      secure: true,
      local: isLoopback(socket),
      security: { encrypted: true, ssf: 0 },
      command: [command],
    };
    return programTransport(client, socket, program, peer);
  } catch (error) {
    await broken(client, socket);
    throw error;
  }
}

/** The package is the user's to install. Its name is no literal, so that bundlers for browsers do not look for it. */
async function loadSsh2(transport: string): Promise<Ssh2> {
  const name: string = "ssh2";
  try {
    const loaded = (await import(name)) as Ssh2 & { default?: Ssh2 };
    return loaded.default ?? loaded;
  } catch (cause) {
    const message = `transport ${transport} needs the package ssh2, which cannot be loaded: npm install ssh2`;
    throw new TransportError("unsupported", message, { cause });
  }
}

// ---- logging in ----

/** One way to log in: what to send next, or undefined when it has nothing more to try. */
interface Way {
  readonly name: SshMethod;
  /** ssh's name for it. */
  readonly type: AuthenticationType;
  next(): Promise<AnyAuthMethod | undefined>;
}

class Login {
  readonly #ssh2: Ssh2;
  readonly #options: LibsshOptions;
  readonly #host: string;
  readonly #port: number;
  readonly #user: string;
  readonly #knownHosts: string;
  readonly #ways: Way[];
  /** Stops questions when the login is over. */
  readonly #over = new AbortController();
  /** Why it fails, where this side knows better than ssh2. */
  #failure: TransportError | undefined;
  readonly #tried: SshMethod[] = [];
  /** For the error: why a way was not tried. */
  #leftOut = "";

  private constructor(ssh2: Ssh2, options: LibsshOptions, knownHosts: string) {
    this.#ssh2 = ssh2;
    this.#options = options;
    this.#host = options.host;
    this.#port = options.port ?? 22;
    this.#user = options.user ?? "root";
    this.#knownHosts = knownHosts;
    const keyfile = options.keyfile ?? defaultKey();
    const methods = options.methods ?? [
      "agent",
      ...(keyfile === undefined ? [] : ["privkey" as const]),
      "password",
      "keyboard-interactive",
    ];
    this.#ways = methods.map((method) => this.#way(method, keyfile));
  }

  static async prepare(ssh2: Ssh2, options: LibsshOptions): Promise<Login> {
    const { knownHosts, knownHostsVerify = "normal" } = options;
    let text = "";
    if (knownHosts !== undefined && knownHostsVerify !== "ignore") {
      text = await readFile(knownHosts, "utf8").catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return "";
        throw new TransportError("host-key", `cannot read the known hosts in ${knownHosts}: ${cause.message}`, {
          cause,
        });
      });
    }
    return new Login(ssh2, options, text);
  }

  run(client: Client, socket: Socket, address: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const settle = (error?: unknown) => {
        signal?.removeEventListener("abort", onAbort);
        client.off("ready", onReady).off("error", onError).off("close", onClose);
        this.#over.abort();
        if (error === undefined) resolve();
        else reject(error);
      };
      const onReady = () => settle();
      const onError = (cause: Error & { level?: string }) => {
        if (cause.level === "agent") return; // the next way has its turn
        settle(this.#failure ?? this.#failed(address, cause));
      };
      const onClose = () => settle(this.#failure ?? this.#failed(address, new Error("the host closed the connection")));
      const onAbort = () => settle(signal?.reason);
      client.on("ready", onReady).on("error", onError).on("close", onClose);
      if (signal?.aborted) {
        onAbort();
        return;
      }
      signal?.addEventListener("abort", onAbort);
      try {
        client.connect(this.#config(socket));
      } catch (cause) {
        settle(new TransportError("option", `${address}: ${(cause as Error).message}`, { cause }));
      }
    });
  }

  #config(socket: Socket): ConnectConfig {
    return {
      sock: socket,
      username: this.#user,
      readyTimeout: 0,
      hostVerifier: (key: Buffer, verify: (good: boolean) => void) => {
        this.#hostIsGood(key).then(verify, (cause: unknown) => {
          this.#failure ??= wrapped("host-key", "the host's key could not be checked", cause);
          verify(false);
        });
      },
      algorithms: { serverHostKey: this.#wantedKeys() },
      authHandler: (left, _partial, next) => {
        this.#next(left).then(
          (method) => next(method as AnyAuthMethod),
          (cause: unknown) => {
            this.#failure ??= wrapped("auth", "the login was given up", cause);
            next(false as never);
          },
        );
      },
    };
  }

  /** What the host answered last, or that it does not like any way. */
  #failed(address: string, cause: Error & { level?: string }): TransportError {
    if (cause.level !== "client-authentication") {
      return new TransportError("connect", `ssh with ${address} failed: ${cause.message}`, { cause });
    }
    const tried =
      this.#tried.length === 0 ? "it offers none of the wanted ways" : `tried were ${this.#tried.join(", ")}`;
    const message = `${address} refused the login of ${this.#user}: ${tried}${this.#leftOut}`;
    return new TransportError("auth", message, { cause });
  }

  // ---- the host's key ----

  /** The kinds of key to ask the host for, those that it is known by first: another kind would look like another host. */
  #wantedKeys(): ServerHostKeyAlgorithm[] {
    const types = knownTypes(this.#knownHosts, this.#host, this.#port);
    const known = (name: string) => types.includes(name.startsWith("rsa-") ? "ssh-rsa" : name);
    return [...hostKeyAlgorithms.filter(known), ...hostKeyAlgorithms.filter((name) => !known(name))];
  }

  async #hostIsGood(key: Buffer): Promise<boolean> {
    const { knownHosts, knownHostsVerify = "normal" } = this.#options;
    if (knownHostsVerify === "ignore") return true;
    const { state, line } = findHostKey(this.#knownHosts, this.#host, this.#port, key);
    if (state === "known") return true;
    const print = `${keyType(key)} ${keyFingerprint(key)}`;
    const where = `${this.#host}:${this.#port}`;
    const refuse = (why: string) => {
      this.#failure = new TransportError("host-key", `the host key ${print} of ${where} ${why}`);
      return false;
    };
    if (state === "revoked") return refuse(`is revoked in ${knownHosts}, line ${line}`);
    if (state === "changed") return refuse(`is not the one that ${knownHosts} has in line ${line}`);
    if (knownHostsVerify === "normal") {
      const prompt = `Accept SSH host key with hash '${keyFingerprint(key)}' for host '${where}' (y/n)?`;
      const answer = await this.#ask({ kind: "host-key", prompt, echo: true, attempt: 0 });
      if (answer?.toLowerCase() !== "y") return refuse("is not known, and was not accepted");
    }
    if (this.#over.signal.aborted) return false; // an answer that came too late adds nothing to the file
    if (knownHosts !== undefined) {
      await mkdir(dirname(knownHosts), { recursive: true, mode: 0o700 });
      const newline = this.#knownHosts === "" || this.#knownHosts.endsWith("\n") ? "" : "\n";
      await appendFile(knownHosts, newline + knownHostLine(this.#host, this.#port, key), { mode: 0o600 });
    }
    return true;
  }

  // ---- who we are ----

  /** What to try next; false when nothing is left. `left` is what the host still takes, null before the first. */
  async #next(left: readonly AuthenticationType[] | null): Promise<AnyAuthMethod | false> {
    const username = this.#user;
    if (left === null) return { type: "none", username }; // which brings the list of what it takes
    for (let way = this.#ways[0]; way !== undefined; way = this.#ways[0]) {
      if (left.includes(way.type)) {
        const method = await way.next();
        if (method !== undefined) {
          if (!this.#tried.includes(way.name)) this.#tried.push(way.name);
          return method;
        }
      }
      this.#ways.shift();
    }
    return false;
  }

  #way(name: SshMethod, keyfile: string | undefined): Way {
    const username = this.#user;
    let attempt = 0;
    switch (name) {
      case "agent": {
        const agent = this.#options.agent ?? process.env.SSH_AUTH_SOCK;
        const next = async () => (agent && attempt++ === 0 ? ({ type: name, username, agent } as const) : undefined);
        return { name, type: "publickey", next };
      }
      case "privkey": {
        if (keyfile === undefined) {
          throw new TransportError("option", "a key file is wanted for the ssh authentication method 'privkey'");
        }
        const next = async () => {
          const key = attempt++ === 0 ? await this.#key(keyfile) : undefined;
          return key && ({ type: "publickey", username, key } as const);
        };
        return { name, type: "publickey", next };
      }
      case "password": {
        const prompt = `Enter ${username}'s password for ${this.#host}`;
        const next = async () => {
          if (attempt >= ATTEMPTS) return undefined;
          const password = await this.#ask({ kind: "password", prompt, echo: false, attempt: attempt++ });
          return password === undefined ? undefined : ({ type: "password", username, password } as const);
        };
        return { name, type: "password", next };
      }
      case "keyboard-interactive": {
        const next = async (): Promise<AnyAuthMethod | undefined> => {
          if (attempt >= ATTEMPTS || this.#options.ask === undefined) return undefined;
          const nth = attempt++;
          const answer = async (title: string, instructions: string, prompts: readonly Prompt[]) => {
            const answers = await this.#answers(title, instructions, prompts, nth).catch(() => undefined);
            if (answers === undefined) attempt = ATTEMPTS;
            return answers ?? []; // which the host refuses
          };
          return {
            type: name,
            username,
            prompt: (title, instructions, _language, prompts, finish) => {
              void answer(title, instructions, prompts).then(finish);
            },
          };
        };
        return { name, type: name, next };
      }
      default:
        throw new TransportError("option", `Invalid authentication method: '${name as string}'`);
    }
  }

  /** An answer for each prompt; undefined where the user gave up at one. */
  async #answers(
    title: string,
    instructions: string,
    prompts: readonly Prompt[],
    attempt: number,
  ): Promise<string[] | undefined> {
    const head = [title, instructions].filter((text) => text !== "").join("\n");
    const answers: string[] = [];
    for (const { prompt: text, echo = false } of prompts) {
      const asked = text.replace(/[ :]+$/, "");
      // From the host, and likely to go to a terminal, which would obey.
      const prompt = (head === "" ? asked : `${head}\n${asked}`).replace(/(?!\n)\p{Cc}/gu, " ");
      const answer = await this.#ask({ kind: "prompt", prompt, echo, attempt });
      if (answer === undefined) return undefined;
      answers.push(answer);
    }
    return answers;
  }

  /** Undefined where it has a passphrase that nobody says. */
  async #key(file: string): Promise<ParsedKey | undefined> {
    const fail = (why: string, cause?: unknown) =>
      new TransportError("auth", `the private key ${file} cannot be used: ${why}`, { cause });
    const text = await readFile(file).catch((cause: Error) => {
      throw fail(cause.message, cause);
    });
    let parsed = this.#ssh2.utils.parseKey(text);
    for (
      let attempt = 0;
      parsed instanceof Error && /passphrase/i.test(parsed.message) && attempt < ATTEMPTS;
      attempt++
    ) {
      const prompt = `Passphrase for ${file}`;
      const passphrase = await this.#ask({ kind: "passphrase", prompt, echo: false, attempt });
      if (passphrase === undefined) {
        this.#leftOut = `; the private key ${file} has a passphrase, which nobody said`;
        return undefined;
      }
      const tried = this.#ssh2.utils.parseKey(text, passphrase);
      if (tried instanceof Error && attempt + 1 === ATTEMPTS) throw fail("wrong passphrase?");
      if (!(tried instanceof Error)) parsed = tried;
    }
    if (parsed instanceof Error) throw fail(parsed.message, parsed);
    return Array.isArray(parsed) ? ((parsed as ParsedKey[])[0] as ParsedKey) : parsed;
  }

  async #ask(question: Omit<SshQuestion, "user" | "host">): Promise<string | undefined> {
    return await this.#options.ask?.({ ...question, user: this.#user, host: this.#host }, this.#over.signal);
  }
}

/** @source virNetClientFindDefaultSshKey, libvirt src/rpc/virnetclient.c */
function defaultKey(): string | undefined {
  const names = ["identity", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa"];
  return names.map((name) => join(homedir(), ".ssh", name)).find((path) => existsSync(path));
}

function wrapped(code: "auth" | "host-key", message: string, cause: unknown): TransportError {
  if (cause instanceof TransportError) return cause;
  return new TransportError(code, `${message}: ${(cause as Error)?.message ?? cause}`, { cause });
}

// ---- the command at the host ----

/** A command that runs, watched from its first moment: it may have ended before anybody has heard of it. */
class RemoteProgram {
  readonly channel: ClientChannel;
  readonly errorOutput: () => string;
  readonly closed: Promise<void>;
  /** Its status, or the signal that ended it; undefined where the host does not say. */
  status: number | string | undefined;

  constructor(channel: ClientChannel) {
    this.channel = channel;
    this.errorOutput = collectErrors(channel.stderr);
    this.closed = new Promise((resolve) => channel.once("close", () => resolve()));
    channel.on("error", () => {}); // the client's error says it too
    channel.on("exit", (code: number | null, signal?: string) => {
      this.status = code ?? signal;
    });
  }
}

function execute(
  client: Client,
  socket: Socket,
  command: string,
  address: string,
  signal: AbortSignal | undefined,
): Promise<RemoteProgram> {
  return new Promise((resolve, reject) => {
    const settle = (error: unknown, program?: RemoteProgram) => {
      signal?.removeEventListener("abort", onAbort);
      client.off("error", onError);
      if (program === undefined) reject(error);
      else resolve(program);
    };
    const failed = (cause: Error) => {
      const code = socket.readableEnded || socket.destroyed ? "connect" : "command";
      return new TransportError(code, `${address} does not run the command: ${cause.message}`, { cause });
    };
    const onError = (cause: Error) => settle(failed(cause));
    const onAbort = () => settle(signal?.reason);
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort);
    client.on("error", onError);
    client.exec(command, (cause, channel) => {
      if (cause) settle(failed(cause));
      else settle(undefined, new RemoteProgram(channel));
    });
  });
}

function programTransport(client: Client, socket: Socket, program: RemoteProgram, peer: PeerIdentity): Transport {
  const { channel } = program;
  let failure: Error | undefined;
  client.on("error", (cause) => {
    failure ??= cause;
  });

  const close = async (reason?: Error): Promise<void> => {
    if (reason === undefined) {
      channel.resume(); // what still comes must not keep the end from coming
      channel.end();
      await within(program.closed);
      client.end();
      await within(gone(socket));
    }
    await broken(client, socket);
  };
  const why = async (): Promise<Error | undefined> => {
    channel.end();
    await within(program.closed);
    const said = program.errorOutput();
    const { status } = program;
    void close();
    if (failure !== undefined) {
      return new TransportError("io", `ssh with ${peer.address} broke: ${failure.message}`, { cause: failure });
    }
    if ((status === 0 || status === undefined) && said === "") return undefined;
    const how = typeof status === "string" ? `was ended by ${status}` : `ended with status ${status ?? "unknown"}`;
    const message = `the command at ${peer.address} ${how}${said === "" ? "" : `: ${said}`}`;
    return new TransportError(status === 127 ? "command" : "io", message);
  };
  return new StreamTransport(channel, channel, peer, { close, why });
}

/** Waits for something, but not for ever. */
function within(wait: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GRACE);
    void wait.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Ends both at once. A client that has not begun, or has half ended, does not end its socket. */
function broken(client: Client, socket: Socket): Promise<void> {
  client.destroy();
  socket.destroy();
  return gone(socket);
}

function gone(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
