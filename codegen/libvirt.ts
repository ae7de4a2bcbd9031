/** libvirt's way to write a program: constants for its numbers, an enum for its procedures, and structs found by their names. */

import { annotationsOf } from "./annotations.ts";
import { quote, type Report, type Span } from "./diagnostics.ts";
import type { Definition, Enum, Location, Procedure, Program, Type } from "./model.ts";
import { isLost, type Scope } from "./scope.ts";
import type { EnumMember, SyntaxTree } from "./syntax.ts";

const PAYLOAD = /(_(args|ret|msg)|(Args|Ret|Msg))$/;

export interface ProgramSource {
  /** This file's enums with their members as written, where the annotations are. */
  readonly enums: readonly { readonly definition: Enum; readonly members: readonly EnumMember[] }[];
  /** All that can be an argument struct; of two names alike, the first. */
  readonly definitions: Iterable<Definition>;
  /** This file's. */
  readonly own: readonly Definition[];
  readonly scope: Scope;
  readonly lost: SyntaxTree["lost"];
}

/**
 * Each enum `…procedure` whose members are `PREFIX_PROC_NAME`, where `PREFIX_PROGRAM` and `PREFIX_PROTOCOL_VERSION` (or
 * `PREFIX_PROGRAM_VERSION`) are constants.
 *
 * @source src/rpc/gendispatch.pl: a procedure's structs have its name and `_args`, `_ret` or `_msg`, whatever the case and underscores.
 */
export function libvirtPrograms({ enums, definitions, own, scope, lost }: ProgramSource, report: Report): Program[] {
  let structs: ReadonlyMap<string, string> | undefined;
  return enums.flatMap(({ definition, members }) => {
    const prefix = /^(\w+?)_PROC_/.exec(definition.members[0]?.name ?? "")?.[1];
    if (prefix === undefined || !/procedure$/i.test(definition.name)) return [];
    const number = scope.constant(`${prefix}_PROGRAM`);
    if (number === undefined) {
      const missing = `${prefix}_PROGRAM`;
      if (!scope.has(missing) && !isLost(lost, missing))
        report.warning(spanOf(definition), `no program: there is no constant ${quote(missing)}`);
      return [];
    }
    const version = scope.constant(`${prefix}_PROTOCOL_VERSION`) ?? scope.constant(`${prefix}_PROGRAM_VERSION`);
    if (version === undefined) {
      const missing = `there is ${prefix}_PROGRAM but neither ${prefix}_PROTOCOL_VERSION nor ${prefix}_PROGRAM_VERSION`;
      if (!isLost(lost, `${prefix}_PROTOCOL_VERSION`)) report.error(spanOf(definition), missing);
      return [];
    }
    for (const [what, value] of [
      ["program", number],
      ["version", version],
    ] as const) {
      if (value < 0n || value > 0xffffffffn)
        report.error(spanOf(definition), `the ${what} number ${value} does not fit in 32 bits`);
    }
    structs ??= structNames(definitions);
    checkNumbers(definition, lost, report);
    const procedures = definition.members.map((member, index) => {
      const name = member.name.startsWith(`${prefix}_PROC_`)
        ? member.name.slice(prefix.length + "_PROC_".length)
        : undefined;
      if (name === undefined)
        report.error(spanOf(member), `${quote(member.name)} does not begin with '${prefix}_PROC_'`);
      return procedure(prefix, name ?? member.name, member, members[index]!, structs!, report);
    });
    if (lost !== "all" && lost.size === 0) warnOfStrays(prefix, procedures, own, report);
    return [{ name: prefix, number: Number(number), version: Number(version), procedures }];
  });
}

function procedure(
  prefix: string,
  name: string,
  member: Enum["members"][number],
  { comments }: EnumMember,
  structs: ReadonlyMap<string, string>,
  report: Report,
): Procedure {
  const struct = (suffix: string): Type | null => {
    const found = structs.get(alike(`${prefix}_${name}_${suffix}`));
    return found === undefined ? null : { kind: "ref", name: found };
  };
  const args = struct("args");
  return {
    name,
    number: member.value,
    args: args === null ? [] : [args],
    ret: struct("ret"),
    msg: struct("msg"),
    annotations: annotationsOf(comments, report),
    at: member.at,
  };
}

/** The numbers are 1 to n, each once. */
function checkNumbers({ members }: Enum, lost: SyntaxTree["lost"], report: Report): void {
  const byNumber = new Map<number, Enum["members"][number]>();
  for (const member of members) {
    const first = byNumber.get(member.value);
    if (first === undefined) byNumber.set(member.value, member);
    else
      report.error(
        spanOf(member),
        `duplicate procedure number ${member.value}: first at line ${first.at.line}, ${first.name}`,
      );
  }
  let before = 0;
  for (const member of [...byNumber.values()].sort((a, b) => a.value - b.value)) {
    if (member.value < 1) report.error(spanOf(member), `procedure number ${member.value}: the first must be 1`);
    else if (member.value !== before + 1 && lost !== "all" && lost.size === 0) {
      const missing = member.value === before + 2 ? `${before + 1} is` : `${before + 1} to ${member.value - 1} are`;
      report.error(spanOf(member), `procedure number ${member.value}: ${missing} missing`);
    }
    before = Math.max(before, member.value);
  }
}

/** A struct that is named like a payload and is none: most likely one of two names is misspelt, and the call would go without. */
function warnOfStrays(
  prefix: string,
  procedures: readonly Procedure[],
  own: readonly Definition[],
  report: Report,
): void {
  const used = new Set(
    procedures.flatMap(({ args, ret, msg }) => [...args, ret, msg]).map((type) => type && "name" in type && type.name),
  );
  for (const definition of own) {
    const payload = alike(definition.name).startsWith(alike(prefix)) && PAYLOAD.test(definition.name);
    if (payload && !used.has(definition.name))
      report.warning(spanOf(definition), `no procedure of ${prefix} has ${quote(definition.name)}`);
  }
}

function structNames(definitions: Iterable<Definition>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { name } of definitions) {
    if (/(args|ret|msg)$/i.test(name) && !names.has(alike(name))) names.set(alike(name), name);
  }
  return names;
}

function alike(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

function spanOf({ name, at }: { name: string; at: Location }): Span {
  return { line: at.line, column: at.column, length: name.length };
}
