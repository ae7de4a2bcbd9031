import type { Definition, Module, NumberRef, Procedure, Program, Type } from "../../codegen/index.ts";

export interface DifferenceOptions {
  /** Ours may have more: what an older upstream file lacks is no difference. */
  readonly older?: boolean;
  /** Constants of C headers. Upstream's files use them, ours define them. */
  readonly externals: Readonly<Record<string, number>>;
}

/** What upstream's file says and ours does not, or otherwise; one line each. Empty: the same protocol. */
export function differences(upstream: Module, ours: Module, options: DifferenceOptions): string[] {
  const found: string[] = [];
  const compare = <T>(kind: string, theirs: Map<string, T>, mine: Map<string, T>, show: (item: T) => string): void => {
    for (const [name, item] of theirs) {
      const other = mine.get(name);
      if (other === undefined) found.push(`${kind} ${name}: missing`);
      else if (show(item) !== show(other)) {
        found.push(`${kind} ${name}:\n  upstream ${show(item)}\n  ours     ${show(other)}`);
      }
    }
    if (options.older) return;
    for (const name of mine.keys()) if (!theirs.has(name)) found.push(`${kind} ${name}: not upstream's`);
  };

  const own = (module: Module): Map<string, number | bigint> =>
    new Map(module.constants.filter((c) => !(c.name in options.externals)).map((c) => [c.name, c.value]));
  compare("constant", own(upstream), own(ours), String);

  const types = (module: Module): Map<string, Definition> => new Map(module.definitions.map((d) => [d.name, d]));
  const theirTypes = types(upstream);
  const ourTypes = types(ours);
  if (options.older) dropNewMembers(theirTypes, ourTypes);
  compare("type", theirTypes, ourTypes, shownDefinition);

  const programs = (module: Module): Map<string, Program> => new Map(module.programs.map((p) => [p.name, p]));
  const theirPrograms = programs(upstream);
  const ourPrograms = programs(ours);
  compare("program", theirPrograms, ourPrograms, (p) => `${p.number} version ${p.version}`);
  for (const [name, program] of theirPrograms) {
    const procedures = (p: Program | undefined): Map<string, Procedure> =>
      new Map((p?.procedures ?? []).map((procedure) => [procedure.name, procedure]));
    compare("procedure", procedures(program), procedures(ourPrograms.get(name)), shownProcedure);
  }
  return found;
}

/** Enumerations grow: of ours only the members count that upstream's has too. */
function dropNewMembers(theirs: Map<string, Definition>, ours: Map<string, Definition>): void {
  for (const [name, definition] of ours) {
    const older = theirs.get(name);
    if (definition.kind !== "enum" || older?.kind !== "enum") continue;
    const known = new Set(older.members.map((m) => m.name));
    ours.set(name, { ...definition, members: definition.members.filter((m) => known.has(m.name)) });
  }
}

/** A limit with its name, since a name says more than its number. */
function shownNumber({ name, value }: NumberRef): string {
  return name === undefined ? String(value) : `${name}=${value}`;
}

function shownType(type: Type): string {
  switch (type.kind) {
    case "opaque":
      return `opaque[${shownNumber(type.length)}]`;
    case "varOpaque":
      return `opaque<${shownNumber(type.max)}>`;
    case "string":
      return `string<${shownNumber(type.max)}>`;
    case "array":
      return `${shownType(type.element)}[${shownNumber(type.length)}]`;
    case "varArray":
      return `${shownType(type.element)}<${shownNumber(type.max)}>`;
    case "optional":
      return `*${shownType(type.element)}`;
    case "ref":
      return type.name;
    default:
      return type.kind;
  }
}

/** Notes on members that upstream's language does not have: ours may say more. */
const ownNotes: ReadonlySet<string> = new Set(["recurring"]);

function shownField(field: { name: string; type: Type; notes: readonly string[] }): string {
  const notes = field.notes.filter((note) => !ownNotes.has(note)).map((note) => `/* ${note} */`);
  return [`${field.name}: ${shownType(field.type)}`, ...notes].join(" ");
}

function shownDefinition(definition: Definition): string {
  switch (definition.kind) {
    case "typedef":
      return `typedef ${shownType(definition.type)}`;
    case "struct":
      return `struct { ${definition.fields.map(shownField).join("; ")} }`;
    case "enum":
      return `enum { ${definition.members.map((m) => `${m.name} = ${m.value}`).join(", ")} }`;
    case "union": {
      const arms = definition.cases.map(
        ({ labels, field }) =>
          `${labels.map(shownNumber).join(", ")}: ${field === undefined ? "void" : shownField(field)}`,
      );
      const rest = definition.default;
      if (rest !== undefined) arms.push(`default: ${rest.field === undefined ? "void" : shownField(rest.field)}`);
      return `union (${shownField(definition.discriminant)}) { ${arms.join("; ")} }`;
    }
  }
}

function shownProcedure(procedure: Procedure): string {
  const { annotations: a } = procedure;
  const type = (t: Type | null): string => (t === null ? "-" : shownType(t));
  // @stream, @fds and @since are ours alone.
  return JSON.stringify({
    number: procedure.number,
    args: procedure.args.map(shownType),
    ret: type(procedure.ret),
    msg: type(procedure.msg),
    generate: a.generate,
    priority: a.priority ?? "low", // said or not, it is the same
    readstream: a.readstream,
    writestream: a.writestream,
    sparseflag: a.sparseflag,
    acl: a.acl,
    aclfilter: a.aclfilter,
  });
}
