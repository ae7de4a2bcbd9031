import type { Module, Procedure, Program, Type } from "../model.ts";
import { descriptionName, Names, programName } from "./names.ts";
import { doc, list, SourceFile, WIDTH } from "./source-file.ts";
import type { TypeTable } from "./type-table.ts";
import { type EmitOptions, folderOf, procedureTypes, TypeWriter } from "./types.ts";

/** One program of a module, and what its files need to know. */
export interface ProgramContext {
  readonly program: Program;
  /** What each procedure is called. */
  readonly names: ReadonlyMap<Procedure, string>;
  readonly module: Module;
  readonly table: TypeTable;
  readonly options: EmitOptions;
}

/** `procedures.ts`: each procedure and event as a value. */
export function emitProcedures({ program, names, module, table, options }: ProgramContext): string {
  const file = new SourceFile(module.file, ["program", ...names.values()]);
  const writer = new TypeWriter(file, table, module, options, typesNamespace(file, options, false));
  const id = file.type("ProgramId", options.runtime);
  file.add(
    `export const program: ${id} = { name: "${program.name}", number: 0x${program.number.toString(16)}, version: ${program.version} };`,
  );
  const maker = (kind: string, values: boolean): string => {
    if (!values) return "";
    const of = file.value(`${kind}sOf`, options.runtime);
    const name = local.free(kind);
    file.add(`const ${name} = /* @__PURE__ */ ${of}(program);`);
    return name;
  };
  const local = new Names(["program", "t", ...names.values()]);
  const events = program.procedures.filter(({ msg }) => msg !== null);
  const makeProcedure = maker("procedure", calls(program).length > 0);
  const makeEvent = maker("event", events.length > 0);
  const codec = (types: readonly Type[]): string[] => codecFunctions(types, writer, file, table, options);
  for (const procedure of program.procedures) {
    const { args, ret, msg } = procedureTypes(procedure);
    const { acl, aclfilter, since, sparseflag, fds, priority } = procedure.annotations;
    const stream = streamOf(procedure);
    const facts = [quote(procedure.name), String(procedure.number)];
    const release = since === undefined ? [] : [quote(since)];
    const name = names.get(procedure)!;
    if (procedure.msg !== null) {
      const type = `${file.type("EventProcedure", options.runtime)}<`;
      file.add(
        ...doc(about(procedure)),
        list(`export const ${name}: ${type}`, [writer.payloadType(msg)], `> = /* @__PURE__ */ ${makeEvent}(`, 0, true),
        ...rows([[...facts, strings(aclfilter)], codec(msg), release]),
        ");",
      );
      continue;
    }
    const more = [
      ...(aclfilter.length === 0 ? [] : [`aclFilter: ${strings(aclfilter)}`]),
      ...(stream === undefined ? [] : [`stream: "${stream}"`]),
      ...(sparseflag === undefined ? [] : [`sparseFlag: ${quote(sparseflag)}`]),
      ...(fds === undefined ? [] : [`fds: "${fds}"`]),
    ];
    const rest = more.length === 0 ? release : [release[0] ?? "undefined", `{ ${more.join(", ")} }`];
    const type = file.type(stream === undefined ? "Procedure" : "StreamProcedure", options.runtime);
    const payloads = [writer.payloadType(args), writer.payloadType(ret)];
    file.add(
      ...doc(about(procedure)),
      list(`export const ${name}: ${type}<`, payloads, `> = /* @__PURE__ */ ${makeProcedure}(`, 0, true),
      ...rows([[...facts, quote(priority ?? "low"), strings(acl)], codec(args), codec(ret), rest]),
      ");",
    );
  }
  return file.toString();
}

/** `client.ts`: an interface with one method a procedure, and the class that has them. */
export function emitClient({ program, names, module, table, options }: ProgramContext): string {
  const client = `${programName(program)}Client`;
  const file = new SourceFile(module.file, [client, "Stream"]);
  const writer = new TypeWriter(file, table, module, options, typesNamespace(file, options));
  const caller = file.type("Caller", options.runtime);
  const make = file.value("clientOf", options.runtime);
  const description = file.value(descriptionName(program), "./server.js");
  const streams = calls(program).some((procedure) => streamOf(procedure) !== undefined);
  const methods = calls(program).map((procedure) => {
    const { args, ret } = procedureTypes(procedure);
    const [a, r] = [writer.payloadType(args), writer.payloadType(ret)];
    const parameters = [
      ...(a === "void" ? [] : [`args: ${a}`]),
      `options?: ${file.type("CallOptions", options.runtime)}`,
    ];
    const result = streamOf(procedure) === undefined ? r : `${file.type("StreamReply", options.runtime)}<${r}, Stream>`;
    const method = `  ${list(`${names.get(procedure)!}(`, parameters, `): Promise<${result}>;`, 2)}`;
    return [...doc(about(procedure), "  "), method].join("\n");
  });
  file.add(
    ...doc([
      `The ${program.name} program as a client calls it: a method a procedure, arguments and results as in the .x file.`,
    ]),
    `export interface ${client}<${streams ? "Stream" : "_Stream"} = unknown> {`,
    ...methods,
    "}",
    list(`export const ${client}: new <Stream = unknown>(`, [`caller: ${caller}<Stream>`], `) => ${client}<Stream> =`),
    `  /* @__PURE__ */ ${make}(${description});`,
  );
  return file.toString();
}

/** `server.ts`: the handlers that a server may have, and the program's description for a dispatcher. */
export function emitServer({ program, names, module, table, options }: ProgramContext): string {
  const file = new SourceFile(module.file, [`${programName(program)}Handlers`, "Context"]);
  const writer = new TypeWriter(file, table, module, options, typesNamespace(file, options));
  const handler = file.type("Handler", options.runtime);
  const p = file.namespace("p", "./procedures.js", false);
  const name = programName(program);
  file.add(
    ...doc([`Handlers of the ${program.name} program; what is left out is answered as not supported.`]),
    `export interface ${name}Handlers<Context> {`,
    ...calls(program).flatMap((procedure) => {
      const { args, ret } = procedureTypes(procedure);
      const types = [writer.payloadType(args), writer.payloadType(ret), "Context"];
      return [
        ...doc(about(procedure), "  "),
        `  ${list(`readonly ${names.get(procedure)!}?: ${handler}<`, types, ">;", 2, true)}`,
      ];
    }),
    "}",
  );
  const describe = file.value("describeProgram", options.runtime);
  const events = program.procedures.filter(({ msg }) => msg !== null);
  const entries = (procedures: readonly Procedure[]): string[] =>
    procedures.length === 0
      ? ["  () => ({}),"]
      : [
          "  () => ({",
          ...procedures.map((procedure) => `    ${names.get(procedure)!}: ${p}.${names.get(procedure)!},`),
          "  }),",
        ];
  file.add(
    ...doc([`The ${program.name} program for a dispatcher: its procedures and its events.`]),
    `export const ${descriptionName(program)} = /* @__PURE__ */ ${describe}(`,
    `  ${p}.program,`,
    ...entries(calls(program)),
    ...entries(events),
    ");",
  );
  return file.toString();
}

/** The two functions that write and read a payload: a type's own where there is one. */
function codecFunctions(
  types: readonly Type[],
  writer: TypeWriter,
  file: SourceFile,
  table: TypeTable,
  options: EmitOptions,
): string[] {
  const real = types.filter(({ kind }) => kind !== "void");
  const [first] = real;
  if (first === undefined) {
    return [file.value("encodeVoid", options.runtime), file.value("decodeVoid", options.runtime)];
  }
  if (real.length === 1 && first.kind === "ref") {
    const { name, module } = table.entry(first.name);
    const functions = [`encode${name}`, `decode${name}`];
    if (module === table.module) return functions.map((each) => `${typesNamespace(file, options, false)}.${each}`);
    return functions.map((each) => file.value(each, `${options.up ?? ""}../${folderOf(module)}/types.js`));
  }
  const several = real.length > 1;
  const at = (i: number): string | undefined => (several ? `"[${i}]"` : undefined);
  const encode = real.flatMap((type, i) => writer.encode(type, several ? `v[${i}]` : "v", at(i))).join(" ");
  const decode = real.map((type, i) => writer.decode(type, at(i))).join(", ");
  return [`(w, v) => { ${encode} }`, `(r) => ${several ? `[${decode}]` : decode}`];
}

/** Arguments in groups, a line each; a group that is too long for one gets a line an argument. */
function rows(groups: readonly (readonly string[])[]): string[] {
  return groups.flatMap((items) => {
    if (items.length === 0) return [];
    const line = `  ${items.join(", ")},`;
    return line.length <= WIDTH ? [line] : items.map((item) => `  ${item},`);
  });
}

function strings(items: readonly string[]): string {
  return `[${items.map(quote).join(", ")}]`;
}

/** Imports the module's types as `t`: hundreds of names one by one would be no list that anybody reads. */
export function typesNamespace(file: SourceFile, options: EmitOptions, type = true): string {
  return file.namespace("t", `${options.up || "./"}types.js`, type);
}

export function calls(program: Program): readonly Procedure[] {
  return program.procedures.filter(({ msg }) => msg === null);
}

/** Ours says it outright; libvirt's says which side transmits. */
function streamOf({ annotations }: Procedure): "read" | "write" | "both" | undefined {
  if (annotations.stream !== undefined) return annotations.stream;
  if (annotations.readstream !== undefined) return annotations.writestream === undefined ? "read" : "both";
  return annotations.writestream === undefined ? undefined : "write";
}

function about(procedure: Procedure): string[] {
  const { acl, aclfilter, since, fds, priority } = procedure.annotations;
  const stream = streamOf(procedure);
  const facts = [
    `${procedure.name} = ${procedure.number}`,
    ...(procedure.msg === null ? [`priority ${priority ?? "low"}`] : ["event"]),
    ...(since === undefined ? [] : [`since ${since}`]),
  ];
  const rights = acl.filter((right) => right !== "none");
  return [
    `${facts.join(", ")}.`,
    ...(rights.length === 0 ? [] : [`Rights: ${rights.join(", ")}.`]),
    ...(aclfilter.length === 0
      ? []
      : [`${procedure.msg === null ? "Results" : "Receivers"} filtered by: ${aclfilter.join(", ")}.`]),
    ...(stream === undefined ? [] : [`Opens a stream (${stream}).`]),
    ...(fds === undefined ? [] : [`Carries file descriptors (${fds}).`]),
  ];
}

function quote(text: string): string {
  return JSON.stringify(text);
}
