import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The command line as it is installed; `npm test` builds it first. */
const MAIN = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Everything so far. */
  readonly stdout: () => string;
  readonly ended: Promise<Outcome>;
  /** Resolves when such a text has come out, of either kind; rejects when the process ends before. */
  waitFor(text: string): Promise<void>;
}

export function startCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const environment = { ...process.env, LIBVIRT_DEFAULT_URI: undefined, ...env };
  const child = spawn(process.execPath, [MAIN, ...args], { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  let look = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    look();
  });
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return {
    child,
    stdout: () => stdout,
    ended,
    waitFor: (text) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (stdout.includes(text) || stderr.includes(text)) resolve();
        };
        look();
        void ended.then((outcome) => reject(new Error(`ended without '${text}': ${JSON.stringify(outcome)}`)));
      }),
  };
}

export function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const running = startCli(args, env);
  running.child.stdin?.end();
  return running.ended;
}

/** A daemon of ours at a free loopback port, which ends with the test process. */
export interface TestDaemon extends AsyncDisposable {
  readonly running: Running;
  readonly uri: string;
  readonly addresses: readonly string[];
}

export async function startDaemon(hostname: string, listen = "tcp://127.0.0.1:0"): Promise<TestDaemon> {
  const args = ["daemon", "--listen", listen, "--hostname", hostname, "--json", "--exit-with-stdin"];
  const running = startCli(args);
  await running.waitFor("\n");
  const { addresses } = JSON.parse(running.stdout()) as { addresses: string[] };
  return {
    running,
    addresses,
    uri: `${addresses[0]!.replace("tcp://", "virtwire+tcp://")}/system`,
    async [Symbol.asyncDispose]() {
      running.child.stdin?.end();
      await running.ended;
    },
  };
}

/** Whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
