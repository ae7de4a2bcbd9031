import { spawn } from "node:child_process";
import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { AbortError, startTimer, TimeoutError, type VirtError, virtError } from "../rpc/index.ts";
import type { ClientIdentity } from "./session.ts";

export interface PolkitOptions {
  /** The program that asks polkit. Default `pkcheck`, looked for in PATH. */
  readonly command?: string;
  /** Milliseconds until an answer that does not come is taken for a no; a person may be typing. Default 120000. */
  readonly timeout?: number;
}

/** A question to polkit: whether that process may do that. */
export interface PolkitQuestion {
  /** `org.libvirt.unix.manage` */
  readonly action: string;
  readonly client: ClientIdentity;
  /** What rules may look at: `["domain_name", "web"]`. */
  readonly details?: readonly (readonly [string, string])[];
  /** Whether polkit may ask the user. */
  readonly interactive: boolean;
  readonly signal?: AbortSignal;
}

/** Its exit codes: pkcheck(1). */
const ALLOWED = 0;
const DENIED = 1;
const CHALLENGE = 2;
const DISMISSED = 3;

/**
 * Asks polkit. Resolves where it says yes. Rejects with a VirtError in libvirt's words where it says no, or where there is
 * no telling who asks; with AbortError and TimeoutError where nobody waits any more. Only root may ask about others.
 * @source virPolkitCheckAuth, libvirt src/util/virpolkit.c
 */
export async function checkPolkit(question: PolkitQuestion, options: PolkitOptions = {}): Promise<void> {
  const { action, client, details = [], interactive } = question;
  const { unixProcessId, unixProcessTime, unixUserId } = client;
  if (unixProcessId === undefined || unixProcessTime === undefined || unixUserId === undefined) {
    throw denied(VirErrorNumber.VIR_ERR_AUTH_FAILED, "access denied by policy");
  }
  const code = await run(
    [
      ...["--process", `${unixProcessId},${unixProcessTime},${unixUserId}`, "--action-id", action],
      ...details.flatMap(([key, value]) => ["--detail", key, value]),
      ...(interactive ? ["--allow-user-interaction"] : []),
    ],
    question.signal,
    options,
  );
  switch (code) {
    case ALLOWED:
      return;
    case CHALLENGE: {
      const detail = `no polkit agent available to authenticate action '${action}'`;
      throw denied(VirErrorNumber.VIR_ERR_AUTH_UNAVAILABLE, detail);
    }
    case DISMISSED:
      throw denied(VirErrorNumber.VIR_ERR_AUTH_CANCELLED, "user cancelled authentication process");
    case DENIED:
      throw denied(VirErrorNumber.VIR_ERR_AUTH_FAILED, "access denied by policy");
    default:
      throw denied(VirErrorNumber.VIR_ERR_AUTH_FAILED, "polkit could not be asked");
  }
}

/** Resolves with the exit code when the program is gone; it is ended where nobody waits for it. */
function run(args: readonly string[], signal: AbortSignal | undefined, options: PolkitOptions): Promise<number> {
  const { command = "pkcheck", timeout = 120_000 } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new AbortError(signal.reason));
    let why: Error | undefined;
    const child = spawn(command, args, { stdio: "ignore" });
    const stop = (error: Error) => {
      why ??= error;
      child.kill("SIGKILL");
    };
    const timer = startTimer(() => stop(new TimeoutError(`polkit did not answer within ${timeout} ms`)), timeout);
    const onAbort = () => stop(new AbortError(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    const settle = (code: number) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      if (why === undefined) resolve(code);
      else reject(why);
    };
    child.once("error", () => settle(-1)); // such as no such program
    child.once("exit", (code) => settle(code ?? -1));
  });
}

function denied(code: number, detail: string): VirtError {
  return virtError(code, VirErrorDomain.VIR_FROM_POLKIT, detail);
}
