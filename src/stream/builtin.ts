interface Builtins {
  readonly "node:stream": typeof import("node:stream");
  readonly "node:util": typeof import("node:util");
}

/** A built-in module of Node, without an import that a browser would stumble over. @throws {TypeError} elsewhere */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => object | undefined } };
  const found = process?.getBuiltinModule?.(name);
  if (found === undefined) throw new TypeError(`${name} is Node's, and this is not Node`);
  return found as Builtins[Name];
}
