import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** `virtwire daemon` in a process of its own. */
export interface Daemon {
  readonly pid: number;
  readonly socket: string;
  readonly uri: string;
  /** Ends it in order. @throws {Error} where it had ended by itself */
  close(): Promise<void>;
}

/** @param root the checkout @param folder where its socket goes */
export async function startDaemon(root: string, folder: string): Promise<Daemon> {
  const socket = join(folder, "sock");
  const args = [join(root, "dist/src/cli/main.js"), "daemon", "--listen", `unix:${socket}`, "--inventory", "test"];
  const child = spawn(process.execPath, [...args, "--json", "--exit-with-stdin"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.on("error", () => {}); // it is only there to end
  const exit = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { done } = await lines.next();
  if (done === true || child.pid === undefined) throw new Error("the daemon did not start");
  return {
    pid: child.pid,
    socket,
    uri: `test+unix:///default?socket=${encodeURIComponent(socket)}`,
    async close() {
      const early = child.exitCode ?? child.signalCode;
      child.stdin.end();
      await exit;
      if (early !== null) throw new Error(`the daemon ended by itself: ${early}`);
    },
  };
}
