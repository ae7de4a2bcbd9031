/** Prints the classes that `plan.ts` decided on. */

import { doc, list } from "../emit/source-file.ts";
import { connection, type Kind, kinds } from "./names.ts";
import {
  type Api,
  type ApiClass,
  type Body,
  fieldsName,
  type Method,
  type MethodParameter,
  type Result,
} from "./plan.ts";
import type { TypedField } from "./prototypes.ts";

/** Paths below the output folder, and texts. */
export type GeneratedFiles = ReadonlyMap<string, string>;

/** Everything that generated code imports, as far as the body uses it: what names it, and the line. */
const IMPORTS: readonly (readonly [names: readonly string[], line: (used: readonly string[]) => string])[] = [
  [["lxc."], () => `import * as lxc from "../../generated/lxc/index.ts";`],
  [["qemu."], () => `import * as qemu from "../../generated/qemu/index.ts";`],
  [["remote."], () => `import * as remote from "../../generated/remote/index.ts";`],
  [["CallOptions"], () => `import type { CallOptions } from "../../xdr/index.ts";`],
  ...kinds.map(({ name, file }): (typeof IMPORTS)[number] => [
    [`${name}Base`],
    () => `import { ${name}Base } from "../base/${file}.ts";`,
  ]),
  [["noDescriptors"], () => `import { noDescriptors } from "../base/descriptors.ts";`],
  [["Connection"], () => `import type { Connection } from "../connection.ts";`],
  [["CallStream", "openStream"], (used) => named(used, "../stream.ts", ["CallStream"])],
  [["textOfChars"], () => `import { textOfChars } from "../text.ts";`],
  [
    [
      "askForStrings",
      "namedNumbers",
      "TypedParameters",
      "TypedParametersInput",
      "typedParameterList",
      "typedParameters",
    ],
    (used) => named(used, "../typed-parameters.ts", ["TypedParameters", "TypedParametersInput"]),
  ],
  [["uuidBytes"], () => `import { uuidBytes } from "../uuid.ts";`],
];

function named(used: readonly string[], from: string, types: readonly string[]): string {
  const only = used.every((name) => types.includes(name));
  const items = used
    .toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
    .map((name) => (!only && types.includes(name) ? `type ${name}` : name));
  return list(only ? "import type {" : "import {", items, `} from "${from}";`);
}

/** The files of `src/api/generated/`. @param origin the data file, for the first line of each */
export function emitApi(api: Api, origin: string): GeneratedFiles {
  const head = `// Generated from ${origin} and *.x by \`npm run generate\`. Do not edit: change those or codegen/api/.`;
  const files = new Map<string, string>();
  for (const each of api.classes) files.set(`${each.kind.file}.ts`, emitClass(each, head));
  files.set("typed-fields.ts", emitFields(api, head));
  files.set("field-types.ts", emitTables(api, head));
  const exports = [...kinds]
    .sort((a, b) => (a.file < b.file ? -1 : 1))
    .map(({ name, file }) => `export { ${name} } from "./${file}.ts";`);
  files.set("index.ts", `${[head, ...exports, `export * from "./typed-fields.ts";`].join("\n")}\n`);
  return files;
}

function emitClass({ kind, methods }: ApiClass, head: string): string {
  const abstract = kind === connection ? "abstract " : "";
  const about =
    kind === connection
      ? "What a connection does: the functions of the C API that take a virConnectPtr."
      : `A ${kind.handle}: the functions of the C API that take one. \`ref\` is how procedures name it.`;
  const lines = [
    ...doc([about]),
    `export ${abstract}class ${kind.name} extends ${kind.name}Base {`,
    methods.map((method) => emitMethod(method, kind).join("\n")).join("\n\n"),
    "}",
  ];
  const body = lines.join("\n");
  const words = new Set(body.match(/[A-Za-z_]\w*\.?/g));
  const uses = (name: string) => words.has(name) || (!name.endsWith(".") && words.has(`${name}.`));
  const imports = IMPORTS.flatMap(([names, line]) => {
    const used = names.filter(uses);
    return used.length === 0 ? [] : [line(used)];
  });
  const siblings = kinds
    .filter((each) => each !== kind && uses(each.name))
    .map(({ name, file }) => {
      const value = body.includes(`new ${name}(`);
      return `import ${value ? "" : "type "}{ ${name} } from "./${file}.ts";`;
    });
  const tables = uses("types.") ? [`import * as types from "./field-types.ts";`] : [];
  return `${[head, ...imports, ...siblings, ...tables].join("\n")}\n\n${body}\n`;
}

function emitMethod(method: Method, kind: Kind): string[] {
  const { body, name } = method;
  const self = method.makes ? ["this: Connection"] : [];
  const types = method.parameters.map(parameter);
  const open = (results: string, modifier = "async "): string => {
    const given = [...self, ...types, "options?: CallOptions"];
    const line = `  ${list(`${modifier}${name}(`, given, `): Promise<${results}> {`, 2)}`;
    if (results.length < 100 || !results.startsWith("{ ")) return line;
    const members = results
      .slice(2, -2)
      .split("; ")
      .map((member) => `    ${member};\n`);
    return `  ${modifier}${name}(${given.join(", ")}): Promise<{\n${members.join("")}  }> {`;
  };
  return [...doc(about(method), "  "), ...bodyOf(body), "  }"];

  function bodyOf(body: Body): string[] {
    switch (body.kind) {
      case "same": {
        const given = [...method.parameters.map((each) => each.name), "options"].join(", ");
        return [open(body.type, ""), `    return this.${body.method}(${given});`];
      }
      case "descriptors": {
        const tuple = method.parameters.map(
          ({ name, type, initial }) => `${name}${initial === undefined ? "" : "?"}: ${type}`,
        );
        const all = [...tuple, "options?: CallOptions"];
        return [
          `  ${list(`${name}(..._: [`, all, "]): Promise<never> {", 2)}`,
          `    return noDescriptors("${method.fn.name}");`,
        ];
      }
      case "call":
        return emitCall(method, body, kind, open);
    }
  }
}

function emitCall(
  { fn }: Method,
  body: Extract<Body, { kind: "call" }>,
  kind: Kind,
  open: (results: string) => string,
): string[] {
  const conn = kind === connection ? "this" : "this.connection";
  /**
   * The call between `before` and `after`, over several lines where it does not fit in one. A callee that finds out by
   * itself how many parameters there are gets none.
   */
  const call = (before: string, after: string, nparams = body.sized ? "nparams" : "0"): string => {
    const members = body.arguments?.map(({ member, value }) => {
      const sent = member === "nparams" ? nparams : value;
      return member === sent ? member : `${member}: ${sent}`;
    });
    const args = members === undefined ? "undefined" : list("{", members, "}", 6);
    const [target, first] = body.stream ? ["openStream", [conn]] : [`${conn}.call`, []];
    return list(`${before}await ${target}(`, [...first, body.descriptor, args, "options"], `)${after}`, 4);
  };
  const lines: string[] = [];
  if (fn.strings) lines.push(`const asked = await askForStrings(${conn}, flags, options);`);
  if (body.sized) lines.push(call("const { nparams } = ", ";", "0"));
  const { result } = body;
  if (body.stream) {
    if (result.kind === "nothing") {
      lines.push(call("const { stream } = ", ";"), "return stream;");
      return [open("CallStream"), ...lines.map(indent)];
    }
    if (result.kind !== "member") throw new Error(`${fn.name}: a stream with more than one result`);
    lines.push(call("const { ret, stream } = ", ";"), `return { ${result.member}: ret.${result.member}, stream };`);
    return [open(`{ ${result.member}: ${result.type}; stream: CallStream }`), ...lines.map(indent)];
  }
  if (fn.id === "returned") {
    lines.push(call("const { dom } = ", ";"), "this.setRef(dom);");
    return [open("void"), ...lines.map(indent)];
  }
  const { type, code } = resultCode(result, call, conn);
  lines.push(...code);
  if (fn.id === "gone") lines.push("this.stopped();");
  return [open(type), ...lines.map(indent)];
}

function resultCode(
  result: Result,
  call: (before: string, after: string) => string,
  conn: string,
): { type: string; code: string[] } {
  const convert = (text: string) => text.replaceAll("CONNECTION", conn);
  switch (result.kind) {
    case "nothing":
      return { type: "void", code: [call("", ";")] };
    case "whole":
      return { type: result.type, code: [call("return ", ";")] };
    case "member": {
      const { type, member } = result;
      if (result.convert === undefined) {
        const line = call("return (", `).${member};`);
        return {
          type,
          code: line.includes("\n") ? [call(`const { ${member} } = `, ";"), `return ${member};`] : [line],
        };
      }
      return { type, code: [call(`const { ${member} } = `, ";"), `return ${convert(result.convert(member))};`] };
    }
    case "members": {
      const members = result.members.map(({ member, name, convert: each }) => {
        const value = each === undefined ? member : convert(each(member));
        return name === value ? name : `${name}: ${value}`;
      });
      const taken = result.members.map(({ member }) => member);
      return {
        type: `{ ${result.members.map(({ name, type }) => `${name}: ${type}`).join("; ")} }`,
        code: [call(`const { ${taken.join(", ")} } = `, ";"), list("return {", members, "};", 4)],
      };
    }
  }
}

/** Two levels in; the further lines of a list are there already. */
function indent(line: string): string {
  return `    ${line}`;
}

function parameter({ name, type, initial }: MethodParameter): string {
  if (initial === undefined) return `${name}: ${type}`;
  return initial === "0" ? `${name} = 0` : `${name}: ${type} = ${initial}`;
}

/** What the method stands for, since when, who may call it; what a parameter's numbers mean. */
function about({ fn, parameters, body }: Method): string[] {
  const procedure = body.kind === "same" ? undefined : body.procedure;
  const rights = procedure?.annotations.acl.filter((right) => right !== "none") ?? [];
  const filter = procedure?.annotations.aclfilter ?? [];
  const facts = [
    `${fn.name}, since ${fn.since}.`,
    ...(rights.length === 0 ? [] : [`Rights: ${rights.join(", ")}.`]),
    ...(filter.length === 0 ? [] : [`Results filtered by: ${filter.join(", ")}.`]),
  ];
  const short = facts.join(" ").length <= 110;
  const extra =
    body.kind === "descriptors"
      ? ["File descriptors cannot be passed without native code: rejects with VIR_ERR_NO_SUPPORT."]
      : [];
  return [
    ...(short ? [facts.join(" ")] : facts.flatMap(wrap)),
    ...(fn.about === undefined ? [] : [fn.about]),
    ...extra,
    ...parameters.flatMap(({ name, about }) => (about === undefined ? [] : [`@param ${name} ${about}`])),
  ];
}

/** A line of a docstring as lines that fit. */
function wrap(text: string): string[] {
  const end = text.lastIndexOf(" ", 112);
  return text.length <= 112 || end < 0 ? [text] : [text.slice(0, end), ...wrap(text.slice(end + 1))];
}

/** Names of fields, as constants. */
function emitFields({ fields }: Api, head: string): string {
  const names = fields.map((field) => {
    const types = field.types.length === 0 ? "" : `${field.types.join(" or ")}, `;
    return `/** ${types}since ${field.since} */\nexport const ${field.name} = ${JSON.stringify(field.value)};`;
  });
  return `${[head, ...names].join("\n\n")}\n`;
}

/** Tables of what the fields that methods take are sent as. */
function emitTables({ classes, fields }: Api, head: string): string {
  const taken = classes.flatMap(({ methods }) => methods.flatMap(({ fn }) => fn.fields ?? []));
  const tables = [...new Set(taken)].map((prefix) => tableOf(prefix, fields));
  return `${[`${head}\nimport type { FieldTypes } from "../typed-parameters.ts";`, ...tables].join("\n\n")}\n`;
}

function tableOf(prefix: string, fields: readonly TypedField[]): string {
  const own = fields.filter(({ name, types }) => name.startsWith(prefix) && types.length === 1);
  return [
    ...doc([`What fields ${prefix}… are sent as; whoever gives another one has to say.`]),
    `export const ${fieldsName(prefix)}: FieldTypes = {`,
    ...own.map(
      ({ value, types }) => `  ${/^[A-Za-z_]\w*$/.test(value) ? value : JSON.stringify(value)}: "${types[0]!}",`,
    ),
    "};",
  ].join("\n");
}
