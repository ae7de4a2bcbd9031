/** A problem to be told as virsh tells it: one line of its own, then what the daemon said. */
export class VerbError extends Error {
  override readonly name = "VerbError";
}

/**
 * Text of a daemon for a terminal: control characters as virsh's tables show them (`\x1b`), so that no daemon drives it.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, (c) => `\\x${c.codePointAt(0)?.toString(16).padStart(2, "0")}`);
}

/** Text for standard output, as it is. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** A line and the blank line that virsh ends every command with. */
export function printMessage(text: string): void {
  print(`${text}\n\n`);
}

/** `error: …` for the error and for what caused it, one line each, on standard error. */
export function printError(error: unknown): void {
  for (let part: unknown = error; part instanceof Error; part = part instanceof VerbError ? part.cause : undefined) {
    process.stderr.write(`error: ${printable(describe(part))}\n`);
  }
}

function describe(error: Error): string {
  return process.env.VIRTWIRE_DEBUG === undefined ? error.message : wholeError(error);
}

/** With the stack, for errors that nobody expected. */
export function wholeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** One JSON value on one line: 64-bit numbers as strings, bytes as hexadecimal. */
export function printJson(value: unknown): void {
  print(`${toJson(value)}\n`);
}

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return part.toString();
    if (part instanceof Uint8Array) return Buffer.from(part).toString("hex");
    return part;
  });
}

/** `Name:           web`, as virsh lays out facts about one object. */
export function fact(label: string, value: string): string {
  return `${`${label}:`.padEnd(15)} ${printable(value)}\n`;
}

/** A table as virsh prints it: no padding after the last column, dashes as wide as the padded columns. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => printable(text).replaceAll("\n", "\\x0a").replaceAll("\t", "\\x09");
  const lines = [header, ...rows].map((line) => line.map(cell));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => width(line[column]!))));
  const padded = (cell: string, column: number) => {
    const last = column === header.length - 1;
    return ` ${cell}${last ? "" : " ".repeat(widths[column]! - width(cell) + 2)}`;
  };
  const [head, ...body] = lines.map((line) => line.map(padded).join(""));
  const dashes = "-".repeat(widths.reduce((sum, columns) => sum + columns + 3, 0));
  return [head, dashes, ...body].join("\n");
}

function width(text: string): number {
  return [...text].length;
}
