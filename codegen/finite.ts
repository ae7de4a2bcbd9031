/** Whether values of the types can be finite: what a decoder by recursion and a loop over elements may rely on. */

import type { Report } from "./diagnostics.ts";
import type { Definition, Field, Type } from "./model.ts";

/** How deep types may nest in types. Emitters, codecs and readers of either go down by recursion. */
const MAX_DEPTH = 200;

/**
 * Reports each type that contains itself with no pointer or variable array on the way, each typedef that goes round through typedefs
 * only, each type that nests too deep, and each array whose elements take no bytes (its length would cost its sender nothing).
 * Walks with a stack of its own, since a chain of types may be as long as the file.
 *
 * @param definitions this file's
 * @param byName these and the imported ones
 */
export function checkFinite(
  definitions: readonly Definition[],
  byName: ReadonlyMap<string, Definition>,
  report: Report,
): void {
  const circular = new Set<string>();
  const cycle = (why: string) => (to: string, from: readonly string[]) => {
    if (circular.has(to)) return;
    const path = from.slice(from.indexOf(to));
    for (const name of path) circular.add(name);
    const first = byName.get(path[0]!)!;
    const shown = path.length > 8 ? [...path.slice(0, 7), "…"] : path;
    report.error(
      { ...first.at, length: first.name.length },
      `'${first.name}' ${why}: ${[...shown, path[0]].join(" → ")}`,
    );
  };
  const reference = (name: string): readonly string[] => (byName.has(name) ? [name] : []);

  const turned = new Set<string>();
  const typedefs = (name: string): readonly string[] => {
    const definition = byName.get(name);
    return definition?.kind === "typedef"
      ? mentioned(definition.type).filter((to) => byName.get(to)?.kind === "typedef")
      : [];
  };
  const chained = depths(typedefs, byName, report);
  for (const { name } of definitions) walk(name, turned, typedefs, cycle("is defined by itself"), chained);

  const empty = new Set<string>();
  const visited = new Set<string>();
  const inside = (name: string): readonly string[] =>
    typesOf(byName.get(name)!).flatMap((type) => held(type).flatMap(reference));
  const nested = depths(inside, byName, report);
  const visit = (name: string): void =>
    walk(name, visited, inside, cycle("contains itself without a pointer or a variable array on the way"), (done) => {
      nested(done);
      const definition = byName.get(done)!;
      if (definition.kind !== "struct" && definition.kind !== "typedef") return;
      if (typesOf(definition).every((type) => isEmpty(type, empty))) empty.add(done);
    });
  for (const { name } of definitions) visit(name);

  for (const definition of definitions) {
    for (const { type, at, name } of membersOf(definition)) {
      if (type.kind !== "array" && type.kind !== "varArray") continue;
      for (const to of mentioned(type)) if (byName.has(to)) visit(to);
      if (isEmpty(type.element, empty))
        report.error({ ...at, length: name.length }, `the elements of '${name}' take no bytes on the wire`);
    }
  }
}

/** Takes names, the innermost first, and reports the first on each way that lies too deep. */
function depths(
  edges: (name: string) => readonly string[],
  byName: ReadonlyMap<string, Definition>,
  report: Report,
): (name: string) => void {
  const depth = new Map<string, number>();
  return (name) => {
    const deepest = edges(name).reduce((most, to) => Math.max(most, depth.get(to) ?? 0), 0);
    depth.set(name, deepest + 1);
    const { at } = byName.get(name)!;
    if (deepest === MAX_DEPTH && at.file === report.source.file)
      report.error({ ...at, length: name.length }, `'${name}' nests deeper than ${MAX_DEPTH} types`);
  };
}

/** Depth first, the innermost done first. `onCycle` gets the name that comes again, and the way to it from the root. */
function walk(
  root: string,
  visited: Set<string>,
  edges: (name: string) => readonly string[],
  onCycle: (to: string, path: readonly string[]) => void,
  onDone: (name: string) => void,
): void {
  if (visited.has(root)) return;
  visited.add(root);
  const open = new Map<string, Iterator<string>>([[root, edges(root)[Symbol.iterator]()]]);
  const path = [root];
  while (path.length > 0) {
    const name = path.at(-1)!;
    const { value: to, done } = open.get(name)!.next();
    if (done) {
      open.delete(name);
      path.pop();
      onDone(name);
    } else if (open.has(to)) {
      onCycle(to, path);
    } else if (!visited.has(to)) {
      visited.add(to);
      open.set(to, edges(to)[Symbol.iterator]());
      path.push(to);
    }
  }
}

function membersOf(definition: Definition): readonly Pick<Field, "name" | "type" | "at">[] {
  switch (definition.kind) {
    case "typedef":
      return [definition];
    case "struct":
      return definition.fields;
    case "union": {
      const arms = [...definition.cases, ...(definition.default === undefined ? [] : [definition.default])];
      return [definition.discriminant, ...arms.flatMap(({ field }) => (field === undefined ? [] : [field]))];
    }
    case "enum":
      return [];
  }
}

function typesOf(definition: Definition): readonly Type[] {
  return membersOf(definition).map(({ type }) => type);
}

/** The type whose values lie inside each value of this one, always. */
function held(type: Type): readonly string[] {
  if (type.kind === "ref") return [type.name];
  return type.kind === "array" ? held(type.element) : [];
}

function mentioned(type: Type): readonly string[] {
  if (type.kind === "ref") return [type.name];
  return type.kind === "array" || type.kind === "varArray" || type.kind === "optional" ? mentioned(type.element) : [];
}

function isEmpty(type: Type, empty: ReadonlySet<string>): boolean {
  if (type.kind === "ref") return empty.has(type.name);
  if (type.kind === "opaque") return type.length.value === 0;
  return type.kind === "array" && (type.length.value === 0 || isEmpty(type.element, empty));
}
