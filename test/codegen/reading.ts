import { CodegenError, type Diagnostic } from "../../codegen/diagnostics.ts";
import { type ParseOptions, parseModule } from "../../codegen/loader.ts";
import type { Definition, Module, Type } from "../../codegen/model.ts";

type Options = Partial<ParseOptions>;

export function moduleOf(source: string, options: Options = {}): Module {
  return parseModule(source, { file: "test.x", ...options }).module;
}

/** The diagnostics of a source that must not pass. */
export function diagnosticsOf(source: string, options: Options = {}): readonly Diagnostic[] {
  try {
    parseModule(source, { file: "test.x", ...options });
  } catch (error) {
    if (error instanceof CodegenError) return error.diagnostics;
    throw error;
  }
  throw new Error("nothing is wrong with it");
}

/** Each as `line:column message`. */
export function mistakesOf(source: string, options: Options = {}): string[] {
  return diagnosticsOf(source, options).map(({ at, message }) => `${at.line}:${at.column} ${message}`);
}

export function definitionOf(module: Module, name: string): Definition {
  const found = module.definitions.find((definition) => definition.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

/** A type as the language would write it, numbers resolved. */
export function typeText(type: Type, name = "x"): string {
  switch (type.kind) {
    case "opaque":
      return `opaque ${name}[${type.length.value}]`;
    case "varOpaque":
      return `opaque ${name}<${type.max.value}>`;
    case "string":
      return `string ${name}<${type.max.value}>`;
    case "array":
      return `${typeText(type.element, name)}[${type.length.value}]`;
    case "varArray":
      return `${typeText(type.element, name)}<${type.max.value}>`;
    case "optional":
      return `${typeText(type.element, `*${name}`)}`;
    case "ref":
      return `${type.name} ${name}`;
    default:
      return `${type.kind} ${name}`;
  }
}

/** A definition in one line: enough to see what became of it. */
export function text(definition: Definition): string {
  const { name } = definition;
  switch (definition.kind) {
    case "typedef":
      return `typedef ${typeText(definition.type, name)}`;
    case "enum":
      return `enum ${name} { ${definition.members.map((member) => `${member.name} = ${member.value}`).join(", ")} }`;
    case "struct":
      return `struct ${name} { ${definition.fields.map((field) => `${typeText(field.type, field.name)};`).join(" ")} }`;
    case "union": {
      const arm = (field?: { name: string; type: Type }): string =>
        field === undefined ? "void;" : `${typeText(field.type, field.name)};`;
      const cases = definition.cases.map(
        ({ labels, field }) => `${labels.map(({ value }) => `case ${value}:`).join(" ")} ${arm(field)}`,
      );
      if (definition.default !== undefined) cases.push(`default: ${arm(definition.default.field)}`);
      return `union ${name} switch (${typeText(definition.discriminant.type, definition.discriminant.name)}) { ${cases.join(" ")} }`;
    }
  }
}
