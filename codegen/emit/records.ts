import type { Field, Procedure, Type } from "../model.ts";
import { camelCase, Names, typeNames } from "./names.ts";
import { calls, type ProgramContext, streamOf, typesNamespace } from "./program.ts";
import { doc, list, SourceFile } from "./source-file.ts";
import type { TypeTable } from "./type-table.ts";
import { procedureTypes, TypeWriter } from "./types.ts";

/** An array that may have so many elements is worth decoding one by one. */
const MANY = 1024;

/** Types that are read by one method of the reader, whatever the bytes say. */
const SCALARS = new Set<Type["kind"]>(
  "int uint hyper uhyper float double bool char uchar short ushort".split(" ") as Type["kind"][],
);

interface LongReply {
  readonly procedure: Procedure;
  readonly array: Field & { readonly type: Type & { readonly kind: "varArray" } };
  readonly before: readonly Field[];
  readonly after: readonly Field[];
}

/** `records.ts`: the procedures whose reply is one long array, once more, for those who iterate. Undefined where there are none. */
export function emitRecords({ program, names, module, table, options }: ProgramContext): string | undefined {
  const long = calls(program).flatMap((procedure) => longReply(procedure, table) ?? []);
  if (long.length === 0) return undefined;
  const types = [...typeNames(module).values()].flatMap((type) => [type, `encode${type}`, `decode${type}`]);
  const taken = new Names([...names.values(), ...types, ...module.constants.map(({ name }) => name)]);
  const own = new Map(long.map(({ procedure }) => [procedure, taken.free(`${names.get(procedure)!}Records`)]));
  const file = new SourceFile(module.file, own.values());
  const writer = new TypeWriter(file, table, module, options, typesNamespace(file, options, false));
  const p = file.namespace("p", "./procedures.js", false);
  const make = file.value("recordsOf", options.runtime);
  for (const { procedure, array, before, after } of long) {
    const { args, ret } = procedureTypes(procedure);
    const element = table.resolve(array.type.element) as Type & { kind: "ref" };
    const field = JSON.stringify(camelCase(array.name));
    const result = `${file.type("WithRecords", options.runtime)}<${writer.payloadType(ret)}, ${field}>`;
    const scalars = (label: string, fields: readonly Field[]): string[] => {
      if (fields.length === 0) return [];
      const items = fields.map(({ name, type }) => {
        const key = camelCase(name);
        return `${key}: (r) => ${writer.decode(type, JSON.stringify(key))}`;
      });
      return [list(`${label}: {`, items, "}", 2)];
    };
    const layout = [
      `max: ${writer.number(array.type.max)}`,
      `least: ${table.leastBytes(element)}`,
      `decode: ${writer.codec("decode", element.name)}`,
      ...scalars("before", before),
      ...scalars("after", after),
    ];
    const type = file.type("Procedure", options.runtime);
    file.add(
      ...doc([`${procedure.name}, with \`${camelCase(array.name)}\` decoded one by one.`]),
      list(
        `export const ${own.get(procedure)!}: ${type}<`,
        [writer.payloadType(args), result],
        `> = /* @__PURE__ */ ${make}(`,
        0,
        true,
      ),
      `  ${p}.${names.get(procedure)!},`,
      `  ${field},`,
      `  ${list("{", layout, "},", 2)}`,
      ");",
    );
  }
  return file.toString();
}

/** A result that is one array of many structs and some scalars around it. */
function longReply(procedure: Procedure, table: TypeTable): LongReply | undefined {
  if (procedure.ret?.kind !== "ref" || streamOf(procedure) !== undefined) return undefined;
  const resolved = table.resolve(procedure.ret);
  if (resolved.kind !== "ref") return undefined;
  const { definition } = table.entry(resolved.name);
  if (definition.kind !== "struct") return undefined;
  const fields = definition.fields
    .filter(({ type }) => type.kind !== "void")
    .map((field) => ({ ...field, type: table.resolve(field.type) }));
  const at = fields.findIndex(({ type }) => !SCALARS.has(type.kind));
  const array = fields[at];
  const rest = fields.filter((_, i) => i !== at);
  if (array?.type.kind !== "varArray" || rest.some(({ type }) => !SCALARS.has(type.kind))) return undefined;
  const element = table.resolve(array.type.element);
  if (element.kind !== "ref" || table.entry(element.name).definition.kind === "enum") return undefined;
  if (array.type.max.value < MANY) return undefined;
  return {
    procedure,
    array: { ...array, type: array.type },
    before: fields.slice(0, at),
    after: fields.slice(at + 1),
  };
}
