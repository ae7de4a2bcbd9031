const WIDTH = 120;

/** One TypeScript file in the making: works out its imports and lays long lists out over lines. */
export class SourceFile {
  readonly #header: string;
  readonly #imports = new Map<string, Map<string, boolean>>();
  readonly #namespaces = new Map<string, { name: string; type: boolean }>();
  readonly #body: string[] = [];

  /** @param origin the `.x` file, for the first line */
  constructor(origin: string) {
    this.#header = `// Generated from ${origin} by \`virtwire codegen\`. Do not edit: change the .x file or the generator.`;
  }

  /** Imports `name` as a value and returns it. */
  value(name: string, from: string): string {
    this.#named(from).set(name, true);
    return name;
  }

  /** Imports `name` as a type and returns it. */
  type(name: string, from: string): string {
    const names = this.#named(from);
    if (!names.has(name)) names.set(name, false);
    return name;
  }

  /** Imports everything of a module as `name`, if the code comes to use it. */
  namespace(name: string, from: string, type: boolean): string {
    this.#namespaces.set(from, { name, type });
    return name;
  }

  /** Appends a piece of code: an empty line goes before it. */
  add(...lines: readonly string[]): void {
    this.#body.push(lines.join("\n"));
  }

  toString(): string {
    const body = this.#body.join("\n\n");
    const imports = [
      ...[...this.#namespaces]
        .filter(([, { name }]) => new RegExp(`\\b${name}\\.`).test(body))
        .map(([from, { name, type }]) => ({
          from,
          line: `import ${type ? "type " : ""}* as ${name} from "${from}";`,
        })),
      ...[...this.#imports].map(([from, names]) => ({ from, line: importLine(from, names) })),
    ];
    imports.sort((a, b) => compare(distance(a.from), distance(b.from)) || compare(a.from, b.from));
    const head = [this.#header, ...imports.map(({ line }) => line)].join("\n");
    return `${head}\n\n${body}\n`;
  }

  #named(from: string): Map<string, boolean> {
    let names = this.#imports.get(from);
    if (names === undefined) {
      names = new Map();
      this.#imports.set(from, names);
    }
    return names;
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

function importLine(from: string, names: ReadonlyMap<string, boolean>): string {
  const sorted = [...names].sort(([a], [b]) => compare(a.toLowerCase(), b.toLowerCase()) || compare(a, b));
  if (sorted.every(([, value]) => !value)) {
    return list(
      "import type {",
      sorted.map(([name]) => name),
      `} from "${from}";`,
    );
  }
  return list(
    "import {",
    sorted.map(([name, value]) => (value ? name : `type ${name}`)),
    `} from "${from}";`,
  );
}

/** Packages first, then what is farthest up. */
function distance(from: string): number {
  return from.startsWith(".") ? 1 - from.split("../").length / 100 : 0;
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
