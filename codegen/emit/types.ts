import type { Definition, Enum, Field, Module, NumberRef, Procedure, Struct, Type, Typedef, Union } from "../model.ts";
import { NO_LIMIT } from "../model.ts";
import { camelCase, constantName, typeNames } from "./names.ts";
import { doc, list, SourceFile, WIDTH } from "./source-file.ts";
import type { TypeTable } from "./type-table.ts";

/** How a type goes to the wire by one method of the reader and writer, and what TypeScript calls it. */
const PRIMITIVES = {
  int: { ts: "number", method: "int32", codec: "Int" },
  uint: { ts: "number", method: "uint32", codec: "Uint" },
  hyper: { ts: "bigint", method: "int64", codec: "Hyper" },
  uhyper: { ts: "bigint", method: "uint64", codec: "Uhyper" },
  float: { ts: "number", method: "float", codec: "Float" },
  double: { ts: "number", method: "double", codec: "Double" },
  bool: { ts: "boolean", method: "bool", codec: "Bool" },
  char: { ts: "number", method: "char", codec: "" }, // arrays of char are Uint8Array
  uchar: { ts: "number", method: "uchar", codec: "Uchar" },
  short: { ts: "number", method: "short", codec: "Short" },
  ushort: { ts: "number", method: "ushort", codec: "Ushort" },
} as const;

/** What the TypeScript type alone does not say. */
const WIRE_NAMES: Partial<Record<Type["kind"], string>> = {
  uint: "unsigned int",
  hyper: "hyper",
  uhyper: "unsigned hyper",
  float: "float",
  double: "double",
  quadruple: "quadruple: its 16 bytes",
  char: "char",
  uchar: "unsigned char",
  short: "short",
  ushort: "unsigned short",
};

export interface EmitOptions {
  /** Where generated code imports the XDR runtime from: a package or a path from a program's folder. */
  readonly runtime: string;
  /** `../` for files of one program among several in a module, which have a folder of their own. Default empty. */
  readonly up?: string;
}

/** Emits code for types into one file, with the imports that it takes. */
export class TypeWriter {
  readonly #file: SourceFile;
  readonly #table: TypeTable;
  readonly #module: Module;
  readonly #namespace: string | undefined;
  readonly #runtime: string;
  readonly #up: string;
  /** Element types of the arrays written so far. */
  readonly #lists = new Set<string>();

  /** @param namespace what the file imports the module's `types.ts` as; absent in `types.ts` itself */
  constructor(file: SourceFile, table: TypeTable, module: Module, options: EmitOptions, namespace?: string) {
    this.#file = file;
    this.#table = table;
    this.#module = module;
    this.#namespace = namespace;
    this.#runtime = options.runtime;
    this.#up = options.up ?? "";
  }

  // ---- TypeScript types ----

  /** `string | null`, `NonnullDomain[]`: typedefs of anything but structs and unions are shown resolved. */
  tsType(type: Type): string {
    switch (type.kind) {
      case "void":
        return "void";
      case "opaque":
      case "varOpaque":
      case "quadruple":
        return "Uint8Array";
      case "string":
        return "string";
      case "array":
      case "varArray": {
        if (this.#table.resolve(type.element).kind === "char") return "Uint8Array";
        const element = this.tsType(type.element);
        return element.includes(" ") ? `(${element})[]` : `${element}[]`;
      }
      case "optional":
        return `${this.tsType(type.element)} | null`;
      case "ref": {
        const resolved = this.#table.resolve(type);
        return resolved.kind === "ref" ? this.#typeName(resolved.name) : this.tsType(resolved);
      }
      default:
        return PRIMITIVES[type.kind].ts;
    }
  }

  // ---- encoding and decoding one value ----

  /**
   * Statements that write `value`, a value of `type` named `at` (source text) in errors. `recurring`: a string of few
   * values, see `XdrWriter.name`.
   */
  encode(type: Type, value: string, at?: string, recurring = false): string[] {
    const name = at === undefined ? "" : `, ${at}`;
    switch (type.kind) {
      case "void":
        return [];
      case "opaque":
        return [`w.fixedOpaque(${value}, ${this.number(type.length)}${name});`];
      case "quadruple":
        return [`w.fixedOpaque(${value}, 16${name});`];
      case "varOpaque":
        return [`w.opaque(${value}, ${this.number(type.max)}${name});`];
      case "string":
        return [`w.${recurring ? "name" : "string"}(${value}, ${this.number(type.max)}${name});`];
      case "array":
        return this.#isChar(type.element)
          ? [`w.fixedChars(${value}, ${this.number(type.length)}${name});`]
          : [`w.fixedArray(${value}, ${this.number(type.length)}, ${this.#function("encode", type.element)}${name});`];
      case "varArray":
        return this.#isChar(type.element)
          ? [`w.chars(${value}, ${this.number(type.max)}${name});`]
          : [this.#encodeArray(type.element, value, this.number(type.max), name)];
      case "optional": {
        const inner = this.encode(type.element, value, at);
        if (inner.length === 1) return [`if (w.present(${value})) ${inner[0]}`];
        return [`if (w.present(${value})) {`, ...inner.map((line) => `  ${line}`), "}"];
      }
      case "ref": {
        const resolved = this.#table.resolve(type);
        if (resolved.kind !== "ref") return this.encode(resolved, value, at, recurring);
        return [
          `${this.codec("encode", resolved.name)}(w, ${value}${this.#table.isInner(resolved.name) ? name : ""});`,
        ];
      }
      default:
        return [`w.${PRIMITIVES[type.kind].method}(${value}${name});`];
    }
  }

  /** An expression that reads a value of `type`. `recurring`: a string of few values, see `XdrReader.name`. */
  decode(type: Type, at?: string, recurring = false): string {
    const name = at === undefined ? "" : `, ${at}`;
    switch (type.kind) {
      case "void":
        return "undefined";
      case "opaque":
        return `r.fixedOpaque(${this.number(type.length)}${name})`;
      case "quadruple":
        return `r.fixedOpaque(16${name})`;
      case "varOpaque":
        return `r.opaque(${this.number(type.max)}${name})`;
      case "string":
        return `r.${recurring ? "name" : "string"}(${this.number(type.max)}${name})`;
      case "array":
        return this.#isChar(type.element)
          ? `r.fixedChars(${this.number(type.length)}${name})`
          : `r.fixedArray(${this.number(type.length)}, ${this.#function("decode", type.element)}${name})`;
      case "varArray": {
        if (this.#isChar(type.element)) return `r.chars(${this.number(type.max)}${name})`;
        return this.#decodeArray(type.element, this.number(type.max), name);
      }
      case "optional":
        return `r.present(${at ?? ""}) ? ${this.decode(type.element, at)} : null`;
      case "ref": {
        const resolved = this.#table.resolve(type);
        if (resolved.kind !== "ref") return this.decode(resolved, at, recurring);
        return `${this.codec("decode", resolved.name)}(r${this.#table.isInner(resolved.name) ? name : ""})`;
      }
      default:
        return `r.${PRIMITIVES[type.kind].method}(${at ?? ""})`;
    }
  }

  /** The TypeScript type of a procedure's arguments (several become a tuple) or result. */
  payloadType(types: readonly Type[]): string {
    const real = types.filter(({ kind }) => kind !== "void");
    const [first] = real;
    if (first === undefined) return "void";
    return real.length === 1 ? this.tsType(first) : `[${real.map((type) => this.tsType(type)).join(", ")}]`;
  }

  /** The two functions that write and read a procedure's arguments or result: a type's own where there is one. */
  payloadCodec(types: readonly Type[]): readonly [encode: string, decode: string] {
    const real = types.filter(({ kind }) => kind !== "void");
    const [first] = real;
    if (first === undefined) {
      return [this.#file.value("encodeVoid", this.#runtime), this.#file.value("decodeVoid", this.#runtime)];
    }
    if (real.length === 1 && first.kind === "ref") {
      return [this.codec("encode", first.name), this.codec("decode", first.name)];
    }
    const several = real.length > 1;
    const at = (i: number): string | undefined => (several ? `"[${i}]"` : undefined);
    const encode = real.flatMap((type, i) => this.encode(type, several ? `v[${i}]` : "v", at(i))).join(" ");
    const decode = real.map((type, i) => this.decode(type, at(i))).join(", ");
    return [`(w, v) => { ${encode} }`, `(r) => ${several ? `[${decode}]` : decode}`];
  }

  // ---- whole definitions ----

  define(definition: Definition): void {
    switch (definition.kind) {
      case "typedef":
        this.#typedef(definition);
        break;
      case "enum":
        this.#enum(definition);
        break;
      case "struct":
        this.#struct(definition);
        break;
      case "union":
        this.#union(definition);
        break;
    }
  }

  #typedef(definition: Typedef): void {
    const name = this.#table.entry(definition.name).name;
    const target = this.tsType(definition.type);
    this.#file.add(...doc(this.#about(definition, definition.type)), `export type ${name} = ${target};`);
    this.#functions(definition, name, this.encode(definition.type, "v", "at"), [
      `return ${this.decode(definition.type, "at")};`,
    ]);
  }

  #enum(definition: Enum): void {
    const name = this.#table.entry(definition.name).name;
    this.#file.add(
      ...doc([definition.name]),
      `export const ${name} = {`,
      ...definition.members.map((member) => `  ${member.name}: ${member.value},`),
      "} as const;",
      list(`export type ${name} = ${this.#file.type("OpenEnum", this.#runtime)}<`, [`typeof ${name}`], ">;", 0, true),
    );
    this.#functions(definition, name, ["w.int32(v, at);"], [`return r.enumeration(${name}, at);`]);
  }

  #struct(definition: Struct): void {
    const name = this.#table.entry(definition.name).name;
    const fields = definition.fields.filter(({ type }) => type.kind !== "void");
    this.#file.add(
      ...doc([definition.name]),
      `export interface ${name} {`,
      ...fields.flatMap((field) => [
        ...doc(this.#aboutField(field), "  "),
        `  ${camelCase(field.name)}: ${this.tsType(field.type)};`,
      ]),
      "}",
    );
    const recurring = ({ notes }: Field): boolean => notes.includes("recurring");
    const encode = fields.flatMap((field) =>
      this.encode(field.type, `v.${camelCase(field.name)}`, quoted(field.name), recurring(field)),
    );
    const decode = fields.map((field) => ({
      key: camelCase(field.name),
      value: this.decode(field.type, quoted(field.name), recurring(field)),
    }));
    const [first] = decode;
    const alone = first === undefined ? "" : `${first.key}: ${first.value}`;
    let result: string[];
    if (this.#table.isInner(definition.name) && fields.length > 0) {
      const made = this.#plain(
        name,
        name,
        fields.map(({ name, type }) => [camelCase(name), this.tsType(type)]),
      );
      const values = decode.map(({ value }) => value);
      result = call(`return new ${made}`, values, 4);
    } else if (decode.length === 1 && alone.length < 102) {
      result = [`return { ${alone} };`];
    } else {
      result = ["return {", ...decode.map(({ key, value }) => `  ${key}: ${value},`), "};"];
    }
    this.#functions(definition, name, encode, result, true);
  }

  #union(definition: Union): void {
    const name = this.#table.entry(definition.name).name;
    const tag = tagName(definition);
    const tagType = this.#table.resolve(definition.discriminant.type);
    const arms = definition.cases.flatMap(({ labels, field }) => labels.map((label) => ({ label, field })));
    const member = (label: string, field: Field | undefined): string =>
      field === undefined ? `{ ${tag}: ${label} }` : `{ ${tag}: ${label}; value: ${this.tsType(field.type)} }`;
    const labelType = (label: NumberRef): string => {
      const expression = this.#label(label, tagType);
      return /^[A-Za-z_]/.test(expression) && tagType.kind !== "bool" ? `typeof ${expression}` : expression;
    };
    const members = arms.map(({ label, field }) => ({ text: member(labelType(label), field), field }));
    if (definition.default) {
      members.push({
        text: member(this.tsType(definition.discriminant.type), definition.default.field),
        field: definition.default.field,
      });
    }
    this.#file.add(
      ...doc([definition.name]),
      `export type ${name} =`,
      ...members.map(
        ({ text, field }, i) =>
          `  | ${text}${i === members.length - 1 ? ";" : ""}${field === undefined ? "" : ` // ${[field.name, this.#wireName(field.type)].filter(Boolean).join(": ")}`}`,
      ),
    );
    // With a default arm the discriminant's type overlaps the labels, so that TypeScript cannot tell the arms apart.
    const value = ({ type }: Field): string[] =>
      this.encode(type, definition.default ? `(v as { value: ${this.tsType(type)} }).value` : "v.value", '"value"');
    const encode = [
      ...this.encode(definition.discriminant.type, `v.${tag}`, quoted(tag)),
      `switch (v.${tag}) {`,
      ...definition.cases.flatMap(({ labels, field }) => [
        ...labels.map((label) => `  case ${this.#label(label, tagType)}:`),
        ...(field ? value(field) : []).map((line) => `    ${line}`),
        "    break;",
      ]),
    ];
    const rest = definition.default;
    if (rest?.field) {
      encode.push("  default:", ...value(rest.field).map((line) => `    ${line}`));
    } else if (!rest) {
      encode.push("  default:", `    w.noArm((v as ${name}).${tag}, ${quoted(tag)});`);
    }
    encode.push("}");
    const fields = [...definition.cases, ...(rest ? [rest] : [])].map(({ field }) => field);
    const tagTs = this.tsType(definition.discriminant.type);
    const made =
      this.#table.isInner(definition.name) && fields.some(Boolean)
        ? this.#plain(name, `{ ${tag}: ${tagTs}; value: unknown }`, [
            [tag, tagTs],
            ["value", "unknown"],
          ])
        : undefined;
    const result = (label: string, field: Field | undefined): string => {
      if (field === undefined) return `{ ${tag}: ${label} }`;
      const value = this.decode(field.type, '"value"');
      return made === undefined
        ? `{ ${tag}: ${label}, value: ${value} }`
        : `new ${made}(${label}, ${value}) as ${name}`;
    };
    const decode = [
      `const tag = ${this.decode(definition.discriminant.type, quoted(tag))};`,
      "switch (tag) {",
      ...arms.flatMap(({ label, field }) => [
        `  case ${this.#label(label, tagType)}:`,
        `    return ${result(this.#label(label, tagType), field)};`,
      ]),
      "  default:",
      rest ? `    return ${result("tag", rest.field)};` : `    return r.noArm(tag, ${quoted(tag)});`,
      "}",
    ];
    if (tagType.kind === "bool" && arms.length === 2) decode.splice(-3, 2);
    this.#functions(definition, name, encode, decode, true);
  }

  /** Declares the constructor of the values of a type that can come in lists, see `plain` in the runtime. */
  #plain(name: string, self: string, fields: readonly (readonly [key: string, type: string])[]): string {
    const made = this.#file.own(`Plain${name}`);
    const plain = this.#file.value("plain", this.#runtime);
    const parameters = [`this: ${self}`, ...fields.map(([key, type]) => `${parameter(key)}: ${type}`)];
    this.#file.add(
      list(`const ${made} = /* @__PURE__ */ ${plain}(function (`, parameters, ") {"),
      ...fields.map(([key]) => `  this.${key} = ${parameter(key)};`),
      "});",
    );
    return made;
  }

  /** The two functions of a type. `composite`: errors from inside get the field's name on their way out. */
  #functions(definition: Definition, name: string, encode: string[], decode: string[], composite = false): void {
    const inner = this.#table.isInner(definition.name);
    const writer = this.#file.type("XdrWriter", this.#runtime);
    const reader = this.#file.type("XdrReader", this.#runtime);
    const usesAt = inner || !composite;
    const at = usesAt ? ["at?: string"] : [];
    const encodeBody = encode.length === 0 ? [] : this.#guarded(definition, encode, "w", inner && composite);
    const decodeBody = this.#guarded(definition, decode, "r", inner && composite);
    const unused = encode.length === 0 ? "_" : "";
    this.#file.add(
      `${list(`export function encode${name}(`, [`${unused}w: ${writer}`, `${unused}v: ${name}`, ...at.map((a) => (unused ? `_${a}` : a))], "): void {")}`,
      ...encodeBody.map((line) => `  ${line}`),
      "}",
    );
    this.#file.add(
      `${list(`export function decode${name}(`, [`r: ${reader}`, ...at], `): ${name} {`)}`,
      ...decodeBody.map((line) => `  ${line}`),
      "}",
    );
  }

  #guarded(definition: Definition, body: string[], stream: "r" | "w", inner: boolean): string[] {
    const recursive = definition.kind !== "typedef" && this.#table.isRecursive(definition.name);
    if (!inner && !recursive) return body;
    const offset = stream === "w" ? ", w.offset" : "";
    return [
      ...(recursive ? [`${stream}.enter(at);`] : []),
      "try {",
      ...body.map((line) => `  ${line}`),
      "} catch (error) {",
      `  throw ${this.#file.value("inField", this.#runtime)}(error, at${offset});`,
      ...(recursive ? ["} finally {", `  ${stream}.leave();`] : []),
      "}",
    ];
  }

  #encodeArray(element: Type, value: string, max: string, name: string): string {
    const item = this.#itemOf(element);
    if (item === undefined) return `w.array(${value}, ${max}, ${this.#function("encode", element)}${name});`;
    return `${this.#each("encode", item)}(w, ${value}, ${max}${name});`;
  }

  #decodeArray(element: Type, max: string, name: string): string {
    const item = this.#itemOf(element);
    const least = this.#table.leastBytes(element);
    if (item === undefined) return `r.array(${max}, ${least}, ${this.#function("decode", element)}${name})`;
    return `${this.#each("decode", item)}(r, ${max}${name})`;
  }

  /** Arrays of structs and unions get a loop of their own: the call of each element's codec can then be inlined. */
  #itemOf(element: Type): string | undefined {
    const resolved = this.#table.resolve(element);
    if (resolved.kind !== "ref" || this.#table.entry(resolved.name).definition.kind === "enum") return undefined;
    this.#lists.add(resolved.name);
    return resolved.name;
  }

  /** The function for arrays of a type, called after the codec of one as this file has it: two imports may share a name. */
  #each(direction: "encode" | "decode", element: string): string {
    return this.codec(direction, element).replace(/^(.*\.)?(encode|decode)/, "$2Each");
  }

  /** The functions that arrays were written with so far. */
  defineLists(): void {
    for (const element of this.#lists) {
      const type = this.#typeName(element);
      const [encode, decode] = [this.codec("encode", element), this.codec("decode", element)];
      const inField = this.#file.value("inField", this.#runtime);
      const least = this.#table.leastBytes({ kind: "ref", name: element });
      const writer = this.#file.type("XdrWriter", this.#runtime);
      const reader = this.#file.type("XdrReader", this.#runtime);
      this.#file.add(
        list(
          `function ${this.#each("encode", element)}(`,
          [`w: ${writer}`, `v: readonly ${type}[]`, "max: number", 'at = ""'],
          "): void {",
        ),
        "  w.count(v, max, at);",
        "  let i = 0;",
        "  try {",
        `    for (; i < v.length; i++) ${encode}(w, v[i] as ${type});`,
        "  } catch (error) {",
        `    throw ${inField}(error, \`\${at}[\${i}]\`, w.offset);`,
        "  }",
        "}",
      );
      this.#file.add(
        list(
          `function ${this.#each("decode", element)}(`,
          [`r: ${reader}`, "max: number", 'at = ""'],
          `): ${type}[] {`,
        ),
        `  const length = r.count(max, ${least}, at);`,
        `  const items: ${type}[] = [];`,
        "  try {",
        `    while (items.length < length) items.push(${decode}(r));`,
        "  } catch (error) {",
        `    throw ${inField}(error, \`\${at}[\${items.length}]\`);`,
        "  }",
        "  return items;",
        "}",
      );
    }
  }

  /** The codec function of an array's element. */
  #function(direction: "encode" | "decode", type: Type): string {
    if (type.kind === "ref") {
      const resolved = this.#table.resolve(type);
      return this.codec(direction, resolved.kind === "ref" ? resolved.name : type.name);
    }
    if (type.kind in PRIMITIVES) {
      return this.#file.value(`${direction}${PRIMITIVES[type.kind as keyof typeof PRIMITIVES].codec}`, this.#runtime);
    }
    return direction === "encode" ? `(w, v) => { ${this.encode(type, "v").join(" ")} }` : `(r) => ${this.decode(type)}`;
  }

  /** The function that writes or reads a type. */
  codec(direction: "encode" | "decode", xName: string): string {
    const { name, module } = this.#table.entry(xName);
    return this.#value(`${direction}${name}`, module);
  }

  #typeName(xName: string): string {
    const { name, module } = this.#table.entry(xName);
    if (this.#namespace !== undefined && module === this.#module) return `${this.#namespace}.${name}`;
    return module === this.#module ? name : this.#file.type(name, this.#typesOf(module));
  }

  /** A length, a limit or a label: its constant where it has one. */
  number(ref: NumberRef): string {
    const { expression, import: needed } = this.#table.constant(ref);
    if (needed === undefined) return expression;
    return expression.replace(needed.name, this.#value(needed.name, needed.module));
  }

  /** How this file names a value of a module's `types.ts`. */
  #value(name: string, module: Module): string {
    if (module !== this.#module) return this.#file.value(name, this.#typesOf(module));
    return this.#namespace === undefined ? name : `${this.#namespace}.${name}`;
  }

  /** Where the types of `module` are, seen from this file. */
  #typesOf(module: Module): string {
    return `${this.#up}../${folderOf(module)}/types.js`;
  }

  #label(ref: NumberRef, tagType: Type): string {
    return tagType.kind === "bool" ? String(ref.value !== 0) : this.number(ref);
  }

  #isChar(type: Type): boolean {
    return this.#table.resolve(type).kind === "char";
  }

  #about(definition: Definition, type: Type): string[] {
    const wire = this.#wireName(type);
    return [wire === undefined ? definition.name : `${definition.name}: ${wire}`];
  }

  #aboutField({ type }: Field): string[] {
    const wire = this.#wireName(type);
    return wire === undefined ? [] : [wire];
  }

  /** What the TypeScript type hides: widths, signs and limits. */
  #wireName(type: Type): string | undefined {
    const resolved = this.#table.resolve(type);
    switch (resolved.kind) {
      case "opaque":
        return `${this.#shown(resolved.length)} bytes`;
      case "varOpaque":
        return resolved.max.value === NO_LIMIT ? undefined : `at most ${this.#shown(resolved.max)} bytes`;
      case "varArray":
        if (resolved.max.value === NO_LIMIT) return this.#wireName(resolved.element);
        return `at most ${this.#shown(resolved.max)}${this.#isChar(resolved.element) ? " chars" : ""}`;
      case "array":
        return `${this.#shown(resolved.length)}${this.#isChar(resolved.element) ? " chars" : " elements"}`;
      case "optional":
        return this.#wireName(resolved.element);
      default:
        return WIRE_NAMES[resolved.kind];
    }
  }

  #shown({ name, value }: NumberRef): string {
    return name === undefined ? String(value) : `${name} (${value})`;
  }
}

/** `types.ts`: constants, types and their codecs. */
export function emitTypes(module: Module, table: TypeTable, options: EmitOptions): string {
  const own = [...typeNames(module).values()].flatMap((name) => [name, `encode${name}`, `decode${name}`]);
  const file = new SourceFile(module.file, [...own, ...module.constants.map(({ name }) => name)]);
  const writer = new TypeWriter(file, table, module, options);
  if (module.constants.length > 0) {
    const one = ({ name, value }: Module["constants"][number]): string =>
      `export const ${name} = ${value}${typeof value === "bigint" ? "n" : ""};`;
    file.add(...module.constants.map(one));
  }
  for (const definition of module.definitions) writer.define(definition);
  writer.defineLists();
  return file.toString();
}

/** The folder that a module is written to: the `.x` file's name without its ending. */
export function folderOf(module: Module): string {
  return (module.file.split(/[\\/]/).pop() as string).replace(/\.x$/, "");
}

/** The types that a procedure's descriptor names. */
export function procedureTypes(procedure: Procedure): {
  args: readonly Type[];
  ret: readonly Type[];
  msg: readonly Type[];
} {
  return {
    args: procedure.args,
    ret: procedure.ret === null ? [] : [procedure.ret],
    msg: procedure.msg === null ? [] : [procedure.msg],
  };
}

/** Words that are a field's name and cannot be a parameter's get a `_`. */
function parameter(key: string): string {
  return constantName(key);
}

/** `open(item, item);` in one line if it fits at `indent`, else an item a line. */
function call(open: string, items: readonly string[], indent: number): string[] {
  const line = `${open}(${items.join(", ")});`;
  return indent + line.length <= WIDTH ? [line] : [`${open}(`, ...items.map((item) => `  ${item},`), ");"];
}

function quoted(name: string): string {
  return JSON.stringify(camelCase(name));
}

/** The discriminant's field, unless it would be called like the arm's. */
function tagName({ discriminant }: Union): string {
  const name = camelCase(discriminant.name);
  return name === "value" ? "discriminant" : name;
}
