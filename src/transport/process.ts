import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { TransportError, type TransportErrorCode } from "./errors.ts";
import type { ExtOptions } from "./options.ts";
import { StreamTransport } from "./stream.ts";
import type { DialOptions, PeerIdentity, Transport } from "./transport.ts";

/** Bytes of what a program writes to its error output that are kept: the last ones. */
const ERROR_OUTPUT = 2048;
/** Milliseconds that a program has to end once its input is closed and read. `nc` is one that stays. */
const PATIENCE = 500;
/** The same where it does not read its input, and again once it was told to end. */
const GRACE = 2000;
/** Milliseconds for the rest of its error output, once it has ended. */
const LAST_WORDS = 250;

export interface ProgramOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly peer: PeerIdentity;
  /** Which code fits an end of the program that was none of our making. Default io. */
  readonly blame?: (status: number | null, errorOutput: string) => TransportErrorCode;
}

type Program = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts a program without arguments whose input and output are the pipe.
 * @source virNetSocketNewConnectExternal, libvirt src/rpc/virnetsocket.c
 */
export async function dialExt({ command }: ExtOptions, dial: DialOptions = {}): Promise<Transport> {
  const peer: PeerIdentity = {
    transport: "ext",
    address: `ext:${command}`,
    secure: false, // nobody knows what the program does
    local: true,
    security: { encrypted: false, ssf: 0 },
    command: [command],
  };
  const blame = (status: number | null): TransportErrorCode => (status === 127 ? "command" : "io");
  return dialProgram({ file: command, args: [], env: commonEnvironment(), peer, blame }, dial);
}

/** Starts a program. Resolves once it runs; how it fares shows at the pipe. */
export async function dialProgram(options: ProgramOptions, { signal }: DialOptions): Promise<Transport> {
  signal?.throwIfAborted();
  const { file, args, env, peer, blame = () => "io" as const } = options;
  const child = await started(file, args, env);
  if (signal?.aborted) {
    await stop(child, signal.reason);
    throw signal.reason;
  }
  const errorOutput = collectErrors(child.stderr);
  // A program that has gone is told by its output's end; a write to it fails before that.
  child.stdin.on("error", () => {});
  child.stdout.on("error", () => {});
  return new StreamTransport(child.stdout, child.stdin, peer, {
    close: (reason) => stop(child, reason),
    async why() {
      child.stdin.end(); // a program may close its output and stay: then it has to go
      await exited(child);
      await lastWords(child.stderr);
      release(child);
      const { exitCode, signalCode } = child;
      const said = errorOutput();
      if (exitCode === 0 && said === "") return undefined;
      const how = signalCode === null ? `ended with status ${exitCode}` : `was ended by ${signalCode}`;
      return new TransportError(blame(exitCode, said), `${file} ${how}${said === "" ? "" : `: ${said}`}`);
    },
  });
}

/** The environment that libvirt leaves to every program it starts. @source virCommandAddEnvPassCommon */
export function commonEnvironment(more: readonly string[] = []): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { LC_ALL: "C" };
  for (const name of ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", ...more]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The last lines that a stream brings, as one text without control characters: it goes into error messages. */
export function collectErrors(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("error", () => {});
  stream.on("data", (chunk: string) => {
    text = (text + chunk).slice(-ERROR_OUTPUT);
  });
  return () =>
    text
      .split(/\r?\n/)
      .map((line) => line.replace(/\p{Cc}/gu, " ").trim())
      .filter((line) => line !== "")
      .join("; ");
}

function started(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Program> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const why = { ENOENT: "there is no such command", EACCES: "it may not be run" }[cause.code ?? ""];
      reject(new TransportError("command", `cannot run ${file}: ${why ?? cause.message}`, { cause }));
    };
    try {
      const child = spawn(file, args, { env, stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
      child.on("error", failed); // later: a signal that could not be sent, so it has gone
      child.once("spawn", () => resolve(child));
    } catch (cause) {
      failed(cause as NodeJS.ErrnoException); // arguments that are too long, or have a NUL
    }
  });
}

/** Ends a program: by the end of its input, or at once for a reason. Resolves when it has gone and its pipes with it. */
async function stop(child: Program, reason: Error | undefined): Promise<void> {
  child.stdout.resume(); // what it still has to say must not keep it
  if (reason === undefined) child.stdin.end();
  else {
    child.stdin.destroy();
    child.kill();
  }
  await exited(child);
  release(child);
}

/** Waits until a program has ended. One that stays is told to go, and then made to. */
function exited(child: Program): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => child.stdin.writableLength === 0 && child.kill();
    const timers = [
      setTimeout(end, PATIENCE),
      setTimeout(() => child.kill(), GRACE),
      setTimeout(() => child.kill("SIGKILL"), 2 * GRACE),
    ];
    child.once("exit", () => {
      for (const timer of timers) clearTimeout(timer);
      resolve();
    });
  });
}

/** Waits for the end of a program's error output, but not for programs of its own that still hold it. */
function lastWords(stream: Readable): Promise<void> {
  if (stream.readableEnded || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_WORDS);
    stream.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function release(child: Program): void {
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
}
