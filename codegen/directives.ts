/**
 * The lines that begin with `#` or `%`. rpcgen gives `#` lines to the C preprocessor and copies `%` lines to its output; here they
 * choose what is read, name other files and define constants, as they would in `rpcgen -h`.
 */

import { quote, type Report, type Span } from "./diagnostics.ts";
import { type Comment, lex, type Token } from "./lexer.ts";
import { parseNumber } from "./number.ts";
import type { Define, Include } from "./syntax.ts";

/** rpcgen defines one of RPC_HDR, RPC_XDR, RPC_SVC, RPC_CLNT and RPC_TBL. Types are in the header, so that is what we make. */
const OUTPUT_SYMBOL = "RPC_HDR";

interface Condition {
  readonly opener: Token;
  /** Whether the lines around the whole `#if` count. */
  readonly outer: boolean;
  /** Whether the lines of this branch count, `outer` aside. */
  active: boolean;
  /** Whether some branch so far was active. */
  taken: boolean;
  closing: boolean;
}

/** Takes the `#` and `%` lines out, and whatever a false `#if` hides; puts what they define into `found`. */
export function* applyDirectives(
  tokens: Iterable<Token>,
  found: { readonly includes: Include[]; readonly defines: Define[]; readonly macros: Map<string, Span> },
  report: Report,
): Generator<Token, void, undefined> {
  const conditions: Condition[] = [];
  const defined = new Map<string, bigint>([[OUTPUT_SYMBOL, 1n]]);
  let active = true;
  let carried: Comment[] = [];

  const conditional = (word: string, rest: string, line: Token): void => {
    const top = conditions.at(-1);
    if (word === "ifdef" || word === "ifndef" || word === "if") {
      const value =
        active && (word === "if" ? evaluate(rest, defined) : defined.has(rest.trim()) === (word === "ifdef"));
      if (value === undefined) report.error(line, `cannot evaluate #if ${quote(rest.trim())}`);
      conditions.push({ opener: line, outer: active, active: value === true, taken: value === true, closing: false });
    } else if (top === undefined || (word !== "endif" && top.closing)) {
      report.error(line, `#${word} without its #if`);
      return;
    } else if (word === "endif") {
      conditions.pop();
      active = top.outer;
      return;
    } else {
      const value = top.outer && !top.taken && (word === "else" || evaluate(rest, defined));
      if (value === undefined) report.error(line, `cannot evaluate #elif ${quote(rest.trim())}`);
      top.active = value === true;
      top.taken ||= top.active;
      top.closing = word === "else";
    }
    const current = conditions.at(-1)!;
    active = current.outer && current.active;
  };

  for (const token of tokens) {
    if (token.kind === "directive" || token.kind === "passed") {
      const { word, rest } = wordOf(token);
      // `#if` chooses lines here; `%#if` is copied for the C compiler to choose.
      const ours = token.kind === "directive";
      if (ours && /^(ifdef|ifndef|if|elif|else|endif)$/.test(word)) conditional(word, rest, token);
      else if (active && word === "include") found.includes.push(...includeOf(rest, token));
      else if (active && word === "define") {
        const define = defineOf(rest, token);
        if (define !== undefined) found.defines.push(define);
        else found.macros.set(wordsOf(rest)[0]?.text ?? "", token);
        if (ours)
          defined.set(
            wordsOf(rest)[0]?.text ?? "",
            define === undefined || define.base !== undefined ? 1n : define.add,
          );
      } else if (active && ours && word === "undef") defined.delete(rest.trim());
      else if (active && ours && !/^(pragma|ident|line|error|warning|)$/.test(word))
        report.error(token, `unknown directive ${quote(`#${word}`)}`);

      if (active) for (const comment of token.comments) carried.push(comment);
      else carried = [];
    } else if (token.kind === "end") {
      const open = conditions.at(-1);
      if (open !== undefined) report.error(open.opener, "#if without its #endif");
      yield token;
    } else if (active || (token.kind === "unclosed" && token.text === "/*")) {
      yield carried.length === 0 ? token : { ...token, comments: [...carried, ...token.comments] };
      carried = [];
    }
  }
}

/** `include` and the rest of `%#include <x.h>`; a `%` line of other text has no word. */
function wordOf(line: Token): { word: string; rest: string } {
  let text = line.text.trimStart();
  if (line.kind === "passed") {
    if (!text.startsWith("#")) return { word: "", rest: "" };
    text = text.slice(1).trimStart();
  }
  const end = text.search(/[^a-z]/);
  return end === -1 ? { word: text, rest: "" } : { word: text.slice(0, end), rest: text.slice(end) };
}

function wordsOf(text: string): readonly Token[] {
  return text.length > LONGEST ? [] : [...lex(text)].slice(0, -1);
}

/** A longer line is no simple constant or condition. */
const LONGEST = 1000;

function includeOf(rest: string, span: Token): Include[] {
  const path = /^(?:"([^"\n]{1,1000})"|<([^>\n]{1,1000})>)/.exec(rest.trimStart());
  return path === null ? [] : [{ path: (path[1] ?? path[2])!, span }];
}

/** Only what can be a number: a literal, a name, or either with a number added. A macro that says more is C's business. */
function defineOf(rest: string, line: Token): Define | undefined {
  const [name, ...words] = wordsOf(rest);
  if (name?.kind !== "name") return undefined;
  if (words[0]?.text === "(" && words[0].column === name.column + name.length) return undefined; // a macro with parameters
  const [first, ...more] = words.filter(({ text }) => text !== "(" && text !== ")");
  if (first === undefined) return undefined;
  const start = first.kind === "number" ? parseNumber(first.text) : 0n;
  const sum = more.map(({ text }) => text).join("");
  const added = sum === "" ? 0n : /^[+-]/.test(sum) ? parseNumber(sum.replace("+", "")) : "digits";
  if (typeof start !== "bigint" || typeof added !== "bigint") return undefined;
  if (first.kind !== "name" && first.kind !== "number") return undefined;
  const span = { line: line.line, column: line.column, length: line.length };
  const base = first.kind === "name" ? { base: first.text } : {};
  return { name: { text: name.text, span }, add: start + added, passed: line.kind === "passed", ...base };
}

/** `#if`'s condition: names, numbers, `defined`, `!`, `&&` and `||`. Undefined: more than that. */
function evaluate(condition: string, defined: ReadonlyMap<string, bigint>): boolean | undefined {
  const words = wordsOf(condition).flatMap(({ kind, text }) =>
    kind === "unknown" ? (text.match(/&&|\|\||./g) ?? []) : [text],
  );
  let some = false; // of the alternatives so far
  let all = true; // of the conditions in this one
  let [negated, named] = [false, false];
  let wanted = true; // an operand, not an operator
  for (const word of words) {
    if (word === "(" && named) continue;
    else if (word === ")" && !wanted) continue;
    else if (wanted && word === "!") negated = !negated;
    else if (wanted && word === "defined") named = true;
    else if (wanted && /^\w+$/.test(word)) {
      const literal = parseNumber(word);
      const value = named
        ? defined.has(word)
        : (typeof literal === "bigint" ? literal : (defined.get(word) ?? 0n)) !== 0n;
      all &&= value !== negated;
      [negated, named, wanted] = [false, false, false];
    } else if (!wanted && word === "&&") wanted = true;
    else if (!wanted && word === "||") [some, all, wanted] = [some || all, true, true];
    else return undefined;
  }
  return wanted ? undefined : some || all;
}
