import { linkSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StateError, stateError } from "./state-error.ts";

/** A process, told apart from those that have its number before or after it. */
interface Holder {
  readonly pid: number;
  /** Clock ticks between the machine's start and its own; null where the system does not tell. */
  readonly started: string | null;
  /** Which start of the machine; null where the system does not tell. */
  readonly boot: string | null;
}

const NAME = /^lock\.(\d{1,15})$/;
let drafts = 0;

/**
 * Keeps other processes of this machine, and other users in this one, out of a folder, until it is released or this
 * process ends, however it ends.
 *
 * The file with the highest number says who has the folder; where it is empty, nobody has. Who takes over from a process
 * that is gone makes the next number, which only one can, and the highest is never removed: nobody sees a folder that
 * is taken without its number.
 *
 * @returns what releases it.
 * @throws {StateError} naming the process that has the folder, or what the disk said
 */
export function lockFolder(folder: string): () => void {
  try {
    return release(take(folder));
  } catch (error) {
    if (error instanceof StateError) throw error;
    throw new StateError(folder, `cannot be locked: ${(error as Error).message}`, { cause: error });
  }
}

function release(path: string): () => void {
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    try {
      truncateSync(path);
    } catch {
      // Nobody has it from the end of this process on, then.
    }
  };
}

function take(folder: string): string {
  const draft = join(folder, `lock-${process.pid}-${++drafts}.new`);
  writeFileSync(draft, JSON.stringify(describe(process.pid)), { mode: 0o600, flush: true });
  try {
    for (;;) {
      const last = numbers(folder)[0] ?? 0;
      if (last > 0) refuseIfHeld(folder, last);
      const path = join(folder, `lock.${last + 1}`);
      try {
        linkSync(draft, path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") continue; // somebody was faster
        throw error;
      }
      const [highest, ...others] = numbers(folder);
      if (highest === last + 1) {
        for (const other of others) rmSync(join(folder, `lock.${other}`), { force: true });
        return path;
      }
      rmSync(path, { force: true }); // that number had come and gone while this one was made
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The numbers of the locks, highest first. */
function numbers(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

function refuseIfHeld(folder: string, number: number): void {
  const path = join(folder, `lock.${number}`);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return; // there is a higher one by now
    throw stateError(path, error);
  }
  if (text === "") return;
  const { pid, started, boot } = parse(path, text);
  const now = describe(pid);
  if (now === undefined || differ(now.started, started) || differ(now.boot, boot)) return;
  const who = pid === process.pid ? `this process, ${pid},` : `process ${pid}`;
  throw new StateError(folder, `is in use: ${who} keeps its state there`);
}

/** What one of them does not know tells nothing. */
const differ = (a: string | null, b: string | null) => a !== null && b !== null && a !== b;

function parse(path: string, text: string): Holder {
  try {
    const { pid, started, boot } = JSON.parse(text) as Holder;
    if (Number.isSafeInteger(pid) && pid > 0) return { pid, started, boot };
  } catch {
    // Told below.
  }
  throw new StateError(path, "is damaged: remove it where no process uses the folder");
}

/** Undefined where there is no such process, or nothing of it but that its parent has not yet asked how it ended. */
function describe(pid: number): Holder | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  const boot = readProc("/proc/sys/kernel/random/boot_id")?.trim() ?? null;
  if (stat !== undefined) {
    // Behind the name, which may hold anything: state, and 19 further the time of its start. @source proc(5)
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return /^[ZX]/.test(fields[0] ?? "") ? undefined : { pid, started: fields[19] ?? null, boot };
  }
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  return { pid, started: null, boot };
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
