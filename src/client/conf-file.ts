import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../rpc/index.ts";

type ConfValue = string | number | readonly ConfValue[];

/** Deeper lists than this are no configuration. */
const MAX_DEPTH = 16;
/** Of a number of 64 bits. */
const MAX_DIGITS = 19;

/** Made once, because a long list asks for them millions of times. */
const patterns = {
  name: /[A-Za-z][A-Za-z0-9_]*/y,
  comment: /#[^\r\n]*/y,
  triple: /"""[\s\S]*?"""/y,
  quoted: /"[^"\r\n]*"|'[^'\r\n]*'/y,
  number: /[+-]?\d+/y,
};

/**
 * A file in libvirt's own configuration language: `name = value`, with strings in single, double or triple quotes,
 * integers, lists over several lines, `#` comments.
 * @source virConfParse, libvirt src/util/virconf.c
 */
export class ConfFile {
  readonly path: string;
  readonly #entries: ReadonlyMap<string, { readonly value: ConfValue; readonly line: number }>;

  /**
   * @param path for errors
   * @throws {VirtError} VIR_ERR_CONF_SYNTAX with file and line
   */
  constructor(path: string, text: string) {
    this.path = path;
    this.#entries = new Parser(path, text).entries();
  }

  /** @throws {VirtError} VIR_ERR_INTERNAL_ERROR where it is no string */
  string(name: string): string | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (typeof entry.value === "string") return entry.value;
    throw this.#mistyped(`${this.path}:${entry.line}: expected a string for '${name}' parameter`);
  }

  /** @throws {VirtError} VIR_ERR_INTERNAL_ERROR where it is no list, VIR_ERR_CONF_SYNTAX where one of it is no string */
  strings(name: string): readonly string[] {
    const entry = this.#entries.get(name);
    if (entry === undefined) return [];
    const { value, line } = entry;
    const detail = `${this.path}:${line}: expected a string list for '${name}' parameter`;
    if (!Array.isArray(value)) throw this.#mistyped(detail);
    return value.map((one: ConfValue) => {
      if (typeof one === "string") return one;
      throw virtError(VirErrorNumber.VIR_ERR_CONF_SYNTAX, VirErrorDomain.VIR_FROM_CONF, detail);
    });
  }

  /** @throws {VirtError} VIR_ERR_INTERNAL_ERROR where it is no integer */
  integer(name: string): number | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (typeof entry.value === "number") return entry.value;
    throw this.#mistyped(`${this.path}:${entry.line}: expected an integer for '${name}' parameter`);
  }

  /** The names of all settings, in the order of the file. */
  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** `path:line` of a setting that is there, for errors about its value. */
  where(name: string): string {
    return `${this.path}:${this.#entries.get(name)?.line ?? 0}`;
  }

  #mistyped(detail: string): VirtError {
    return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_CONF, detail);
  }
}

/** Whether an integer has 64 bits. Its length comes first: reading a million digits takes its time. */
function fits(number: string): boolean {
  if (number.replace(/^[+-]?0*/, "").length > MAX_DIGITS) return false;
  const value = BigInt(number.replace(/^\+/, ""));
  return BigInt.asIntN(64, value) === value;
}

class Parser {
  readonly #path: string;
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  entries(): Map<string, { value: ConfValue; line: number }> {
    const found = new Map<string, { value: ConfValue; line: number }>();
    for (this.#skipLines(); this.#at < this.#text.length; ) {
      if (this.#next !== "#") {
        const line = this.#line;
        const name = this.#take(patterns.name) ?? this.#fail("expecting a name");
        this.#skipBlanks();
        if (!this.#skip("=")) this.#fail("expecting an assignment");
        const value = this.#value(0);
        // Of several, the first counts.
        if (!found.has(name)) found.set(name, { value, line });
        this.#skipBlanks();
      }
      this.#take(patterns.comment);
      if (this.#skip("\n")) this.#line++;
      else if (this.#at < this.#text.length && !this.#skip(";") && !this.#skip("\r")) {
        this.#fail("expecting a separator");
      }
      this.#skipLines();
    }
    return found;
  }

  #value(depth: number): ConfValue {
    this.#skipBlanks();
    switch (this.#next) {
      case '"':
      case "'":
        return this.#string();
      case "[":
        return depth === MAX_DEPTH ? this.#fail("lists nested too deeply") : this.#list(depth + 1);
      default:
        return this.#number();
    }
  }

  #string(): string {
    const text = this.#take(patterns.triple);
    if (text !== undefined) {
      this.#line += text.split("\n").length - 1;
      return text.slice(3, -3);
    }
    if (this.#text.startsWith('"""', this.#at)) this.#fail("unterminated string");
    return this.#take(patterns.quoted)?.slice(1, -1) ?? this.#fail("unterminated string");
  }

  #number(): number {
    const number = this.#take(patterns.number);
    if (number === undefined) this.#fail(/[+-]/.test(this.#next ?? "") ? "unterminated number" : "expecting a value");
    if (number.length < MAX_DIGITS || fits(number)) return Number(number);
    const detail = `${this.#path}:${this.#line}: numeric overflow in conf value`;
    throw virtError(VirErrorNumber.VIR_ERR_OVERFLOW, VirErrorDomain.VIR_FROM_CONF, detail);
  }

  #list(depth: number): ConfValue {
    const items: ConfValue[] = [];
    this.#at++;
    for (this.#skipLines(); !this.#skip("]"); this.#skipLines()) {
      if (this.#at === this.#text.length) this.#fail("list is not closed with ]");
      if (items.length > 0) {
        if (!this.#skip(",")) this.#fail("expecting a separator in list");
        this.#skipLines();
        if (this.#next === "]") continue;
      }
      items.push(this.#value(depth));
    }
    return items;
  }

  get #next(): string | undefined {
    return this.#text[this.#at];
  }

  /** What a sticky pattern matches here, taken. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return undefined;
    const from = this.#at;
    this.#at = pattern.lastIndex;
    return this.#text.slice(from, this.#at);
  }

  /** Whether a character was here, which is taken. */
  #skip(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    while (this.#next === " " || this.#next === "\t") this.#at++;
  }

  #skipLines(): void {
    for (; ; this.#at++) {
      const next = this.#next;
      if (next === "\n") this.#line++;
      else if (next !== " " && next !== "\t" && next !== "\r") return;
    }
  }

  #fail(what: string): never {
    const detail = `${this.#path}:${this.#line}: ${what}`;
    throw virtError(VirErrorNumber.VIR_ERR_CONF_SYNTAX, VirErrorDomain.VIR_FROM_CONF, detail);
  }
}
