/** From prototypes and `.x` files to classes with methods: everything that the emitter prints is decided here. */

import { CodegenError } from "../diagnostics.ts";
import { camelCase, procedureNames, typeNames, visible, writable } from "../emit/names.ts";
import type { Definition, Field, Module, Procedure, Struct, Type } from "../model.ts";
import { connection, type Kind, kindOf, kinds, methodName } from "./names.ts";
import type { ApiFile, ApiFunction, ApiParameter, TypedField } from "./prototypes.ts";

/** A parameter of a method. */
export interface MethodParameter {
  readonly name: string;
  readonly type: string;
  /** The value that it has where the caller leaves it out. */
  readonly initial?: string;
  /** For the docstring. */
  readonly about?: string;
}

/** A member of a procedure's argument struct, and the expression that it is sent as. */
export interface Argument {
  readonly member: string;
  readonly value: string;
}

/** What a method resolves with, and how it is made of the reply. */
export type Result =
  | { readonly kind: "nothing" }
  /** The reply as it is. */
  | { readonly kind: "whole"; readonly type: string }
  /** One member of the reply. */
  | { readonly kind: "member"; readonly type: string; readonly member: string; readonly convert: Convert | undefined }
  /** An object of some members. */
  | { readonly kind: "members"; readonly members: readonly ResultMember[] };

export interface ResultMember {
  /** In the reply. */
  readonly member: string;
  readonly name: string;
  readonly type: string;
  readonly convert: Convert | undefined;
}

/** An expression made of another one. */
export type Convert = (value: string) => string;

export interface Method {
  readonly fn: ApiFunction;
  readonly name: string;
  readonly parameters: readonly MethodParameter[];
  /** Whether the objects that it returns need the connection's own type. */
  readonly makes: boolean;
  readonly body: Body;
}

export type Body =
  /** One call; two where the first one asks for the number of parameters. */
  | {
      readonly kind: "call";
      readonly procedure: Procedure;
      /** `remote.domainGetInfo` */
      readonly descriptor: string;
      readonly arguments: readonly Argument[] | undefined;
      readonly sized: boolean;
      readonly stream: boolean;
      readonly result: Result;
    }
  /** Calls a method of the same class, `…ByUUID` for `…ByUUIDString`. */
  | { readonly kind: "same"; readonly method: string; readonly type: string }
  /** Cannot be done without native code. */
  | { readonly kind: "descriptors"; readonly procedure: Procedure };

export interface ApiClass {
  readonly kind: Kind;
  readonly methods: readonly Method[];
}

/** A function with its place in the API, for the coverage table. */
export interface Placed {
  readonly fn: ApiFunction;
  /** The class and the method, where a class has one, generated or not. */
  readonly place?: { readonly kind: Kind; readonly method: string };
}

export interface Api {
  readonly classes: readonly ApiClass[];
  readonly functions: readonly Placed[];
  readonly fields: readonly TypedField[];
}

/** Arguments that say how much room there is for the result. */
const ROOM = new Set(["maxnames", "maxids", "maxuuids", "maxStats", "maxerrors"]);
/** Arguments that say whether a result is wanted at all. */
const WANTED = new Set(["need_results", "need_map", "need_online"]);
/** Members of a reply that say what the length of another one says too. */
const COUNTS = new Set(["ret", "nparams", "nerrors", "num"]);

/** Decides everything. @throws {CodegenError} where a prototype and the structs of its procedure do not fit together */
export function planApi(api: ApiFile, modules: readonly Module[]): Api {
  const programs = new Map(
    modules.flatMap((each) => {
      const module = writable(each);
      return module.programs.map((program) => {
        const descriptors = procedureNames(program, module);
        return [program.name.toLowerCase(), { program, descriptors, types: new Types(module) }] as const;
      });
    }),
  );
  const enumerations = new Map(
    modules.flatMap((module) =>
      module.definitions.flatMap(({ kind, name }) =>
        kind === "enum" ? [[name, typeNames(module).get(name)!] as const] : [],
      ),
    ),
  );
  const constants = new Set(modules.flatMap((module) => module.constants.map(({ name }) => name)));
  const methods = new Map<Kind, Method[]>(kinds.map((kind) => [kind, []]));
  const functions = api.functions.map((fn): Placed => {
    const fail = (message: string): never => {
      const { at, name } = fn;
      throw new CodegenError([
        { severity: "error", message: `${name}: ${message}`, at, length: name.length, excerpt: "" },
      ]);
    };
    const first = fn.parameters[0]?.type;
    // A list of guests is asked about on their connection.
    const kind = first === "virDomainPtr *" ? connection : kindOf(first);
    if (kind === undefined)
      return fn.by === undefined ? fail("no object, and nothing says what stands for it") : { fn };
    const method = methodName(fn.name, fn.returns, kind);
    const place = { kind, method };
    if (fn.by !== undefined) return fn.by === "hand" || fn.by === "client" ? { fn, place } : { fn };
    const add = (parameters: readonly MethodParameter[], makes: boolean, body: Body) =>
      methods.get(kind)!.push({ fn, name: method, parameters, makes, body });
    if (fn.procedure === undefined) {
      if (!fn.name.endsWith("ByUUIDString")) return fail("no procedure, and nothing says what stands for it");
      const made = kindOf(fn.returns) ?? fail(`${fn.returns} is no object`);
      const parameter = {
        name: fn.parameters[1]!.name,
        type: "string",
        about: "32 hexadecimal digits, with or without hyphens",
      };
      add([parameter], kind === connection, { kind: "same", method: method.replace(/String$/, ""), type: made.name });
      return { fn, place };
    }
    const { program: programName, name } = fn.procedure;
    const { program, descriptors, types } = programs.get(programName) ?? fail(`there is no program ${programName}`);
    const procedure = program.procedures.find((each) => each.name === name) ?? fail(`there is no procedure ${name}`);
    const scope: Scope = { types, space: programName, kind, fn, procedure, enumerations, constants, fail };
    const given = givenParameters(scope);
    const parameters = withDefaults(given, fn);
    if (procedure.annotations.fds !== undefined) {
      add(parameters, false, { kind: "descriptors", procedure });
      return { fn, place };
    }
    const reply = types.struct(procedure.ret);
    const result = resultOf(scope, reply);
    const sized =
      reply?.fields.some((field) => field.name === "nparams") === true &&
      fn.parameters.some(({ role, type }) => role === "out" && /^vir\w+Ptr$/.test(type));
    const { annotations } = procedure;
    add(parameters, kind === connection && mentionsObject(result), {
      kind: "call",
      procedure,
      descriptor: `${programName}.${descriptors.get(procedure)!}`,
      arguments: argumentsOf(scope, given, reply),
      sized,
      stream: [annotations.stream, annotations.readstream, annotations.writestream].some((each) => each !== undefined),
      result,
    });
    return { fn, place };
  });
  return { classes: kinds.map((kind) => ({ kind, methods: methods.get(kind)! })), functions, fields: api.fields };
}

interface Scope {
  readonly types: Types;
  /** What the program's module is called in generated code: `remote`. */
  readonly space: string;
  readonly kind: Kind;
  readonly fn: ApiFunction;
  readonly procedure: Procedure;
  readonly enumerations: ReadonlyMap<string, string>;
  readonly constants: ReadonlySet<string>;
  readonly fail: (message: string) => never;
}

/** A parameter of the C function that a caller gives, and the member of the arguments that carries it. */
interface Given {
  readonly parameter: ApiParameter;
  readonly field: Field;
  readonly type: string;
  readonly value: string;
  readonly nullable: boolean;
  readonly about: string | undefined;
}

/** The C parameters in their order against the members of the arguments in theirs: what neither hides has to pair up. */
function givenParameters(scope: Scope): readonly Given[] {
  const { fn, types, procedure, kind, fail } = scope;
  const given = fn.parameters.slice(1).filter(({ role, type }) => role === "in" && type !== "virStreamPtr");
  const fields = types.struct(procedure.args[0] ?? null)?.fields ?? [];
  const own = kind === connection ? 0 : 1;
  const open = fields.slice(own).filter(({ name }) => !isHidden(name));
  if (procedure.annotations.fds !== undefined) {
    // The descriptors are no members.
    return given.map((parameter) => ({
      parameter,
      field: open[0]!,
      type: /\*/.test(parameter.type) ? (/char/.test(parameter.type) ? "string" : "readonly number[]") : "number",
      value: "",
      nullable: false,
      about: aboutParameter(scope, parameter),
    }));
  }
  if (given.length !== open.length) {
    fail(
      `parameters ${given.map(({ name }) => name).join(", ")} against members ${open.map(({ name }) => name).join(", ")}`,
    );
  }
  return given.map((parameter, index) => {
    const field = open[index]!;
    if (!alike(parameter.name, field.name) && !RENAMED.has(`${parameter.name} ${field.name}`)) {
      fail(`parameter ${parameter.name} against member ${field.name}`);
    }
    const name = camelCase(parameter.name);
    const { type, value, nullable = false } = scope.types.argument(field.type, name, parameter, fn, fail);
    return { parameter, field, type, value, nullable, about: aboutParameter(scope, parameter) };
  });
}

/** Parameters that have another name in the arguments of some procedure. */
const RENAMED = new Set(["disk path", "start offset", "vcpumap cpumap", "portdev name", "iothread_id iothreads_id"]);

function alike(parameter: string, member: string): boolean {
  const plain = (name: string) => name.replaceAll("_", "").toLowerCase().replace(/desc$/, "");
  return plain(parameter) === plain(member);
}

function isHidden(member: string): boolean {
  return member === "nparams" || ROOM.has(member) || WANTED.has(member);
}

/** What may be left out: `flags`, and before it what may be null, as far as nothing that is required follows. */
function withDefaults(given: readonly Given[], fn: ApiFunction): MethodParameter[] {
  const parameters: MethodParameter[] = [];
  // Null takes away what there was: nobody should mean that by leaving something out.
  const changes = /(Set|Del|Rename|Define)[A-Z]\w*$/.test(fn.name);
  let trailing = true;
  for (const { parameter, type, nullable, about } of given.toReversed()) {
    const flags = parameter.name === "flags";
    const optional = fn.optional.includes(parameter.name);
    trailing &&= flags || (nullable && !changes) || optional;
    const initial = !trailing ? undefined : flags ? "0" : nullable ? "null" : type.startsWith("readonly") ? "[]" : "{}";
    parameters.push({
      name: camelCase(parameter.name),
      type,
      ...(initial === undefined ? {} : { initial }),
      ...(about === undefined ? {} : { about }),
    });
  }
  return parameters.reverse();
}

function aboutParameter({ fn, enumerations, constants, fail }: Scope, { name }: ApiParameter): string | undefined {
  if (fn.fields !== undefined && name === "params") return `fields ${fn.fields}…`;
  const [enumeration, highest] = fn.enums.get(name)?.split("|") ?? [];
  if (enumeration === undefined) return name === "flags" ? "none defined yet" : undefined;
  const known = enumerations.get(enumeration) ?? fail(`there is no enumeration ${enumeration}`);
  if (name !== "flags" && name !== "stats" && name !== "types") return `one of ${known}`;
  if (highest === undefined) return `bits of ${known}`;
  if (!constants.has(highest)) return fail(`there is no constant ${highest}`);
  return `bits of ${known}, and ${highest}`;
}

function argumentsOf(
  { types, procedure, kind, fn, space, fail }: Scope,
  given: readonly Given[],
  reply: Struct | undefined,
): readonly Argument[] | undefined {
  const args = types.struct(procedure.args[0] ?? null);
  if (args === undefined) return undefined;
  return args.fields.map((field, index): Argument => {
    const member = camelCase(field.name);
    if (index === 0 && kind !== connection) {
      const { type } = field;
      if (type.kind === "ref" && type.name === kind.struct) return { member, value: "this.ref" };
      if (field.name === "name") return { member, value: "this.ref.name" };
      return fail(`argument ${field.name} does not say which ${kind.name}`);
    }
    const own = given.find((each) => each.field === field);
    if (own?.parameter.name === "flags") return { member, value: flagsOf(fn) };
    if (own !== undefined) return { member, value: own.value };
    if (WANTED.has(field.name)) return { member, value: "1" };
    if (field.name === "nparams") return { member, value: "" }; // which of two calls it is decides
    const list = reply?.fields.find(({ type }) => type.kind === "varArray")?.type;
    if (list?.kind !== "varArray" || list.max.name === undefined) return fail(`no limit for ${field.name}`);
    return { member, value: `${space}.${list.max.name}` };
  });
}

function flagsOf(fn: ApiFunction): string {
  if (fn.strings) return "asked";
  // What JavaScript makes of the 32nd bit with `|` is negative.
  return fn.enums.get("flags")?.includes("|") === true ? "flags >>> 0" : "flags";
}

function resultOf({ types, procedure, fn, space, fail }: Scope, reply: Struct | undefined): Result {
  if (reply === undefined || fn.returned === "void" || fn.id === "returned") return { kind: "nothing" };
  const list = reply.fields.some(({ type }) => types.isList(type));
  const members = reply.fields.flatMap((field): ResultMember[] => {
    const count = list && COUNTS.has(field.name);
    if (count && (field.name !== "ret" || fn.returned === undefined)) return [];
    const { type, convert } = types.result(field.type, camelCase(field.name));
    const member = camelCase(field.name);
    if (isYesNo(fn, field)) return [{ member, name: member, type: "boolean", convert: (value) => `${value} !== 0` }];
    return [{ member, name: count ? fn.returned! : member, type, convert }];
  });
  const [first] = members;
  if (first === undefined) return fail("nothing of the reply is left");
  if (members.length === 1) {
    return { kind: "member", type: first.type, member: first.member, convert: first.convert };
  }
  const same = members.every(({ member, name, convert }) => name === member && convert === undefined);
  if (same && members.length === reply.fields.length) {
    return { kind: "whole", type: `${space}.${types.nameOf(procedure.ret)}` };
  }
  return { kind: "members", members };
}

/** There is no boolean on the wire: what a function calls `Is…` or `Has…`, and whether something starts by itself. */
function isYesNo(fn: ApiFunction, { name, type }: Field): boolean {
  return type.kind === "int" && (name === "autostart" || /(Is|Has)[A-Z]\w*$/.test(fn.name));
}

function mentionsObject(result: Result): boolean {
  const types =
    result.kind === "member" ? [result.type] : result.kind === "members" ? result.members.map(({ type }) => type) : [];
  return types.some((type) => kinds.some(({ name }) => new RegExp(`\\b${name}\\b`).test(type)));
}

/** The types of a module and of what it imports, as methods take and return them. */
export class Types {
  readonly #definitions: ReadonlyMap<string, Definition>;
  readonly #names: ReadonlyMap<string, string>;

  constructor(module: Module) {
    const modules = [...visible(module)];
    this.#definitions = new Map(
      modules.flatMap((each) => each.definitions.map((definition) => [definition.name, definition] as const)),
    );
    this.#names = new Map(modules.flatMap((each) => [...typeNames(each)].map(([name, type]) => [name, type] as const)));
  }

  struct(type: Type | null): Struct | undefined {
    const found = type?.kind === "ref" ? this.#definitions.get(type.name) : undefined;
    return found?.kind === "struct" ? found : undefined;
  }

  nameOf(type: Type | null): string {
    return type?.kind === "ref" ? this.#names.get(type.name)! : "void";
  }

  isList(type: Type): boolean {
    return type.kind === "varArray" || type.kind === "varOpaque";
  }

  /** Behind typedefs. */
  #resolve(type: Type): Type {
    const found = type.kind === "ref" ? this.#definitions.get(type.name) : undefined;
    return found?.kind === "typedef" ? this.#resolve(found.type) : type;
  }

  /** What a caller gives for an argument, and what is sent. */
  argument(
    type: Type,
    name: string,
    parameter: ApiParameter,
    fn: ApiFunction,
    fail: (message: string) => never,
  ): { type: string; value: string; nullable?: boolean } {
    const object = kindOf(parameter.type);
    if (object !== undefined) return { type: object.name, value: `${name}.ref` };
    if (type.kind === "ref" && type.name === "remote_uuid")
      return { type: "Uint8Array | string", value: `uuidBytes(${name})` };
    const wire = this.#resolve(type);
    switch (wire.kind) {
      case "int":
        if (name === "autostart") return { type: "boolean", value: `${name} ? 1 : 0` };
        return { type: "number", value: name };
      case "uint":
        return { type: "number", value: name };
      case "hyper":
      case "uhyper":
        return { type: "bigint | number", value: `BigInt(${name})` };
      case "string":
        return { type: "string", value: name };
      case "optional": {
        const inner = this.argument(wire.element, name, parameter, fn, fail);
        return { type: `${inner.type} | null`, value: name, nullable: true };
      }
      case "varOpaque":
        return { type: "Uint8Array", value: name };
      case "varArray": {
        if (this.#isNamed(wire.element, "remote_typed_param")) {
          if (fn.fields === undefined) return fail(`@fields is missing for ${name}`);
          return {
            type: "TypedParametersInput",
            value: `typedParameterList(${name}, types.${fieldsName(fn.fields)})`,
          };
        }
        const element = this.argument(wire.element, "each", { ...parameter, type: "" }, fn, fail);
        const value = element.value === "each" ? `[...${name}]` : `${name}.map((each) => ${element.value})`;
        return { type: `readonly ${element.type.includes("|") ? `(${element.type})` : element.type}[]`, value };
      }
      default:
        return fail(`no way to give ${name} as ${wire.kind}`);
    }
  }

  /** What a caller gets for a member of a reply. @param at what errors call it */
  result(type: Type, at = "text"): { type: string; convert: Convert | undefined } {
    const object = type.kind === "ref" ? kinds.find(({ struct }) => struct === type.name) : undefined;
    if (object !== undefined)
      return { type: object.name, convert: (value) => `new ${object.name}(CONNECTION, ${value})` };
    if (type.kind === "ref" && type.name === "remote_uuid") return { type: "Uint8Array", convert: undefined };
    const wire = this.#resolve(type);
    switch (wire.kind) {
      case "int":
      case "uint":
      case "char":
      case "uchar":
      case "short":
      case "ushort":
      case "double":
        return { type: "number", convert: undefined };
      case "hyper":
      case "uhyper":
        return { type: "bigint", convert: undefined };
      case "string":
        return { type: "string", convert: undefined };
      case "opaque":
      case "varOpaque":
        return { type: "Uint8Array", convert: undefined };
      case "optional": {
        const { type, convert } = this.result(wire.element);
        return { type: `${type} | null`, convert: convert && ((value) => `${value} && ${convert(value)}`) };
      }
      case "array":
      case "varArray":
        return this.#list(wire.element, at);
      case "ref":
        return this.#struct(wire.name);
      default:
        throw new Error(`no way to return ${wire.kind}`);
    }
  }

  #list(element: Type, at: string): { type: string; convert: Convert | undefined } {
    if (element.kind === "char") return { type: "string", convert: (value) => `textOfChars(${value}, "${at}")` };
    if (this.#isNamed(element, "remote_typed_param")) {
      return { type: "TypedParameters", convert: (value) => `typedParameters(${value})` };
    }
    const struct = this.struct(element);
    if (struct?.fields.map(({ name }) => name).join() === "field,value") {
      return { type: "Record<string, bigint>", convert: (value) => `namedNumbers(${value})` };
    }
    const { type, convert } = this.result(element);
    const item = kinds.some(({ name }) => name === type) ? "ref" : "each";
    return {
      type: type.includes("|") ? `(${type})[]` : `${type}[]`,
      convert: convert && ((value) => `${value}.map((${item}) => ${literal(convert(item))})`),
    };
  }

  #struct(name: string): { type: string; convert: Convert | undefined } {
    const found = this.#definitions.get(name);
    if (found?.kind === "enum") return { type: "number", convert: undefined };
    if (found?.kind !== "struct") return { type: `remote.${this.#names.get(name)!}`, convert: undefined };
    const fields = found.fields.map((field) => ({
      member: camelCase(field.name),
      ...this.result(field.type, camelCase(field.name)),
    }));
    const changed = fields.filter(({ convert }) => convert !== undefined);
    if (changed.length === 0) return { type: `remote.${this.#names.get(name)!}`, convert: undefined };
    return {
      type: `{ ${fields.map(({ member, type }) => `${member}: ${type}`).join("; ")} }`,
      convert: (value) =>
        `{ ...${value}, ${changed.map(({ member, convert }) => `${member}: ${convert!(`${value}.${member}`)}`).join(", ")} }`,
    };
  }

  #isNamed(type: Type, name: string): boolean {
    return type.kind === "ref" && type.name === name;
  }
}

/** An object literal as the body of an arrow function needs brackets. */
function literal(expression: string): string {
  return expression.startsWith("{") ? `(${expression})` : expression;
}

/** `VIR_DOMAIN_BLKIO_` becomes `DOMAIN_BLKIO_FIELDS`: the table of what such fields are sent as. */
export function fieldsName(prefix: string): string {
  return `${prefix.replace(/^VIR_/, "")}FIELDS`;
}
