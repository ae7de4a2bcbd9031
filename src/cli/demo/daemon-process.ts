import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { VerbError } from "../output.ts";

/** Milliseconds that a daemon gets to start and to end. */
const PATIENCE = 5000;
/** Bytes that the path of a unix socket may have on every system: sun_path less its NUL, on macOS. */
const MAX_SOCKET_PATH = 103;

/** A daemon in a process of its own, which ends with this one whatever happens to it. */
export interface DaemonProcess {
  readonly hostname: string;
  readonly pid: number;
  /** What `connect` takes. */
  readonly uri: string;
  /** Ends it and waits for that. */
  close(): Promise<void>;
  /** At once, without waiting. */
  kill(): void;
}

/**
 * Starts `virtwire daemon` at a unix socket in `dir`, or at a free loopback port where the path is too long for one.
 * It gets a process group of its own, so that ^C reaches us alone and we can end it in order.
 */
export async function startDaemon(hostname: string, dir: string): Promise<DaemonProcess> {
  const path = join(dir, `${hostname}.sock`);
  const listen = Buffer.byteLength(path) <= MAX_SOCKET_PATH ? `unix:${path}` : "tcp://127.0.0.1:0";
  const main = fileURLToPath(new URL("../main.js", import.meta.url));
  const args = [main, "daemon", "--listen", listen, "--hostname", hostname, "--json", "--exit-with-stdin"];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
  child.stdin.on("error", () => {}); // it is only there to end
  try {
    const [address] = (await readyLine(child, hostname)).addresses;
    return {
      hostname,
      pid: child.pid!,
      uri: uriOf(address!),
      close: () => endProcess(child),
      kill: () => void child.kill("SIGKILL"),
    };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

async function readyLine(child: ChildProcess, hostname: string): Promise<{ addresses: string[] }> {
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  try {
    for await (const line of createInterface({ input: child.stdout! })) {
      return JSON.parse(line) as { addresses: string[] };
    }
    throw new VerbError(`the daemon ${hostname} did not start`);
  } finally {
    clearTimeout(timer);
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.stdin?.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  await ended;
  clearTimeout(timer);
}

/** `unix:/run/x.sock` as a connection URI: `virtwire+unix:///system?socket=%2Frun%2Fx.sock`. */
function uriOf(address: string): string {
  return address.startsWith("unix:")
    ? `virtwire+unix:///system?socket=${encodeURIComponent(address.slice("unix:".length))}`
    : address.replace("tcp://", "virtwire+tcp://").concat("/system");
}
