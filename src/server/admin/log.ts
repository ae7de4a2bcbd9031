import { closeSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { matchesGlob } from "../../auth/server.ts";
import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../rpc/index.ts";

/** libvirt's: 1 debug, 2 info, 3 warning, 4 error. */
export type LogPriority = 1 | 2 | 3 | 4;

export interface DaemonLogOptions {
  /** What is logged where no filter says otherwise, and where it goes if `outputs` is empty. Default 3. */
  readonly level?: LogPriority;
  /** libvirt's `log_outputs`: `1:file:/var/log/x.log 3:stderr`, separated by blanks. Default `3:stderr`. */
  readonly outputs?: string;
  /** libvirt's `log_filters`: `1:remote 4:event`, separated by blanks. Default none. */
  readonly filters?: string;
}

interface Output {
  readonly text: string;
  readonly priority: number;
  readonly write: (line: string) => void;
  readonly close: () => void;
}

interface Filter {
  readonly text: string;
  readonly priority: number;
  /** Part of the source's name, with `*` and `?`. */
  readonly match: string;
}

/** Longest setting that is read, in UTF-16 units. */
const MAX_SETTING = 65_536;
const WORDS = ["", "debug", "info", "warning", "error"] as const;

/**
 * A daemon's log, whose outputs and filters can be changed while it runs, as libvirt's can.
 * @source libvirt src/util/virlog.c
 */
export class DaemonLog implements Disposable {
  readonly #level: LogPriority;
  #outputs: readonly Output[];
  #filters: readonly Filter[];

  /** @throws {VirtError} as the setters do */
  constructor({ level = 3, outputs = "", filters = "" }: DaemonLogOptions = {}) {
    this.#level = level;
    this.#filters = parseFilters(filters);
    this.#outputs = parseOutputs(outputs, level);
  }

  /** As VIR_LOG_OUTPUTS has them. */
  get outputs(): string {
    return this.#outputs.map(({ text }) => text).join(" ");
  }

  /** Empty: back to standard error alone. @throws {VirtError} where it is malformed or a file cannot be opened */
  set outputs(text: string) {
    const before = this.#outputs;
    this.#outputs = parseOutputs(text, this.#level);
    for (const output of before) output.close();
  }

  get outputCount(): number {
    return this.#outputs.length;
  }

  /** As virLogGetFilters has them: each with the stars that it was matched with, and a blank behind it. */
  get filters(): string {
    return this.#filters.map(({ text }) => `${text} `).join("");
  }

  /** Empty: none. @throws {VirtError} where it is malformed */
  set filters(text: string) {
    this.#filters = parseFilters(text);
  }

  get filterCount(): number {
    return this.#filters.length;
  }

  /** @param source what speaks, in words with dots: `server.session` */
  write(priority: LogPriority, source: string, message: string): void {
    const filter = this.#filters.find(({ match }) => matchesGlob(match, source));
    if (priority < (filter?.priority ?? this.#level)) return;
    const time = new Date().toISOString().replace("T", " ").replace("Z", "+0000");
    // One message, one line: what a client sends must not look like another message.
    const line = `${time}: ${process.pid}: ${WORDS[priority]} : ${source} : ${message.replace(/[\r\n]+\s*/g, " | ")}\n`;
    for (const output of this.#outputs) {
      if (priority >= output.priority) output.write(line);
    }
  }

  [Symbol.dispose](): void {
    for (const output of this.#outputs) output.close();
    this.#outputs = [];
  }
}

function parseOutputs(text: string, level: LogPriority): readonly Output[] {
  const opened: Output[] = [];
  try {
    for (const word of words(text)) opened.push(parseOutput(word));
  } catch (error) {
    for (const output of opened) output.close();
    throw error;
  }
  return opened.length > 0 ? opened : [parseOutput(`${level}:stderr`)];
}

/** @source virLogParseOutput, libvirt src/util/virlog.c */
function parseOutput(text: string): Output {
  const [level = "", destination, ...rest] = text.split(":");
  if (destination === undefined) throw invalid(`Malformed format for log output '${text}'`);
  if (!isPriority(level)) throw invalid(`Invalid log priority '${level}' for log output '${text}'`);
  const priority = Number(level);
  switch (destination) {
    case "stderr":
      if (rest.length !== 0) throw misfit(text, destination);
      return { text, priority, write: (line) => void process.stderr.write(line), close: () => {} };
    case "file": {
      const [name = ""] = rest;
      if (rest.length !== 1 || name === "") throw misfit(text, destination);
      return toFile(`${priority}:file:${resolve(name)}`, priority, resolve(name));
    }
    case "syslog":
    case "journald": {
      const detail = `log destination '${destination}': this daemon writes to files and to standard error`;
      throw virtError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, VirErrorDomain.VIR_FROM_ADMIN, detail);
    }
    default:
      throw invalid(`Invalid log destination '${destination}' for log output '${text}'`);
  }
}

function toFile(text: string, priority: number, path: string): Output {
  let file: number;
  try {
    file = openSync(path, "a", 0o600);
  } catch (cause) {
    const detail = `failed to open ${path}: ${(cause as Error).message}`;
    throw virtError(VirErrorNumber.VIR_ERR_SYSTEM_ERROR, VirErrorDomain.VIR_FROM_ADMIN, detail);
  }
  const write = (line: string): void => {
    try {
      writeSync(file, line);
    } catch {
      // A full disk must not end the daemon.
    }
  };
  return { text, priority, write, close: () => closeSync(file) };
}

/** @source virLogParseFilter, libvirt src/util/virlog.c */
function parseFilters(text: string): readonly Filter[] {
  return words(text).map((word) => {
    const [level = "", wanted] = word.split(":");
    if (wanted === undefined) throw invalid(`Malformed format for filter '${word}'`);
    if (!isPriority(level)) throw invalid(`Invalid priority '${level}' for filter '${word}'`);
    const match = wanted.replace(/^\+/, ""); // once a wish for stack traces
    if (match === "") throw invalid(`Invalid match string '${wanted}'`);
    return { text: `${level}:*${match}*`, priority: Number(level), match: `*${match}*` };
  });
}

function words(text: string): string[] {
  if (text.length > MAX_SETTING) throw invalid(`a setting of ${text.length} characters, ${MAX_SETTING} at most`);
  return text.split(" ").filter((word) => word !== "");
}

const isPriority = (text: string): boolean => /^[1-4]$/.test(text);
const misfit = (text: string, destination: string): VirtError =>
  invalid(`Log output '${text}' does not meet the format requirements for destination type '${destination}'`);

function invalid(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_ADMIN, detail);
}
