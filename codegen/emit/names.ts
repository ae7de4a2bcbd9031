import type { Module, Program } from "../model.ts";

/** Words that cannot name a `const` in a module. */
const RESERVED = new Set(
  (
    "arguments await break case catch class const constructor continue debugger default delete do else enum eval export extends " +
    "false finally for function if implements import in instanceof interface let new null package private protected " +
    "public return static super switch then this throw true try typeof undefined var void while with yield"
  ).split(" "),
);

/** Global types that a generated type must not hide: readers expect the global one. */
const GLOBAL_TYPES = new Set(
  (
    "Array ArrayBuffer BigInt Boolean Buffer DataView Date Error Function Infinity Iterator JSON Map Math NaN Number " +
    "Object Promise Proxy Record Reflect RegExp Set String Symbol Uint8Array WeakMap WeakSet " +
    // names that generated modules import
    "Caller CallOptions EventProcedure Handler Procedure ProgramDescription ProgramId StreamProcedure StreamReply " +
    "OpenEnum XdrReader XdrWriter"
  ).split(" "),
);

/** `cookie_in` and `COOKIE_IN` become `cookieIn`; `nrVirtCpu` stays. */
export function camelCase(name: string): string {
  const pascal = pascalCase(name);
  return pascal.charAt(0).toLowerCase() + pascal.slice(1);
}

/** `remote_auth_type` and `AUTH_TYPE` become `RemoteAuthType` and `AuthType`; `virNetMessageError` loses no hump. */
export function pascalCase(name: string): string {
  const shouting = name === name.toUpperCase();
  const words = name.split("_").filter((word) => word !== "");
  const joined = words
    .map((word) => word.charAt(0).toUpperCase() + (shouting ? word.slice(1).toLowerCase() : word.slice(1)))
    .join("");
  return /^[0-9]/.test(joined) || joined === "" ? `_${joined}` : joined;
}

/** The name of the descriptor, client method and handler of a procedure. */
export function procedureName(name: string): string {
  const camel = camelCase(name);
  return RESERVED.has(camel) ? `${camel}_` : camel;
}

/** `REMOTE` becomes `Remote`: what `Client`, `Handlers` are appended to. */
export function programName(program: Program): string {
  return pascalCase(program.name);
}

/**
 * The TypeScript names of a module's types, by `.x` name. The program's prefix goes (`remote_domain` becomes
 * `Domain`) unless the rest would hide a global (`remote_error` stays `RemoteError`) or meet another name.
 */
export function typeNames(module: Module): Map<string, string> {
  const prefixes = module.programs.map((program) => program.name.replaceAll("_", "").toLowerCase());
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const choose = (xName: string, candidates: readonly string[]): void => {
    let name = candidates.find((candidate) => !taken.has(candidate)) ?? pascalCase(xName);
    while (taken.has(name)) name += "_";
    taken.add(name);
    names.set(xName, name);
  };
  for (const definition of module.definitions) {
    const full = pascalCase(definition.name);
    const prefix = prefixes.find((p) => full.toLowerCase().startsWith(p) && full.length > p.length);
    const short = prefix === undefined ? full : pascalCase(full.slice(prefix.length));
    const usable = !GLOBAL_TYPES.has(short) && !short.startsWith("_");
    choose(definition.name, usable ? [short, full] : GLOBAL_TYPES.has(full) ? [`${full}_`] : [full]);
  }
  return names;
}
