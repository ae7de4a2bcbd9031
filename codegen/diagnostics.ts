/** What is wrong with a `.x` file, and how to show it: file, line, column, the source line and a caret below the place. */

import type { Location } from "./model.ts";

/** A stretch of one source line. Lines and columns count from 1, `length` is in UTF-16 units. */
export interface Span {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** One file's text, cut into lines only when a diagnostic wants to quote one. */
export class Source {
  readonly file: string;
  readonly text: string;
  #lines: readonly string[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** The line without its end; lines count from 1. */
  line(number: number): string {
    this.#lines ??= this.text.split(/\r?\n/);
    return this.#lines[number - 1] ?? "";
  }

  at({ line, column }: Span): Location {
    return { file: this.file, line, column };
  }
}

export interface Diagnostic {
  /** A warning does not stop the generator. */
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly at: Location;
  /** How many UTF-16 units of the line the mistake covers. */
  readonly length: number;
  /** The source line. */
  readonly excerpt: string;
}

/** The only thing that reading a `.x` file throws. Its message is the whole report, ready to print. */
export class CodegenError extends Error {
  override readonly name = "CodegenError";
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(renderDiagnostic).join("\n\n"));
    this.diagnostics = diagnostics;
  }
}

/** After so many errors the reader gives up: what follows is rarely news. */
export const MAX_ERRORS = 50;

/** Collects what is found in one file. Throws {@link CodegenError} by itself only at {@link MAX_ERRORS}. */
export class Report {
  readonly source: Source;
  readonly #found: Diagnostic[] = [];
  #errors = 0;
  #warnings = 0;

  constructor(source: Source) {
    this.source = source;
  }

  error(span: Span, message: string): void {
    this.#add("error", span, message);
    this.#errors += 1;
    if (this.#errors >= MAX_ERRORS) this.throwIfErrors();
  }

  warning(span: Span, message: string): void {
    this.#warnings += 1;
    if (this.#warnings <= MAX_ERRORS) this.#add("warning", span, message);
  }

  get warnings(): readonly Diagnostic[] {
    return this.#found.filter(({ severity }) => severity === "warning");
  }

  /** @throws {CodegenError} when there was an error; it carries the warnings too, all in the order of the file. */
  throwIfErrors(): void {
    if (this.#errors === 0) return;
    throw new CodegenError(this.#found.toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column));
  }

  #add(severity: Diagnostic["severity"], span: Span, message: string): void {
    const excerpt = this.source.line(span.line);
    this.#found.push({ severity, message, at: this.source.at(span), length: span.length, excerpt });
  }
}

const TAB = 8;
/** A longer source line is shown as a window of this many columns around the caret. */
const WINDOW = 110;

/**
 * ```text
 * remote.x:7:14: error: unknown type 'remote_strin'
 *     7 |     remote_strin name;
 *       |     ^~~~~~~~~~~~
 * ```
 * Tabs are shown as blanks, and control characters as `?`: a hostile file cannot drive the terminal.
 */
export function renderDiagnostic({ severity, message, at, length, excerpt }: Diagnostic): string {
  const head = `${at.file}:${at.line}:${at.column}: ${severity}: ${message}`;
  if (excerpt.trim() === "") return head;

  // Cut first: a line may be megabytes long.
  const start = at.column - 1;
  const from = excerpt.length <= WINDOW || start < WINDOW / 2 ? 0 : start - WINDOW / 2;
  const cut = (from > 0 ? "…" : "") + excerpt.slice(from, from + WINDOW) + (from + WINDOW < excerpt.length ? "…" : "");
  const caretAt = start - from + (from > 0 ? 1 : 0);

  const before = printable(cut.slice(0, caretAt), 0);
  const marked = printable(cut.slice(caretAt, caretAt + length), before.length);
  const after = printable(cut.slice(caretAt + length), before.length + marked.length);
  const number = String(at.line).padStart(5);
  return [
    head,
    `${number} | ${before}${marked}${after}`.trimEnd(),
    `${" ".repeat(number.length)} | ${" ".repeat(before.length)}^${"~".repeat(Math.max(0, marked.length - 1))}`,
  ].join("\n");
}

function printable(text: string, column: number): string {
  let shown = "";
  for (const character of text) {
    if (character === "\t") shown += " ".repeat(TAB - ((column + shown.length) % TAB));
    else shown += /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(character) ? "?" : character;
  }
  return shown;
}

/** Source text inside a message: in quotes, cut when long, without control characters. */
export function quote(text: string): string {
  return `'${printable(text.length > 60 ? `${text.slice(0, 57)}...` : text, 0)}'`;
}
