import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../rpc/index.ts";

type ConfValue = string | bigint | readonly ConfValue[];

/** Deeper lists than this are no configuration. */
const MAX_DEPTH = 16;

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

  /** `path:line` of a setting that is there, for errors about its value. */
  where(name: string): string {
    return `${this.path}:${this.#entries.get(name)?.line ?? 0}`;
  }

  #mistyped(detail: string): VirtError {
    return virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_CONF, detail);
  }
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
        const name = this.#take(/[A-Za-z][A-Za-z0-9_]*/y) ?? this.#fail("expecting a name");
        this.#skipBlanks();
        if (this.#take(/=/y) === undefined) this.#fail("expecting an assignment");
        const value = this.#value(0);
        // Of several, the first counts.
        if (!found.has(name)) found.set(name, { value, line });
        this.#skipBlanks();
      }
      this.#take(/#[^\r\n]*/y);
      if (this.#at < this.#text.length && this.#take(/[;\r\n]/y) === undefined) this.#fail("expecting a separator");
      else if (this.#text[this.#at - 1] === "\n") this.#line++;
      this.#skipLines();
    }
    return found;
  }

  #value(depth: number): ConfValue {
    this.#skipBlanks();
    const triple = this.#take(/"""[\s\S]*?"""/y);
    if (triple !== undefined) {
      this.#line += triple.split("\n").length - 1;
      return triple.slice(3, -3);
    }
    const quoted = this.#take(/"[^"\r\n]*"|'[^'\r\n]*'/y);
    if (quoted !== undefined && !this.#text.startsWith('"""', this.#at - quoted.length)) return quoted.slice(1, -1);
    const number = this.#take(/[+-]?\d+/y);
    if (number !== undefined) {
      const value = BigInt(number.replace(/^\+/, ""));
      if (BigInt.asIntN(64, value) === value) return value;
      const detail = `${this.#path}:${this.#line}: numeric overflow in conf value`;
      throw virtError(VirErrorNumber.VIR_ERR_OVERFLOW, VirErrorDomain.VIR_FROM_CONF, detail);
    }
    switch (this.#next) {
      case "[":
        return depth === MAX_DEPTH ? this.#fail("lists nested too deeply") : this.#list(depth + 1);
      case '"':
      case "'":
        return this.#fail("unterminated string");
      case "+":
      case "-":
        return this.#fail("unterminated number");
      default:
        return this.#fail("expecting a value");
    }
  }

  #list(depth: number): ConfValue {
    const items: ConfValue[] = [];
    this.#at++;
    for (this.#skipLines(); this.#take(/\]/y) === undefined; this.#skipLines()) {
      if (this.#at === this.#text.length) this.#fail("list is not closed with ]");
      if (items.length > 0) {
        if (this.#take(/,/y) === undefined) this.#fail("expecting a separator in list");
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
    const [found] = pattern.exec(this.#text) ?? [];
    this.#at += found?.length ?? 0;
    return found;
  }

  #skipBlanks(): void {
    this.#take(/[ \t]*/y);
  }

  #skipLines(): void {
    this.#line += (this.#take(/[ \t\r\n]*/y) ?? "").split("\n").length - 1;
  }

  #fail(what: string): never {
    const detail = `${this.#path}:${this.#line}: ${what}`;
    throw virtError(VirErrorNumber.VIR_ERR_CONF_SYNTAX, VirErrorDomain.VIR_FROM_CONF, detail);
  }
}
