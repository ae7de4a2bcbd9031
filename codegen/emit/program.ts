import type { Module, Procedure, Program } from "../model.ts";
import { descriptionName, programName } from "./names.ts";
import { doc, list, SourceFile, WIDTH } from "./source-file.ts";
import type { TypeTable } from "./type-table.ts";
import { type EmitOptions, procedureTypes, TypeWriter } from "./types.ts";

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
  const [makeProcedure, makeEvent] = [file.own("procedure"), file.own("event")];
  if (calls(program).length > 0) {
    file.add(`const ${makeProcedure} = /* @__PURE__ */ ${file.value("proceduresOf", options.runtime)}(program);`);
  }
  if (program.procedures.some(({ msg }) => msg !== null)) {
    file.add(`const ${makeEvent} = /* @__PURE__ */ ${file.value("eventsOf", options.runtime)}(program);`);
  }
  for (const procedure of program.procedures) {
    const { args, ret, msg } = procedureTypes(procedure);
    const { acl, aclfilter, since, sparseflag, fds, priority } = procedure.annotations;
    const stream = streamOf(procedure);
    const facts = [quote(procedure.name), String(procedure.number)];
    const release = since === undefined ? [] : [quote(since)];
    let type: string;
    let payloads: readonly string[];
    let make: string;
    let lines: readonly (readonly string[])[];
    if (procedure.msg !== null) {
      type = file.type("EventProcedure", options.runtime);
      payloads = [writer.payloadType(msg)];
      make = makeEvent;
      lines = [[...facts, strings(aclfilter)], writer.payloadCodec(msg), release];
    } else {
      const more = [
        ...(aclfilter.length === 0 ? [] : [`aclFilter: ${strings(aclfilter)}`]),
        ...(stream === undefined ? [] : [`stream: "${stream}"`]),
        ...(sparseflag === undefined ? [] : [`sparseFlag: ${quote(sparseflag)}`]),
        ...(fds === undefined ? [] : [`fds: "${fds}"`]),
      ];
      type = file.type(stream === undefined ? "Procedure" : "StreamProcedure", options.runtime);
      payloads = [writer.payloadType(args), writer.payloadType(ret)];
      make = makeProcedure;
      lines = [
        [...facts, quote(priority ?? "low"), strings(acl)],
        writer.payloadCodec(args),
        writer.payloadCodec(ret),
        more.length === 0 ? release : [release[0] ?? "undefined", `{ ${more.join(", ")} }`],
      ];
    }
    file.add(
      ...doc(about(procedure)),
      list(`export const ${names.get(procedure)!}: ${type}<`, payloads, `> = /* @__PURE__ */ ${make}(`, 0, true),
      ...rows(lines),
      ");",
    );
  }
  return file.toString();
}

/** `client.ts`: a class with one method a procedure. */
export function emitClient({ program, names, module, table, options }: ProgramContext): string {
  const file = new SourceFile(module.file, [`${programName(program)}Client`, "Stream"]);
  const writer = new TypeWriter(file, table, module, options, typesNamespace(file, options));
  const caller = file.type("Caller", options.runtime);
  const procedures = file.namespace("procedures", "./procedures.js", false);
  const methods = calls(program).flatMap((procedure) => {
    const { args, ret } = procedureTypes(procedure);
    const [a, r] = [writer.payloadType(args), writer.payloadType(ret)];
    const name = names.get(procedure)!;
    const parameters = [
      ...(a === "void" ? [] : [`args: ${a}`]),
      `options?: ${file.type("CallOptions", options.runtime)}`,
    ];
    const streams = streamOf(procedure) !== undefined;
    const result = streams ? `${file.type("StreamReply", options.runtime)}<${r}, Stream>` : r;
    const method = streams ? "open" : "call";
    return [
      "",
      ...doc(about(procedure), "  "),
      `  ${list(`${name}(`, parameters, `): Promise<${result}> {`, 2)}`,
      `    return this.#caller.${method}(${procedures}.${name}, ${a === "void" ? "undefined" : "args"}, options);`,
      "  }",
    ];
  });
  file.add(
    ...doc([
      `The ${program.name} program as a client calls it: a method a procedure, arguments and results as in the .x file.`,
    ]),
    `export class ${programName(program)}Client<Stream = unknown> {`,
    `  readonly #caller: ${caller}<Stream>;`,
    "",
    `  constructor(caller: ${caller}<Stream>) {`,
    "    this.#caller = caller;",
    "  }",
    ...methods,
    "}",
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
export function streamOf({ annotations }: Procedure): "read" | "write" | "both" | undefined {
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
