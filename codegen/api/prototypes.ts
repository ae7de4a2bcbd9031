/** Reads `protocol/libvirt.api`: prototypes of C functions with annotations, and the names of typed parameters. */

import { CodegenError, type Diagnostic } from "../diagnostics.ts";
import type { Location } from "../model.ts";

/** What a parameter is to a caller: given, a result, or a length that follows from the others. */
export type Role = "in" | "out" | "size";

export interface ApiParameter {
  readonly name: string;
  /** As in C, without the name: `const char *`. */
  readonly type: string;
  readonly role: Role;
}

export interface ApiFunction {
  readonly name: string;
  readonly returns: string;
  readonly parameters: readonly ApiParameter[];
  /** libvirt's header that declares it. */
  readonly header: string;
  readonly at: Location;
  /** The procedure it calls, and its program where that is not remote. */
  readonly procedure?: { readonly program: string; readonly name: string };
  readonly since: string;
  /**
   * The enumeration behind an integer parameter, by the parameter's name. With `|` the constant of the 32nd bit, which
   * is no value of an enum.
   */
  readonly enums: ReadonlyMap<string, string>;
  /** What the fields of its typed parameters begin with. */
  readonly fields?: string;
  /** Whether `flags` has to say that typed parameters may be strings. */
  readonly strings: boolean;
  /** Parameters that may be left out, besides those that may be null. */
  readonly optional: readonly string[];
  /** `void` for an int that only says success; otherwise the name of the returned number beside other results. */
  readonly returned?: string;
  /** Who has the method, where it is not generated: a key of {@link elsewhere}. */
  readonly by?: Elsewhere;
  /** Units and the like, for the docstring. */
  readonly about?: string;
  /** What becomes of a guest's id: there is none afterwards, or the reply has it. */
  readonly id?: "gone" | "returned";
}

export interface TypedField {
  readonly name: string;
  /** On the wire. */
  readonly value: string;
  /** As in `uint`; several where libvirt takes or uses several, none where it is the beginning of a name or unknown. */
  readonly types: readonly string[];
  readonly since: string;
}

export interface ApiFile {
  readonly file: string;
  readonly functions: readonly ApiFunction[];
  readonly fields: readonly TypedField[];
}

/** Who has what is not generated, for the coverage table. */
export const elsewhere = {
  hand: "written by hand in `src/api/base/`",
  client: "written by hand in `src/api/connection.ts` and `src/client/`",
  connect: "`connect()`",
  events: "events",
  migration: "`virtwire/migration`",
  streams: "the stream that a method returns",
  admin: "left out: administration",
  record: "typed parameters are plain records",
  collector: "not needed: what is no longer used is collected",
  errors: "not needed: errors are thrown",
  loop: "not needed: Node's event loop",
  process: "left out: it acts on the calling process",
  renamed: "left out: the old name of another function",
} as const;
export type Elsewhere = keyof typeof elsewhere;

const TYPES = new Set(["int", "uint", "llong", "ullong", "double", "boolean", "string"]);
const ANNOTATIONS = new Set([
  "procedure",
  "since",
  "enum",
  "fields",
  "strings",
  "optional",
  "returns",
  "by",
  "id",
  "type",
  "about",
]);

/** @throws {CodegenError} with every line that cannot be read */
export function parseApi(source: string, file: string): ApiFile {
  const functions: ApiFunction[] = [];
  const fields: TypedField[] = [];
  const problems: Diagnostic[] = [];
  let header = "";
  let notes: ReadonlyMap<string, string> | undefined;
  const lines = source.replace(/\/\*(?!\*| ----)[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, "")).split("\n");
  lines.forEach((text, index) => {
    const at = { file, line: index + 1, column: 1 };
    const wrong = (message: string) =>
      problems.push({ severity: "error", message, at, length: text.length, excerpt: text });
    if (text.trim() === "") return;
    const section = /^\/\* ---- (.*?) ---- \*\/$/.exec(text);
    const comment = /^\/\*\* (.*) \*\/$/.exec(text);
    if (section !== null) {
      header = section[1]!;
      return;
    }
    if (comment !== null) {
      notes = annotations(comment[1]!);
      for (const name of notes.keys()) if (!ANNOTATIONS.has(name)) wrong(`unknown annotation @${name}`);
      return;
    }
    const own = notes ?? new Map<string, string>();
    notes = undefined;
    const since = own.get("since") ?? "";
    if (!/^\d+\.\d+\.\d+$/.test(since)) wrong("a release is missing: @since: X.Y.Z");
    const define = /^#define (\w+) "([^"]*)"$/.exec(text);
    if (define !== null) {
      const types = words(own.get("type"));
      for (const type of types) if (!TYPES.has(type)) wrong(`no type of a typed parameter: ${type}`);
      fields.push({ name: define[1]!, value: define[2]!, types, since });
      return;
    }
    const prototype = /^(\S.*[\s*])(vir\w+)\((.*)\);$/.exec(text);
    const parameters = prototype === null ? undefined : parametersOf(prototype[3]!);
    if (prototype === null || parameters === undefined) {
      wrong("a prototype, a #define or a comment is expected");
      return;
    }
    const by = own.get("by");
    if (by !== undefined && !Object.hasOwn(elsewhere, by)) wrong(`@by: ${by} is not known`);
    const id = own.get("id");
    if (id !== undefined && id !== "gone" && id !== "returned") wrong("@id is gone or returned");
    const procedure = own.get("procedure")?.split(" ");
    const named = own.get("fields");
    const returned = own.get("returns");
    const about = own.get("about");
    functions.push({
      name: prototype[2]!,
      returns: prototype[1]!.trim(),
      parameters,
      header,
      at,
      since,
      ...(procedure === undefined
        ? {}
        : { procedure: { program: procedure.length === 2 ? procedure[0]! : "remote", name: procedure.at(-1)! } }),
      enums: new Map(words(own.get("enum")).map((pair) => pair.split("=") as [string, string])),
      ...(named === undefined ? {} : { fields: named }),
      strings: own.get("strings") === "flag",
      optional: words(own.get("optional")),
      ...(returned === undefined ? {} : { returned }),
      ...(by === undefined ? {} : { by: by as Elsewhere }),
      ...(about === undefined ? {} : { about }),
      ...(id === undefined ? {} : { id: id as "gone" | "returned" }),
    });
  });
  if (problems.length > 0) throw new CodegenError(problems);
  return { file, functions, fields };
}

function annotations(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split(/(?:^|\s)@(?=\w+:)/)
      .slice(1)
      .map((part) => {
        const colon = part.indexOf(":");
        return [part.slice(0, colon), part.slice(colon + 1).trim()];
      }),
  );
}

function words(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(/,\s*/);
}

function parametersOf(text: string): ApiParameter[] | undefined {
  if (text === "void") return [];
  const found: ApiParameter[] = [];
  for (const each of text.split(", ")) {
    const parts = /^(?:(out|size) )?(\S.*[\s*])(\w+)$/.exec(each);
    if (parts === null) return undefined;
    found.push({ name: parts[3]!, type: parts[2]!.trim(), role: (parts[1] as Role | undefined) ?? "in" });
  }
  return found;
}
