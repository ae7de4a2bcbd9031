/** A syntax tree to a {@link Module}: every name is looked up, every limit is a number, and every mistake is reported. */

import { annotationsOf, memberNotes } from "./annotations.ts";
import { quote, type Report, type Span } from "./diagnostics.ts";
import { checkFinite } from "./finite.ts";
import { libvirtPrograms } from "./libvirt.ts";
import {
  type Definition,
  type Enum,
  type Field,
  type Module,
  NO_LIMIT,
  type NumberRef,
  type Primitive,
  type Procedure,
  type Program,
  type Type,
  type Union,
  type UnionCase,
} from "./model.ts";
import { isLost, Scope } from "./scope.ts";
import type {
  AnyBody,
  Declaration,
  Declarator,
  EnumBody,
  Name,
  ProcedureSyntax,
  ProgramSyntax,
  StructBody,
  SyntaxTree,
  TypeSpecifier,
  UnionBody,
  Value,
  VoidDeclaration,
} from "./syntax.ts";

export interface CheckOptions {
  readonly imports: readonly Module[];
  /** Numbers that the file takes from C headers. */
  readonly externals: Readonly<Record<string, number>>;
  /** `<>` is an error. */
  readonly requireLimits: boolean;
}

/** Reports into `report`; the module is good for use only when that holds no error. */
export function check(tree: SyntaxTree, report: Report, options: CheckOptions): Module {
  return new Checker(tree, report, options).module();
}

/** C's names for XDR's types, and rpcgen's own types. A file that defines such a name itself means its own. */
const C_TYPES: ReadonlyMap<string, Primitive> = new Map([
  ["char", "char"],
  ["short", "short"],
  ["long", "int"], // four bytes: rpcgen calls xdr_long
  ["bool_t", "bool"],
  ["u_char", "uchar"],
  ["u_short", "ushort"],
  ["u_int", "uint"],
  ["u_long", "uint"],
  ["int8_t", "char"],
  ["uint8_t", "uchar"],
  ["u_int8_t", "uchar"],
  ["int16_t", "short"],
  ["uint16_t", "ushort"],
  ["u_int16_t", "ushort"],
  ["int32_t", "int"],
  ["uint32_t", "uint"],
  ["u_int32_t", "uint"],
  ["int64_t", "hyper"],
  ["uint64_t", "uhyper"],
  ["u_int64_t", "uhyper"],
  ["quad_t", "hyper"],
  ["u_quad_t", "uhyper"],
  ["longlong_t", "hyper"],
  ["u_longlong_t", "uhyper"],
]);

/** Types of <rpc/*.h> that real files use without saying so. They join the definitions of the file that uses them. */
const RPC_TYPES: ReadonlyMap<string, Type> = new Map([
  ["netobj", { kind: "varOpaque", max: { value: 1024 } }],
  ["des_block", { kind: "opaque", length: { value: 8 } }],
]);

const UINT32_MAX = 0xffffffffn;
const INT32_MIN = -(2n ** 31n);
const INT32_MAX = 2n ** 31n - 1n;

/** A definition whose name is known: written, or derived from where an anonymous type stands. */
type Item =
  | { readonly kind: "typedef"; readonly name: Name; readonly declaration: Declaration }
  | { readonly kind: "struct"; readonly name: Name; readonly body: StructBody }
  | { readonly kind: "union"; readonly name: Name; readonly body: UnionBody }
  | { readonly kind: "enum"; readonly name: Name; readonly body: EnumBody };

class Checker {
  readonly #tree: SyntaxTree;
  readonly #report: Report;
  readonly #options: CheckOptions;
  readonly #scope: Scope;
  /** This file's definitions in order, an anonymous type before the one around it. */
  readonly #items: Item[] = [];
  readonly #kinds = new Map<string, Definition["kind"]>();
  /** The names given to anonymous types. */
  readonly #derived = new Map<TypeSpecifier, string>();
  /** Imported definitions, and this file's as they are made. */
  readonly #byName: Map<string, Definition>;
  readonly #fromLibrary: Definition[] = [];
  /** What a typedef comes to in the end, so that a long chain is walked once. */
  readonly #underlying = new Map<string, Type | Definition | undefined>();
  readonly #enumValues = new Map<Enum, ReadonlySet<number>>();

  constructor(tree: SyntaxTree, report: Report, options: CheckOptions) {
    this.#tree = tree;
    this.#report = report;
    this.#options = options;
    this.#scope = new Scope(report, { ...options, macros: tree.macros, lost: tree.lost });
    this.#byName = new Map(this.#scope.imported);
    for (const [name, { kind }] of this.#byName) this.#kinds.set(name, kind);
  }

  module(): Module {
    this.#declareAll();
    // Unions last: their labels need to know what the discriminant's type comes to.
    const made = this.#items.map((item) => (item.kind === "union" ? undefined : this.#add(this.#define(item))));
    const own = this.#items.map(
      (item, index) => made[index] ?? this.#add(this.#union(item as Item & { kind: "union" })),
    );
    const programs = this.#programs(own);
    const definitions = [...this.#fromLibrary, ...own];
    checkFinite(definitions, this.#byName, this.#report);
    this.#scope.checkNumbers();
    const { imports } = this.#options;
    return { file: this.#report.source.file, imports, constants: this.#scope.constants, definitions, programs };
  }

  #add<T extends Definition>(definition: T): T {
    this.#byName.set(definition.name, definition);
    return definition;
  }

  // Names

  #declareAll(): void {
    for (const define of this.#tree.defines) this.#scope.declareDefine(define);
    for (const definition of this.#tree.definitions) {
      switch (definition.kind) {
        case "const":
          this.#scope.declareConstant(definition.name, definition.value);
          break;
        case "typedef":
          this.#declareTypedef(definition.declaration);
          break;
        case "program":
          this.#scope.declareOther("program", definition.name);
          for (const version of definition.versions)
            for (const each of version.procedures) this.#declareInProcedure(version.name, each);
          break;
        case "struct":
        case "union":
        case "enum":
          this.#declareBody(definition.name, definition);
      }
    }
  }

  #declareTypedef(declaration: Declaration): void {
    const { name, type, declarator } = declaration;
    // `typedef struct foo foo;` says nothing new: rpcgen makes that typedef anyway.
    if (type.kind === "named" && type.tag !== undefined && type.name === name.text && declarator.kind === "plain")
      return;
    if ("body" in type && declarator.kind === "plain") {
      this.#declareBody(name, type);
      return;
    }
    this.#declareAnonymous(type, `${name.text}_element`);
    this.#declareItem({ kind: "typedef", name, declaration });
  }

  #declareBody(name: Name, { kind, body }: AnyBody): void {
    if (kind === "struct") this.#declareMembers(name, body.fields);
    if (kind === "union") this.#declareMembers(name, [body.discriminant, ...armsOf(body)]);
    this.#declareItem({ kind, name, body } as Item);
    if (kind === "enum") this.#scope.declareEnumerators(name.text, body.members);
  }

  #declareMembers(parent: Name, members: readonly (Declaration | VoidDeclaration)[]): void {
    for (const member of members) {
      if ("name" in member) this.#declareAnonymous(member.type, `${parent.text}_${member.name.text}`);
    }
  }

  #declareInProcedure(version: Name, { name, result, args }: ProcedureSyntax): void {
    const prefix = `${version.text}_${name.text}`;
    this.#declareAnonymous(result.type, `${prefix}_result`);
    for (const [index, { type }] of args.entries()) this.#declareAnonymous(type, `${prefix}_argument${index + 1}`);
  }

  #declareAnonymous(type: TypeSpecifier, text: string): void {
    if (!("body" in type)) return;
    this.#derived.set(type, text);
    this.#declareBody({ text, span: type.span }, type);
  }

  #declareItem(item: Item): void {
    this.#scope.declareOther("type", item.name);
    this.#items.push(item);
    this.#kinds.set(item.name.text, item.kind);
  }

  // Definitions

  #define(item: Exclude<Item, { kind: "union" }>): Definition {
    const named = { name: item.name.text, at: this.#report.source.at(item.name.span) };
    if (item.kind === "typedef") return { kind: "typedef", ...named, type: this.#type(item.declaration) };
    if (item.kind === "enum") {
      const members = item.body.members.map(({ name }) => ({
        name: name.text,
        value: this.#scope.enumerator(name.text),
        at: this.#report.source.at(name.span),
      }));
      return { kind: "enum", ...named, members };
    }
    const unique = this.#uniqueNames("field");
    const fields = item.body.fields.flatMap((member) => {
      if ("void" in member) this.#report.error(member.void, "a struct's field cannot be void");
      return "void" in member ? [] : [this.#field(member, unique)];
    });
    return { kind: "struct", ...named, fields, notes: memberNotes(item.body.comments) };
  }

  #field(declaration: Declaration, unique: (name: Name) => void): Field {
    const { name, comments } = declaration;
    unique(name);
    return {
      name: name.text,
      type: this.#type(declaration),
      at: this.#report.source.at(name.span),
      notes: memberNotes(comments),
    };
  }

  #union({ name, body }: Item & { kind: "union" }): Union {
    const unique = this.#uniqueNames("field");
    const arm = (member: Declaration | VoidDeclaration): { field?: Field } =>
      "void" in member ? {} : { field: this.#field(member, unique) };
    const discriminant: Field =
      "void" in body.discriminant
        ? { name: "", type: { kind: "void" }, at: this.#report.source.at(body.discriminant.void), notes: [] }
        : this.#field(body.discriminant, unique);
    const labels = this.#labels(
      discriminant,
      "void" in body.discriminant ? body.discriminant.void : body.discriminant.type.span,
    );
    const cases: UnionCase[] = body.arms.map((each) => ({ labels: each.labels.flatMap(labels), ...arm(each.body) }));
    const otherwise = body.default === undefined ? {} : { default: arm(body.default) };
    return { kind: "union", name: name.text, at: this.#report.source.at(name.span), discriminant, cases, ...otherwise };
  }

  /** Reads the labels of one union: RFC 4506 section 6.4 (5). */
  #labels({ type }: Field, span: Span): (label: Value) => NumberRef[] {
    const base = this.#base(type);
    const switchable = base === undefined || ["int", "uint", "bool", "enum"].includes(base.kind);
    if (!switchable)
      this.#report.error(span, "a union's discriminant must be an int, an unsigned int, a bool or an enum");
    const [min, max] =
      base?.kind === "bool"
        ? [0n, 1n]
        : base?.kind === "uint"
          ? [0n, UINT32_MAX]
          : [INT32_MIN, switchable && base ? INT32_MAX : UINT32_MAX];
    const values = base?.kind === "enum" ? this.#valuesOf(base) : undefined;
    const seen = new Map<number, Span>();

    return (label) => {
      const truth =
        label.kind === "name" && base?.kind === "bool" && !this.#scope.has(label.text)
          ? ["FALSE", "TRUE"].indexOf(label.text)
          : -1;
      const read =
        truth === -1
          ? this.#scope.number(label, "the label", min, max)
          : { value: truth, name: truth === 1 ? "TRUE" : "FALSE" };
      if (read === undefined) return [];
      const owner = read.name === undefined ? undefined : this.#scope.ownerOf(read.name);
      if (base?.kind === "enum" && (!values!.has(read.value) || (owner !== undefined && owner !== base.name))) {
        this.#report.error(
          label.span,
          `${quote(read.name ?? String(read.value))} is no value of the enum ${quote(base.name)}`,
        );
      }
      const first = seen.get(read.value);
      if (first === undefined) seen.set(read.value, label.span);
      else
        this.#report.error(
          label.span,
          `duplicate label ${read.name ?? ""}${read.name ? " = " : ""}${read.value}: first at line ${first.line}`,
        );
      return [read];
    };
  }

  #valuesOf(definition: Enum): ReadonlySet<number> {
    const values = this.#enumValues.get(definition) ?? new Set(definition.members.map(({ value }) => value));
    this.#enumValues.set(definition, values);
    return values;
  }

  /** What a type is without its typedefs; undefined when some name on the way is wrong. */
  #base(type: Type): Type | Definition | undefined {
    const passed: string[] = [];
    let base: Type | Definition | undefined = type;
    while (base?.kind === "ref" || base?.kind === "typedef") {
      if (base.kind === "typedef") base = base.type;
      else {
        const { name }: { name: string } = base;
        const known = this.#underlying.has(name);
        base = known ? this.#underlying.get(name) : this.#byName.get(name);
        if (known) break;
        this.#underlying.set(name, undefined); // so that a typedef of itself ends
        passed.push(name);
      }
    }
    for (const name of passed) this.#underlying.set(name, base);
    return base;
  }

  #uniqueNames(what: string): (name: Name) => void {
    const seen = new Map<string, Span>();
    return ({ text, span }) => {
      const first = seen.get(text);
      if (first === undefined) seen.set(text, span);
      else this.#report.error(span, `duplicate ${what} ${quote(text)}: first at line ${first.line}`);
    };
  }

  // Types

  #type({ type, declarator, name }: { type: TypeSpecifier; declarator: Declarator; name?: Name }): Type {
    if (type.kind === "opaque" || type.kind === "string") {
      if (declarator.kind === "variable") {
        const max = this.#limit(declarator, name?.span ?? type.span);
        return type.kind === "string" ? { kind: "string", max } : { kind: "varOpaque", max };
      }
      if (type.kind === "opaque" && declarator.kind === "fixed")
        return { kind: "opaque", length: this.#length(declarator.length) };
      if (name === undefined) {
        this.#report.error(type.span, `${type.kind} cannot stand here so: name it by a typedef`);
        return { kind: type.kind === "string" ? "string" : "varOpaque", max: { value: NO_LIMIT } };
      }
      const forms =
        type.kind === "string" ? `string ${name.text}<n>` : `opaque ${name.text}[n] or opaque ${name.text}<n>`;
      this.#report.error(name.span, `missing limit: write ${forms}`);
      return { kind: type.kind === "string" ? "string" : "varOpaque", max: { value: NO_LIMIT } };
    }
    const element = this.#element(type);
    switch (declarator.kind) {
      case "plain":
        return element;
      case "pointer":
        return { kind: "optional", element };
      case "fixed":
        return { kind: "array", element, length: this.#length(declarator.length) };
      case "variable":
        return { kind: "varArray", element, max: this.#limit(declarator, name?.span ?? type.span) };
    }
  }

  #length(value: Value): NumberRef {
    return this.#scope.number(value, "a length", 0n, UINT32_MAX) ?? { value: 0 };
  }

  #limit({ max }: Declarator & { kind: "variable" }, span: Span): NumberRef {
    if (max !== undefined) return this.#scope.number(max, "a limit", 0n, UINT32_MAX) ?? { value: NO_LIMIT };
    if (this.#options.requireLimits) this.#report.error(span, "missing limit: '<>' lets the peer choose any length");
    return { value: NO_LIMIT };
  }

  #element(type: Exclude<TypeSpecifier, { kind: "opaque" | "string" }>): Type {
    if (type.kind === "primitive") return { kind: type.primitive };
    if (type.kind !== "named") return { kind: "ref", name: this.#derived.get(type)! };
    const { name, tag, span } = type;
    const kind = this.#kinds.get(name);
    if (kind !== undefined) {
      if (tag !== undefined && kind !== tag) this.#report.error(span, `${quote(name)} is a ${kind}, not a ${tag}`);
      return { kind: "ref", name };
    }
    const primitive = tag === undefined ? C_TYPES.get(name) : undefined;
    if (primitive !== undefined) return { kind: primitive };
    const fromLibrary = tag === undefined ? RPC_TYPES.get(name) : undefined;
    if (fromLibrary !== undefined) {
      this.#kinds.set(name, "typedef");
      this.#fromLibrary.push(this.#add({ kind: "typedef", name, at: this.#report.source.at(span), type: fromLibrary }));
    } else if (this.#scope.has(name)) this.#report.error(span, `${quote(name)} is not a type`);
    else if (!isLost(this.#tree.lost, name)) this.#report.error(span, `unknown type ${quote(name)}`);
    return { kind: "ref", name };
  }

  // Programs

  #programs(own: readonly Definition[]): Program[] {
    const enums = this.#items.flatMap((item) => {
      if (item.kind !== "enum") return [];
      // Where something else has its name too, which is an error, that may be what is found.
      const definition = this.#byName.get(item.name.text);
      return definition?.kind === "enum" ? [{ definition, members: item.body.members }] : [];
    });
    const source = { enums, definitions: this.#byName.values(), own, scope: this.#scope, lost: this.#tree.lost };
    const blocks = this.#tree.definitions.flatMap((definition) =>
      definition.kind === "program" ? this.#program(definition) : [],
    );
    return [...libvirtPrograms(source, this.#report), ...blocks];
  }

  /** One program for each version: RFC 5531 section 12.3 (2) and (3) say what must be unique. */
  #program({ name, number, versions }: ProgramSyntax): Program[] {
    const programNumber = this.#scope.number(number, "a program number", 0n, UINT32_MAX)?.value ?? 0;
    const unique = this.#uniqueNames("version");
    const uniqueNumber = this.#uniqueNumbers("version number");
    return versions.map((version) => {
      unique(version.name);
      const versionNumber = uniqueNumber(version.number, "a version number");
      const uniqueProcedure = this.#uniqueNames("procedure");
      const uniqueProcedureNumber = this.#uniqueNumbers("procedure number");
      const procedures = version.procedures.map((procedure): Procedure => {
        uniqueProcedure(procedure.name);
        const result = this.#type(procedure.result);
        return {
          name: procedure.name.text,
          number: uniqueProcedureNumber(procedure.number, "a procedure number"),
          args: this.#args(procedure),
          ret: result.kind === "void" ? null : result,
          msg: null,
          annotations: annotationsOf(procedure.comments, this.#report),
          at: this.#report.source.at(procedure.name.span),
        };
      });
      return { name: name.text, number: programNumber, version: versionNumber, procedures };
    });
  }

  #args({ args }: ProcedureSyntax): Type[] {
    const types = args.map((argument) => this.#type(argument));
    if (types.length === 1 && types[0]!.kind === "void") return [];
    for (const [index, type] of types.entries()) {
      if (type.kind === "void") this.#report.error(args[index]!.type.span, "'void' stands alone");
    }
    return types;
  }

  #uniqueNumbers(what: string): (value: Value, each: string) => number {
    const seen = new Map<number, Span>();
    return (value, each) => {
      const read = this.#scope.number(value, each, 0n, UINT32_MAX);
      if (read === undefined) return 0;
      const first = seen.get(read.value);
      if (first === undefined) seen.set(read.value, value.span);
      else this.#report.error(value.span, `duplicate ${what} ${read.value}: first at line ${first.line}`);
      return read.value;
    };
  }
}

function armsOf({ arms, default: otherwise }: UnionBody): (Declaration | VoidDeclaration)[] {
  return [...arms.map(({ body }) => body), ...(otherwise === undefined ? [] : [otherwise])];
}
