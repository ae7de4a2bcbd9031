import { Names } from "./names.ts";

/** Columns of a line. */
export const WIDTH = 120;

interface Import {
  /** What it is called here: another name where its own is taken. */
  readonly local: string;
  value: boolean;
}

/** One TypeScript file in the making: works out its imports and lays long lists out over lines. */
export class SourceFile {
  readonly #header: string;
  readonly #locals: Names;
  readonly #imports = new Map<string, Map<string, Import>>();
  readonly #namespaces = new Map<string, { name: string; type: boolean }>();
  readonly #body: string[] = [];

  /**
   * @param origin the `.x` file, for the first line
   * @param own the names that the file itself declares: an import that is called so gets another name
   */
  constructor(origin: string, own: Iterable<string> = []) {
    // The same bytes whoever generates them, and no line of code by way of a file's name.
    const path = /^([/\\]|[A-Za-z]:)/.test(origin) ? origin.replace(/^.*[/\\]/s, "") : origin;
    const name = path.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?");
    this.#header = `// Generated from ${name} by \`virtwire codegen\`. Do not edit: change the .x file or the generator.`;
    this.#locals = new Names(own);
  }

  /** A name for something that the file declares besides: `name`, or what comes near where that is taken. */
  own(name: string): string {
    return this.#locals.free(name);
  }

  /** Imports `name` as a value, if the code comes to use it, and returns what it is called here. */
  value(name: string, from: string): string {
    const found = this.#named(name, from);
    found.value = true;
    return found.local;
  }

  /** Imports `name` as a type, likewise. */
  type(name: string, from: string): string {
    return this.#named(name, from).local;
  }

  /** Imports everything of a module, if the code comes to use it, and returns what it is called here. */
  namespace(name: string, from: string, type: boolean): string {
    const local = this.#namespaces.get(from)?.name ?? this.#locals.free(name);
    this.#namespaces.set(from, { name: local, type });
    return local;
  }

  /** Appends a piece of code: an empty line goes before it. */
  add(...lines: readonly string[]): void {
    if (lines.length > 0) this.#body.push(lines.join("\n"));
  }

  toString(): string {
    const body = this.#body.join("\n\n");
    const words = new Set(body.match(/[A-Za-z_]\w*/g));
    const imports: { from: string; line: string }[] = [];
    for (const [from, { name, type }] of this.#namespaces) {
      if (body.includes(`${name}.`) && new RegExp(`\\b${name}\\.`).test(body))
        imports.push({ from, line: `import ${type ? "type " : ""}* as ${name} from "${from}";` });
    }
    for (const [from, names] of this.#imports) {
      const used = [...names].filter(([, { local }]) => words.has(local));
      if (used.length > 0) imports.push({ from, line: importLine(from, used) });
    }
    imports.sort((a, b) => compare(distance(a.from), distance(b.from)) || compare(a.from, b.from));
    const head = [this.#header, ...imports.map(({ line }) => line)].join("\n");
    return `${head}\n\n${body || "export {};"}\n`;
  }

  #named(name: string, from: string): Import {
    let names = this.#imports.get(from);
    if (names === undefined) {
      names = new Map();
      this.#imports.set(from, names);
    }
    let found = names.get(name);
    if (found === undefined) {
      found = { local: this.#locals.free(name), value: false };
      names.set(name, found);
    }
    return found;
  }
}

/**
 * `open item, item close` in one line if it fits, else an item a line. What stands before `open` in its line counts as
 * `indent` columns; further lines are indented so far. `types`: a list of type arguments, which has no trailing comma.
 */
export function list(open: string, items: readonly string[], close: string, indent = 0, types = false): string {
  const inner = open.endsWith("{") && items.length > 0 ? ` ${items.join(", ")} ` : items.join(", ");
  const line = `${open}${inner}${close}`;
  if (indent + line.length <= WIDTH && !line.includes("\n")) return line;
  const pad = " ".repeat(indent);
  const comma = types ? "" : ",";
  return `${open}\n${pad}  ${items.join(`,\n${pad}  `)}${comma}\n${pad}${close}`;
}

/** A doc comment of one or more lines at `indent`; nothing for none. */
export function doc(lines: readonly string[], indent = ""): string[] {
  if (lines.length === 0) return [];
  const safe = lines.map((line) => line.replaceAll("*/", "* /"));
  if (safe.length === 1 && `${indent}/** ${safe[0]} */`.length <= WIDTH) return [`${indent}/** ${safe[0]} */`];
  return [`${indent}/**`, ...safe.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}

function importLine(from: string, names: readonly (readonly [string, Import])[]): string {
  const sorted = names.toSorted(([a], [b]) => compare(a.toLowerCase(), b.toLowerCase()) || compare(a, b));
  const values = sorted.some(([, { value }]) => value);
  const items = sorted.map(([name, { local, value }]) => {
    const called = name === local ? name : `${name} as ${local}`;
    return values && !value ? `type ${called}` : called;
  });
  return list(values ? "import {" : "import type {", items, `} from "${from}";`);
}

/** Packages first, then what is farthest up. */
function distance(from: string): number {
  return from.startsWith(".") ? 1 - from.split("../").length / 100 : 0;
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
