import { readFile } from "node:fs/promises";
import { getSystemErrorMap } from "node:util";
import { Command, InvalidArgumentError } from "commander";
import { type Connection, connect, type Domain, parseUUID, VirtError } from "../api/index.ts";
import { VirErrorNumber } from "../generated/libvirt/index.ts";
import { VerbError } from "./output.ts";

/** A command that talks to a daemon: every one of them can be told which. */
export function verb(name: string, description: string): Command {
  return new Command(name).description(description).option("-c, --connect <uri>", "the daemon to talk to");
}

/** A command about one guest, given as virsh takes it: in its place or as `--domain`. */
export function guestVerb(name: string, description: string): Command {
  return verb(name, description)
    .argument("[domain]", "domain name, id or uuid")
    .option("--domain <string>", "domain name, id or uuid");
}

/** An operand that may also be given as an option, virsh's way. @throws {VerbError} where it is missing or empty */
export function operand(command: Command, name: string, given: string | undefined): string {
  const value = given ?? (command.opts() as Record<string, string | undefined>)[name];
  if (value === undefined) throw new VerbError(`command '${command.name()}' requires <${name}> option`);
  if (value === "") throw new VerbError(`Failed to get option '${name}': Option argument is empty`);
  return value;
}

/** The URI of `-c` behind the verb or before it, or of the environment; empty where none is given. */
export function connectionUri(command: Command): string {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const { connect: uri } = at.opts<{ connect?: string }>();
    if (uri !== undefined) return uri;
  }
  return process.env.LIBVIRT_DEFAULT_URI ?? "";
}

/** Connects, works, and closes. */
export async function withConnection<T>(uri: string, work: (conn: Connection) => Promise<T>): Promise<T> {
  let conn: Connection;
  try {
    conn = await connect(uri);
  } catch (cause) {
    throw new VerbError("failed to connect to the hypervisor", { cause });
  }
  try {
    return await work(conn);
  } finally {
    await conn.close();
  }
}

/**
 * Finds a guest by id, UUID or name, in this order as virsh does.
 * @throws {VerbError} where there is none, with the daemon's last word.
 */
export async function lookupGuest(conn: Connection, given: string): Promise<Domain> {
  const uuid = parseUUID(given);
  const attempts: (() => Promise<Domain>)[] = [];
  if (/^\d{1,9}$/.test(given)) attempts.push(() => conn.lookupDomainByID(Number(given)));
  if (uuid !== undefined) attempts.push(() => conn.lookupDomainByUUID(uuid));
  attempts.push(() => conn.lookupDomainByName(given));
  let cause: unknown;
  for (const attempt of attempts) {
    try {
      return await attempt();
    } catch (error) {
      cause = error;
      if (!(error instanceof VirtError && error.code === VirErrorNumber.VIR_ERR_NO_DOMAIN)) break;
    }
  }
  throw new VerbError(`failed to get domain '${given}'`, { cause });
}

/** Runs `work`; where it fails, says what was being done. */
export async function attempting<T>(failure: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new VerbError(failure, { cause });
  }
}

/** @throws {VerbError} where both options of a pair are given. */
export function refuseBoth(
  options: Readonly<Record<string, unknown>>,
  pairs: readonly (readonly [string, string])[],
): void {
  for (const [one, other] of pairs) {
    if (options[one] && options[other]) {
      throw new VerbError(`Options ${spelled(one)} and ${spelled(other)} are mutually exclusive`);
    }
  }
}

/** `timeoutSuspend` as it is typed: `--timeout-suspend`. */
export function spelled(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The flags of the options that are set. */
export function flagsOf(options: Readonly<Record<string, unknown>>, table: Readonly<Record<string, number>>): number {
  return Object.entries(table).reduce((flags, [name, flag]) => (options[name] ? flags | flag : flags), 0);
}

/** A file's text, with virsh's words where it cannot be read. */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException;
    const [, text = message] = getSystemErrorMap().get(errno ?? 0) ?? [];
    throw new VerbError(`Failed to open file '${path}': ${text.charAt(0).toUpperCase()}${text.slice(1)}`);
  }
}

/** An option's value as a whole number, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("A whole number is needed.");
  return value;
}
