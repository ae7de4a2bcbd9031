/** Text to tokens. Knows comments, numbers and lines that begin with `%` or `#`, and nothing of grammar. */

import type { Span } from "./diagnostics.ts";

export interface Comment extends Span {
  /** Without the comment signs. */
  readonly text: string;
}

/**
 * - `passed`: a `%` line, `directive`: a `#` line; the text is the rest of the line without a comment.
 * - `unknown`: characters that begin no token. `unclosed`: a comment or a string without its end.
 * - `end`: after the last token, once, with empty text.
 */
export type TokenKind =
  | "name"
  | "number"
  | "string"
  | "punctuation"
  | "passed"
  | "directive"
  | "unknown"
  | "unclosed"
  | "end";

export interface Token extends Span {
  readonly kind: TokenKind;
  readonly text: string;
  /** The comments between the token before and this one. */
  readonly comments: readonly Comment[];
}

const NO_COMMENTS: readonly Comment[] = [];
/** What ends a run. Searching for the end, unlike matching the run, needs no stack however long the run is. */
const NEWLINE = /\n/g;
const BLANK = /[\s\uFEFF]/;
const NOT_BLANK = /[^ \t\r\f\v\uFEFF]/g;
const NOT_WORD = /[^A-Za-z0-9_]/g;
const KNOWN = /[\sA-Za-z0-9_{}()[\]<>,;:=*/"-]/g;
const QUOTE_ESCAPE_OR_LINE_END = /["\\\r\n]/g;

/**
 * Every input gives tokens up to one `end`; a mistake is a token too. Made as they are asked for, so that a file of ten million
 * brackets costs no more memory than its first mistake.
 */
export function* lex(text: string): Generator<Token, void, undefined> {
  let position = 0;
  let line = 1;
  let lineStart = 0;
  let newline = find(NEWLINE, text, 0); // the next one
  let lineIsBlank = true;
  let comments: Comment[] = [];

  const moveTo = (end: number): void => {
    for (; newline < end; newline = find(NEWLINE, text, lineStart)) {
      line += 1;
      lineStart = newline + 1;
    }
    position = end;
  };
  const span = (length: number): Span => ({ line, column: position - lineStart + 1, length });
  const token = (kind: TokenKind, content: string, length: number): Token => {
    const before = comments.length === 0 ? NO_COMMENTS : comments;
    if (comments.length > 0) comments = [];
    return { kind, text: content, line, column: position - lineStart + 1, length, comments: before };
  };

  while (position < text.length) {
    const character = text[position]!;
    const next = text[position + 1];
    if (character === "\n") {
      moveTo(position + 1);
      lineIsBlank = true;
    } else if (character === "/" && next === "*") {
      const close = text.indexOf("*/", position + 2);
      if (close === -1) yield token("unclosed", "/*", 2);
      else comments.push({ text: text.slice(position + 2, close), ...span(2) });
      moveTo(close === -1 ? text.length : close + 2);
    } else if (character === "/" && next === "/") {
      // Not in the RFC, but real files from outside rpcgen's world have it, and "/" means nothing else.
      const end = lineEnd(text, position);
      comments.push({ text: text.slice(position + 2, end), ...span(2) });
      moveTo(end);
    } else if (lineIsBlank && (character === "%" || character === "#")) {
      const end = directiveEnd(text, position);
      const content = text.slice(position + 1, end).replaceAll(/\\\r?\n/g, " ");
      yield token(
        character === "%" ? "passed" : "directive",
        content,
        Math.min(end, lineEnd(text, position)) - position,
      );
      moveTo(end);
    } else if (BLANK.test(character)) {
      moveTo(Math.max(position + 1, find(NOT_BLANK, text, position)));
    } else {
      lineIsBlank = false;
      const [kind, end] = tokenAt(text, position);
      yield token(kind, text.slice(position, end), end - position);
      moveTo(end);
    }
  }
  yield token("end", "", 0);
}

/** The kind and the end of the token that begins at `from`, which is no comment, line or blank. */
function tokenAt(text: string, from: number): [TokenKind, end: number] {
  const character = text[from]!;
  if ("{}()[]<>,;:=*".includes(character)) return ["punctuation", from + 1];
  if (/[A-Za-z_]/.test(character)) return ["name", find(NOT_WORD, text, from)];
  // Whether the digits fit the base is the parser's question.
  if (/^-?[0-9]/.test(text.slice(from, from + 2))) return ["number", find(NOT_WORD, text, from + 1)];
  if (character === '"') return stringAt(text, from);
  // C's 'a' is no token here, and one mistake.
  if (character === "'") return ["unknown", from + /^'(?:[^'\n]{1,4}')?/.exec(text.slice(from, from + 6))![0].length];
  return ["unknown", Math.max(from + 1, find(KNOWN, text, from))];
}

function stringAt(text: string, from: number): [TokenKind, end: number] {
  for (let at = from + 1; ; at += 2) {
    at = find(QUOTE_ESCAPE_OR_LINE_END, text, at);
    if (text[at] === '"') return ["string", at + 1];
    if (text[at] !== "\\" || /^[\r\n]?$/.test(text[at + 1] ?? "")) return ["unclosed", at];
  }
}

/** Where the pattern, global and one unit wide, is found from there on; the text's length where it is not. */
function find(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex - 1 : text.length;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  if (end === -1) return text.length;
  return text[end - 1] === "\r" && end > from ? end - 1 : end;
}

/** The C preprocessor joins a line that ends in a backslash with the next, and a comment ends a `#` line for us. */
function directiveEnd(text: string, from: number): number {
  let end = lineEnd(text, from);
  while (end < text.length && text[end - 1] === "\\") end = lineEnd(text, text.indexOf("\n", end) + 1);
  const comment = text[from] === "#" ? text.slice(from, end).search(/\/[*/]/) : -1;
  return comment === -1 ? end : from + comment;
}
