/** The names of one file and of what it imports, and the numbers behind them. Constants, enumerators, types and programs share one space. */

import { quote, type Report, type Span } from "./diagnostics.ts";
import type { Constant, Definition, Location, Module, NumberRef } from "./model.ts";
import type { Define, EnumMember, Name, SyntaxTree, Value } from "./syntax.ts";

/** A number that may wait for another: `const A = B`, or an enumerator one above the one before it. */
interface NumberSymbol {
  readonly kind: "constant" | "enumerator";
  readonly at: Location;
  readonly span: Span;
  /** The enum, for an enumerator. */
  readonly owner?: string;
  /** The name or the symbol whose value this one adds to. */
  readonly base?: string | NumberSymbol;
  readonly add: bigint;
  /** Null: wrong, and reported. Undefined: not looked at yet. */
  value?: bigint | null;
  waiting?: boolean;
}

interface OtherSymbol {
  readonly kind: "type" | "program";
  readonly at: Location;
}

type FoundSymbol = NumberSymbol | OtherSymbol;

export interface ScopeOptions {
  readonly imports: readonly Module[];
  readonly externals: Readonly<Record<string, number>>;
  readonly macros: SyntaxTree["macros"];
  readonly lost: SyntaxTree["lost"];
}

export class Scope {
  readonly #report: Report;
  readonly #options: ScopeOptions;
  readonly #symbols = new Map<string, FoundSymbol>();
  readonly #strings = new Map<string, Span>();
  readonly #passedDefines = new Map<string, Define>();
  readonly #constants: Constant[] = [];
  /** Every definition that the imports make visible, by name. */
  readonly imported = new Map<string, Definition>();

  constructor(report: Report, options: ScopeOptions) {
    this.#report = report;
    this.#options = options;
    for (const module of visibleModules(options.imports)) this.#import(module);
  }

  /** This file's constants, in its order. Those from outside stand where they are first used. */
  get constants(): readonly Constant[] {
    return this.#constants.toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  }

  // Declaring

  declareConstant(name: Name, value: Value): void {
    if (value.kind === "string") {
      this.#report.warning(value.span, `${quote(name.text)} is a string, not a number: passed over`);
      this.#strings.set(name.text, name.span);
      return;
    }
    this.#declare(name, this.#number(name, { kind: "constant" }, value));
  }

  declareDefine(define: Define): void {
    if (define.passed) {
      if (!this.#passedDefines.has(define.name.text)) this.#passedDefines.set(define.name.text, define);
    } else this.#declare(define.name, this.#defined(define));
  }

  declareEnumerators(owner: string, members: readonly EnumMember[]): void {
    let before: NumberSymbol | undefined;
    for (const { name, value } of members) {
      const kind = { kind: "enumerator", owner } as const;
      const at = { at: this.#report.source.at(name.span), span: name.span };
      const counted = before === undefined ? { add: 0n, value: 0n } : { base: before, add: 1n };
      const symbol: NumberSymbol =
        value === undefined ? { ...kind, ...at, ...counted } : this.#number(name, kind, value);
      this.#declare(name, symbol);
      before = symbol;
    }
  }

  declareOther(kind: OtherSymbol["kind"], name: Name): void {
    this.#declare(name, { kind, at: this.#report.source.at(name.span) });
  }

  // Looking up

  /** A limit, a label or a number, with its name; undefined when that is wrong, and then reported. */
  number(value: Value, what: string, min: bigint, max: bigint): NumberRef | undefined {
    const found =
      value.kind === "literal"
        ? value.value
        : value.kind === "name"
          ? this.#valueOf(value.text, value.span)
          : undefined;
    if (found === undefined) return undefined;
    if (found < min || found > max) {
      const named = value.kind === "name" ? `${value.text} = ` : "";
      this.#report.error(value.span, `${what} must be from ${min} to ${max}, not ${named}${found}`);
      return undefined;
    }
    return value.kind === "name" ? { value: Number(found), name: value.text } : { value: Number(found) };
  }

  has(name: string): boolean {
    return this.#symbols.has(name);
  }

  /** The value of a constant that need not exist. */
  constant(name: string): bigint | undefined {
    const symbol = this.#symbols.get(name);
    return symbol !== undefined && isNumber(symbol) ? (this.#resolve(symbol) ?? undefined) : undefined;
  }

  /** The enum that an enumerator belongs to; undefined for a constant or an unknown name. */
  ownerOf(name: string): string | undefined {
    const symbol = this.#symbols.get(name);
    return symbol !== undefined && isNumber(symbol) ? symbol.owner : undefined;
  }

  /** An enumerator's number: 0 where it is wrong and reported. */
  enumerator(name: string): number {
    return Number(this.constant(name) ?? 0n);
  }

  /** Looks at every constant and enumerator, used or not. */
  checkNumbers(): void {
    for (const [name, symbol] of this.#symbols) {
      if (!isNumber(symbol) || symbol.at.file !== this.#report.source.file) continue;
      const value = this.#resolve(symbol);
      if (value === null) continue;
      const [min, max, bits] =
        symbol.kind === "enumerator"
          ? ([-(2n ** 31n), 2n ** 31n - 1n, 32] as const)
          : ([-(2n ** 63n), 2n ** 64n - 1n, 64] as const);
      if (value < min || value > max)
        this.#report.error(symbol.span, `${quote(name)} = ${value} does not fit in ${bits} bits`);
      else if (symbol.kind === "constant") this.#constants.push({ name, value: plain(value), at: symbol.at });
    }
  }

  #valueOf(name: string, span: Span): bigint | undefined {
    const symbol = this.#find(name, span);
    if (symbol === undefined) return undefined;
    if (isNumber(symbol)) return this.#resolve(symbol) ?? undefined;
    this.#report.error(span, `${quote(name)} is a ${symbol.kind}, not a constant`);
    return undefined;
  }

  /** The file's own names first, then C's: `%#define` lines, the caller's numbers and the RPC library's. */
  #find(name: string, span: Span): FoundSymbol | undefined {
    const symbol = this.#symbols.get(name);
    if (symbol !== undefined) return symbol;
    const define = this.#passedDefines.get(name);
    const { externals } = this.#options;
    const known = Object.hasOwn(externals, name) ? externals[name] : RPC_LIBRARY.get(name);
    if (define === undefined && known === undefined) {
      const macro = this.#options.macros.get(name) ?? this.#strings.get(name);
      if (macro !== undefined)
        this.#report.error(span, `${quote(name)} is no number: line ${macro.line} defines it as something else`);
      else if (!isLost(this.#options.lost, name)) this.#report.error(span, `unknown constant ${quote(name)}`);
      return undefined;
    }
    if (define === undefined && !Number.isSafeInteger(known)) {
      this.#report.error(span, `${quote(name)} is given as ${known}, which is not a whole number`);
      return undefined;
    }
    const at = this.#report.source.at(span);
    const added: NumberSymbol =
      define !== undefined ? this.#defined(define) : { kind: "constant", at, span, add: 0n, value: BigInt(known!) };
    this.#symbols.set(name, added);
    return added;
  }

  /** Follows `A = B`, `B = C` to a literal without recursion: a chain may have 100000 links. */
  #resolve(symbol: NumberSymbol): bigint | null {
    const chain: NumberSymbol[] = [];
    let end = symbol;
    while (end.value === undefined) {
      if (end.waiting) {
        this.#report.error(end.span, "a constant that is defined by itself");
        end.value = null;
        break;
      }
      end.waiting = true;
      chain.push(end);
      const next: FoundSymbol | undefined = typeof end.base === "string" ? this.#find(end.base, end.span) : end.base;
      if (next === undefined || !isNumber(next)) {
        if (next !== undefined)
          this.#report.error(end.span, `${quote(String(end.base))} is a ${next.kind}, not a constant`);
        end.value = null;
      } else end = next;
    }
    for (let at = chain.pop(), value = end.value; at !== undefined; at = chain.pop()) {
      if (at !== end) at.value = value === null ? null : value + at.add;
      value = at.value!;
    }
    return symbol.value!;
  }

  #declare(name: Name, symbol: FoundSymbol): void {
    const first = this.#symbols.get(name.text);
    if (first === undefined) this.#symbols.set(name.text, symbol);
    else this.#report.error(name.span, `duplicate name ${quote(name.text)}: ${this.#firstAt(first.at)}`);
  }

  #firstAt({ file, line }: Location): string {
    return `first defined ${file === this.#report.source.file ? "" : `in ${file} `}at line ${line}`;
  }

  #number(name: Name, kind: Pick<NumberSymbol, "kind" | "owner">, value: Value): NumberSymbol {
    const at = { at: this.#report.source.at(name.span), span: value.span };
    if (value.kind === "literal") return { ...kind, ...at, add: 0n, value: value.value };
    if (value.kind === "name") return { ...kind, ...at, base: value.text, add: 0n };
    return { ...kind, ...at, add: 0n, value: null };
  }

  #defined({ name, base, add }: Define): NumberSymbol {
    const at = { at: this.#report.source.at(name.span), span: name.span };
    return base === undefined
      ? { kind: "constant", ...at, add: 0n, value: add }
      : { kind: "constant", ...at, base, add };
  }

  #import(module: Module): void {
    const numberSymbol = (
      kind: NumberSymbol["kind"],
      at: Location,
      value: number | bigint,
      owner?: string,
    ): NumberSymbol => ({
      kind,
      at,
      span: { line: at.line, column: at.column, length: 1 },
      add: 0n,
      value: BigInt(value),
      ...(owner === undefined ? {} : { owner }),
    });
    for (const { name, value, at } of module.constants) this.#symbols.set(name, numberSymbol("constant", at, value));
    for (const definition of module.definitions) {
      this.imported.set(definition.name, definition);
      this.#symbols.set(definition.name, { kind: "type", at: definition.at });
      if (definition.kind !== "enum") continue;
      for (const { name, value, at } of definition.members)
        this.#symbols.set(name, numberSymbol("enumerator", at, value, definition.name));
    }
  }
}

/** What <rpc/*.h> defines and real files use without saying so. */
const RPC_LIBRARY: ReadonlyMap<string, number> = new Map([
  ["MAXNETNAMELEN", 255],
  ["MAX_NETOBJ_SZ", 1024],
  ["MAX_AUTH_BYTES", 400],
]);

/** The imports, and what they import: C's `#include` shows that too. */
function visibleModules(imports: readonly Module[], seen = new Set<Module>()): ReadonlySet<Module> {
  for (const module of imports) {
    if (seen.has(module)) continue;
    seen.add(module);
    visibleModules(module.imports, seen);
  }
  return seen;
}

/** Whether a missing name may be in the part of the file that was passed over: then its absence is no mistake of its own. */
export function isLost(lost: SyntaxTree["lost"], name: string): boolean {
  return lost === "all" || lost.has(name);
}

function isNumber(symbol: FoundSymbol): symbol is NumberSymbol {
  return symbol.kind === "constant" || symbol.kind === "enumerator";
}

function plain(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
