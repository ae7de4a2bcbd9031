import type { Definition, Module, NumberRef, Procedure, Type } from "../model.ts";
import { typeNames } from "./names.ts";

/** A definition, the module it stands in and the name it gets. */
export interface Entry {
  readonly definition: Definition;
  readonly module: Module;
  readonly name: string;
}

/** Everything that emitters look up by name: the types and constants of a module and of what it imports. */
export class TypeTable {
  readonly #entries = new Map<string, Entry>();
  readonly #constants = new Map<string, { module: Module; expression: string; base: string }>();
  readonly #inner = new Set<string>();
  readonly #recursive: ReadonlySet<string>;

  constructor(module: Module) {
    const modules = withImports(module);
    for (const each of modules) {
      const names = typeNames(each);
      for (const definition of each.definitions) {
        const name = names.get(definition.name) as string;
        this.#entries.set(definition.name, { definition, module: each, name });
        if (definition.kind !== "enum") continue;
        for (const member of definition.members) {
          this.#constants.set(member.name, { module: each, expression: `${name}.${member.name}`, base: name });
        }
      }
      for (const name of innerTypes(each)) this.#inner.add(name);
      for (const { name } of each.constants) this.#constants.set(name, { module: each, expression: name, base: name });
    }
    this.#recursive = this.#findRecursive();
  }

  entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new Error(`no type ${name}: the checker let it pass`);
    return entry;
  }

  /** How generated code names a number: the expression and what has to be imported for it. */
  constant(ref: NumberRef): { expression: string; import?: { module: Module; name: string } } {
    const found = ref.name === undefined ? undefined : this.#constants.get(ref.name);
    if (found === undefined) return { expression: String(ref.value) };
    return { expression: found.expression, import: { module: found.module, name: found.base } };
  }

  /** A typedef's target, followed to the end; other types as they are. */
  resolve(type: Type): Type {
    if (type.kind !== "ref") return type;
    const { definition } = this.entry(type.name);
    return definition.kind === "typedef" ? this.resolve(definition.type) : type;
  }

  /** Whether the type occurs inside another one: its codec then names the field in errors. */
  isInner(name: string): boolean {
    return this.#inner.has(name);
  }

  /** Whether a value of the type can contain another value of the same type. */
  isRecursive(name: string): boolean {
    return this.#recursive.has(name);
  }

  /** The least number of bytes that a value of the type takes on the wire. */
  leastBytes(type: Type): number {
    switch (type.kind) {
      case "void":
        return 0;
      case "hyper":
      case "uhyper":
      case "double":
        return 8;
      case "quadruple":
        return 16;
      case "opaque":
        return Math.ceil(type.length.value / 4) * 4;
      case "array":
        return type.length.value * this.leastBytes(type.element);
      case "ref":
        return this.#leastOfDefinition(this.entry(type.name).definition);
      default:
        return 4;
    }
  }

  readonly #least = new Map<string, number>();

  #leastOfDefinition(definition: Definition): number {
    const known = this.#least.get(definition.name);
    if (known !== undefined) return known;
    this.#least.set(definition.name, 4); // a cycle comes back here only by way of a presence word or a count
    const least = this.#computeLeast(definition);
    this.#least.set(definition.name, least);
    return least;
  }

  #computeLeast(definition: Definition): number {
    switch (definition.kind) {
      case "enum":
        return 4;
      case "typedef":
        return this.leastBytes(definition.type);
      case "struct":
        return definition.fields.reduce((sum, { type }) => sum + this.leastBytes(type), 0);
      case "union": {
        const arms = definition.cases.map(({ field }) => (field ? this.leastBytes(field.type) : 0));
        if (definition.default)
          arms.push(definition.default.field ? this.leastBytes(definition.default.field.type) : 0);
        return 4 + arms.reduce((least, arm) => Math.min(least, arm), arms[0] ?? 0);
      }
    }
  }

  /** Types on a cycle of references (Tarjan would find whole components; the few types here allow the plain way). */
  #findRecursive(): Set<string> {
    const edges = new Map<string, Set<string>>();
    for (const [name, { definition }] of this.#entries) edges.set(name, new Set(referencesOf(definition)));
    const recursive = new Set<string>();
    // Only a type that can be reached from a pointer or array to something defined no earlier can close a cycle.
    const order = new Map([...this.#entries.keys()].map((name, i) => [name, i]));
    const closes = [...edges].some(([name, to]) =>
      [...to].some((other) => (order.get(other) ?? 0) >= (order.get(name) ?? 0)),
    );
    if (!closes) return recursive;
    for (const start of edges.keys()) {
      const seen = new Set<string>();
      const stack = [...(edges.get(start) ?? [])];
      for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
        if (next === start) {
          recursive.add(start);
          break;
        }
        if (seen.has(next)) continue;
        seen.add(next);
        stack.push(...(edges.get(next) ?? []));
      }
    }
    return recursive;
  }
}

/** The module and all it imports, imported ones first. */
function withImports(module: Module): Module[] {
  const all = new Set<Module>();
  const visit = (each: Module): void => {
    if (all.has(each)) return;
    for (const imported of each.imports) visit(imported);
    all.add(each);
  };
  visit(module);
  return [...all];
}

/**
 * The types of a module but those that are only ever a procedure's arguments, result or message. What other modules do
 * with them does not count, so that a module's code does not depend on who imports it.
 */
function innerTypes({ programs, definitions }: Module): string[] {
  const referenced = new Set(definitions.flatMap(referencesOf));
  const outer = new Set(
    programs.flatMap(({ procedures }) => procedures.flatMap(typesOf)).flatMap((type) => namesIn(type)),
  );
  return definitions.map(({ name }) => name).filter((name) => referenced.has(name) || !outer.has(name));
}

function typesOf({ args, ret, msg }: Procedure): Type[] {
  return [...args, ...(ret ? [ret] : []), ...(msg ? [msg] : [])];
}

function referencesOf(definition: Definition): string[] {
  const types: Type[] = [];
  switch (definition.kind) {
    case "typedef":
      types.push(definition.type);
      break;
    case "struct":
      types.push(...definition.fields.map(({ type }) => type));
      break;
    case "union":
      types.push(definition.discriminant.type);
      for (const arm of [...definition.cases, ...(definition.default ? [definition.default] : [])]) {
        if (arm.field) types.push(arm.field.type);
      }
  }
  return types.flatMap(namesIn);
}

function namesIn(type: Type): string[] {
  if (type.kind === "ref") return [type.name];
  return "element" in type ? namesIn(type.element) : [];
}
