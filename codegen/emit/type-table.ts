import type { Definition, Module, NumberRef, Procedure, Type } from "../model.ts";
import { constantName, memberName, typeNames, visible } from "./names.ts";

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
  readonly #enumerators = new Map<string, { module: Module; expression: string; base: string }>();
  readonly #inner = new Set<string>();
  readonly #recursive: ReadonlySet<string>;

  constructor(module: Module) {
    for (const each of visible(module)) {
      const names = typeNames(each);
      for (const definition of each.definitions) {
        const name = names.get(definition.name) as string;
        this.#entries.set(definition.name, { definition, module: each, name });
        if (definition.kind !== "enum") continue;
        for (const member of definition.members) {
          this.#enumerators.set(member.name, { module: each, expression: `${name}.${member.name}`, base: name });
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

  /** How generated code names a number: the expression and what has to be imported for it. The reference has the `.x` file's name. */
  constant(ref: NumberRef): { expression: string; import?: { module: Module; name: string } } {
    const name = ref.name ?? "";
    const found = this.#enumerators.get(memberName(name)) ?? this.#constants.get(constantName(name));
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

  /** Types on a cycle of references: Tarjan's strongly connected components, with a stack of its own. */
  #findRecursive(): Set<string> {
    const edges = new Map([...this.#entries].map(([name, { definition }]) => [name, referencesOf(definition)]));
    const recursive = new Set<string>();
    const order = new Map<string, number>();
    const low = new Map<string, number>();
    const component: string[] = [];
    const closed = new Set<string>();
    const open = (name: string): { name: string; rest: Iterator<string> } => {
      low.set(name, order.size);
      order.set(name, order.size);
      component.push(name);
      return { name, rest: edges.get(name)![Symbol.iterator]() };
    };
    for (const root of edges.keys()) {
      if (order.has(root)) continue;
      const path = [open(root)];
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const { name } = top;
        const { value: to, done } = top.rest.next();
        if (!done) {
          if (to === name) recursive.add(name);
          if (!order.has(to)) path.push(open(to));
          else if (!closed.has(to)) low.set(name, Math.min(low.get(name)!, order.get(to)!));
          continue;
        }
        path.pop();
        const below = path.at(-1);
        if (below !== undefined) low.set(below.name, Math.min(low.get(below.name)!, low.get(name)!));
        if (low.get(name) !== order.get(name)) continue;
        const members = component.splice(component.lastIndexOf(name));
        for (const member of members) {
          closed.add(member);
          if (members.length > 1) recursive.add(member);
        }
      }
    }
    return recursive;
  }
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
