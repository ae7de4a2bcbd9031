import type { Module, Procedure, Program } from "../model.ts";

/** Words that cannot name a `const` in a module. */
const RESERVED = new Set(
  (
    "arguments await break case catch class const constructor continue debugger default delete do else enum eval export extends " +
    "false finally for function if implements import in instanceof interface let new null package private protected " +
    "public return static super switch then this throw true try typeof undefined var void while with yield"
  ).split(" "),
);

/** Names of types that a generated one must not take. */
const TAKEN_TYPES = new Set(
  // global: readers expect that one
  (
    "Array ArrayBuffer BigInt Boolean Buffer DataView Date Error Function Infinity Iterator JSON Map Math NaN Number " +
    "Object Promise Proxy Record Reflect RegExp Set String Symbol Uint8Array WeakMap WeakSet " +
    // what generated modules import
    "Caller CallOptions EventProcedure Handler Procedure ProgramDescription ProgramId StreamProcedure StreamReply " +
    "OpenEnum XdrReader XdrWriter " +
    // the runtime has encodeInt and so on for these
    "Bool Char Double Float Hyper Int Short Uchar Uhyper Uint Ushort"
  ).split(" "),
);

/** Also what would meet the functions for arrays of types: `encodeEachPoint`. */
function isTaken(type: string): boolean {
  return TAKEN_TYPES.has(type) || /^Each[A-Z0-9_]/.test(type);
}

/** What code in `types.ts` may call something else. */
const TAKEN_VALUES = new Set("Infinity NaN at error i r tag undefined v w".split(" "));

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

/** What a constant of the `.x` file is called: its own name, unless that cannot be. Two names stay two. */
export function constantName(name: string): string {
  if (/^_*(encode|decode|in[A-Z])/.test(name)) return `_${name}`; // functions begin so
  const bare = name.replace(/_+$/, "");
  return RESERVED.has(bare) || TAKEN_VALUES.has(bare) ? `${name}_` : name;
}

/** An enumerator is a key of an object, and one key is none. */
export function memberName(name: string): string {
  return /^__proto___*$/.test(name) ? `${name}_` : name;
}

/**
 * A module as the emitters want it: constants and enumerators have names that TypeScript can take, and the fields of a struct stay
 * apart when they become camelCase.
 */
export function writable(module: Module): Module {
  const known = writables.get(module);
  if (known !== undefined) return known;
  const made: Module = {
    ...module,
    imports: module.imports.map(writable),
    constants: module.constants.map((constant) => ({ ...constant, name: constantName(constant.name) })),
    definitions: module.definitions.map((definition) => {
      if (definition.kind === "enum") {
        return { ...definition, members: definition.members.map((each) => ({ ...each, name: memberName(each.name) })) };
      }
      if (definition.kind !== "struct") return definition;
      const names = new Names();
      const fields = definition.fields.map((field) => {
        const camel = camelCase(field.name);
        const name = names.free(camel);
        return name === camel ? field : { ...field, name };
      });
      return { ...definition, fields };
    }),
  };
  writables.set(module, made);
  return made;
}
const writables = new WeakMap<Module, Module>();

/** Names that are taken. */
export class Names {
  readonly #taken: Set<string>;
  /** Where counting goes on, so that many names alike do not cost the square of their number. */
  readonly #next = new Map<string, number>();

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** `name`, or with the first number behind it that makes it new; it is taken then. */
  free(name: string): string {
    let free = name;
    for (let count = this.#next.get(name) ?? 2; this.#taken.has(free); count += 1) {
      free = `${name}${count}`;
      this.#next.set(name, count + 1);
    }
    this.#taken.add(free);
    return free;
  }
}

/** The names of the descriptors, client methods and handlers of a program's procedures. */
export function procedureNames(program: Program, module: Module): ReadonlyMap<Procedure, string> {
  const name = programName(program);
  // They leave by one index.ts with the types, the client and the handlers.
  const types = [...typeNames(module).values()].flatMap((type) => [type, `encode${type}`, `decode${type}`]);
  const names = new Names([
    ...["program", "types", `${name}Client`, `${name}Handlers`, descriptionName(program)],
    ...types,
    ...module.constants.map((constant) => constant.name),
  ]);
  return new Map(
    program.procedures.map((procedure) => {
      const camel = camelCase(procedure.name);
      return [procedure, names.free(RESERVED.has(camel) ? `${camel}_` : camel)];
    }),
  );
}

/** `REMOTE` becomes `Remote`: what `Client`, `Handlers` are appended to. */
export function programName(program: Program): string {
  return pascalCase(program.name);
}

export function descriptionName(program: Program): string {
  return `${camelCase(program.name)}Description`;
}

/**
 * The TypeScript names of a module's types, by `.x` name. The program's prefix goes (`remote_domain` becomes
 * `Domain`) unless the rest would hide a global (`remote_error` stays `RemoteError`) or meet another name.
 */
export function typeNames(module: Module): ReadonlyMap<string, string> {
  const known = typeNamesOf.get(module);
  if (known !== undefined) return known;
  const prefixes = new Set(module.programs.map((program) => program.name.replaceAll("_", "").toLowerCase()));
  const programs = module.programs.map(programName).flatMap((name) => [`${name}Client`, `${name}Handlers`]);
  const imported = [...visible(module)].flatMap((each) => (each === module ? [] : [...typeNames(each).values()]));
  const taken = new Names([...imported, ...programs, ...module.constants.map(({ name }) => name)]);
  const names = new Map<string, string>();
  for (const { name } of module.definitions) {
    const full = pascalCase(name);
    const candidates = [shortened(full, prefixes), full].filter((each) => !isTaken(each));
    names.set(name, taken.free(candidates.find((each) => !taken.has(each)) ?? (isTaken(full) ? `${full}_` : full)));
  }
  typeNamesOf.set(module, names);
  return names;
}
const typeNamesOf = new WeakMap<Module, ReadonlyMap<string, string>>();

/** Without the prefix that is a program's name, where something that can begin a name is left. */
function shortened(full: string, prefixes: ReadonlySet<string>): string {
  const lower = full.toLowerCase();
  for (let length = 1; length < full.length; length += 1) {
    if (!prefixes.has(lower.slice(0, length))) continue;
    const short = pascalCase(full.slice(length));
    if (!short.startsWith("_")) return short;
  }
  return full;
}

/** The module and all that it imports, imported ones first. */
export function visible(module: Module, seen = new Set<Module>()): ReadonlySet<Module> {
  if (seen.has(module)) return seen;
  for (const imported of module.imports) visible(imported, seen);
  return seen.add(module);
}
