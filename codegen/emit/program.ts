import type { Module, Procedure, Program } from "../model.ts";
import { descriptionName, programName } from "./names.ts";
import { doc, list, SourceFile } from "./source-file.ts";
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
  for (const procedure of program.procedures) {
    const { args, ret, msg } = procedureTypes(procedure);
    const { acl, aclfilter, since, sparseflag, fds, priority } = procedure.annotations;
    const stream = streamOf(procedure);
    const common = ["program", `name: "${procedure.name}"`, `number: ${procedure.number}`];
    const release = since === undefined ? [] : [`since: "${since}"`];
    const filter = list("aclFilter: [", aclfilter.map(quote), "],", 2);
    let type: string;
    let parameters: string[];
    let fields: string[];
    if (procedure.msg !== null) {
      type = `${file.type("EventProcedure", options.runtime)}<`;
      parameters = [writer.payloadType(msg)];
      fields = [...common, filter, ...release, writer.payloadCodec("msg", msg)];
    } else {
      const kind = stream === undefined ? "Procedure" : "StreamProcedure";
      type = `${file.type(kind, options.runtime)}<`;
      parameters = [writer.payloadType(args), writer.payloadType(ret)];
      fields = [
        ...common,
        `priority: "${priority ?? "low"}"`,
        list("acl: [", acl.map(quote), "],", 2),
        filter,
        ...release,
        ...(stream === undefined ? [] : [`stream: "${stream}"`]),
        ...(sparseflag === undefined ? [] : [`sparseFlag: "${sparseflag}"`]),
        ...(fds === undefined ? [] : [`fds: "${fds}"`]),
        writer.payloadCodec("args", args),
        writer.payloadCodec("ret", ret),
      ];
    }
    file.add(
      ...doc(about(procedure)),
      list(`export const ${names.get(procedure)!}: ${type}`, parameters, "> = {", 0, true),
      ...fields.map((field) => `  ${field.replace(/,?$/, ",")}`),
      "};",
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
  const description = file.type("ProgramDescription", options.runtime);
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
  const entries = (procedures: readonly Procedure[]): string[] =>
    procedures.map((procedure) => `    ${names.get(procedure)!}: ${p}.${names.get(procedure)!},`);
  const events = program.procedures.filter(({ msg }) => msg !== null);
  file.add(
    ...doc([`The ${program.name} program for a dispatcher.`]),
    `export const ${descriptionName(program)} = {`,
    `  ...${p}.program,`,
    "  procedures: {",
    ...entries(calls(program)),
    "  },",
    ...(events.length === 0 ? ["  events: {},"] : ["  events: {", ...entries(events), "  },"]),
    `} satisfies ${description};`,
  );
  return file.toString();
}

/** Imports the module's types as `t`: hundreds of names one by one would be no list that anybody reads. */
function typesNamespace(file: SourceFile, options: EmitOptions, type = true): string {
  return file.namespace("t", `${options.up || "./"}types.js`, type);
}

function calls(program: Program): readonly Procedure[] {
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
