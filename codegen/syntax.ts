/** The syntax tree: what the file says, before any name is looked up. */

import type { Span } from "./diagnostics.ts";
import type { Comment } from "./lexer.ts";
import type { Primitive } from "./model.ts";

export interface Name {
  readonly text: string;
  readonly span: Span;
}

/** A number as a literal or by a constant's name. */
export type Value = { readonly span: Span } & (
  | { readonly kind: "literal"; readonly value: bigint }
  | { readonly kind: "name"; readonly text: string }
  /** rpcgen's `const NAME = "text"`. */
  | { readonly kind: "string" }
  /** Digits that make no number: reported already. */
  | { readonly kind: "wrong" }
);

export type TypeSpecifier = { readonly span: Span } & (
  | { readonly kind: "primitive"; readonly primitive: Primitive }
  | { readonly kind: "opaque" }
  | { readonly kind: "string" }
  /** `struct foo` says in `tag` that it must be a struct. */
  | { readonly kind: "named"; readonly name: string; readonly tag?: Tag }
  | AnyBody
);

/** An anonymous type in place, or what a definition gives a name to. */
export type AnyBody =
  | { readonly kind: "struct"; readonly body: StructBody }
  | { readonly kind: "union"; readonly body: UnionBody }
  | { readonly kind: "enum"; readonly body: EnumBody };

export type Tag = "struct" | "union" | "enum";

export type Declarator =
  | { readonly kind: "plain" }
  | { readonly kind: "pointer" }
  | { readonly kind: "fixed"; readonly length: Value }
  | { readonly kind: "variable"; readonly max?: Value };

export interface Declaration {
  readonly type: TypeSpecifier;
  readonly name: Name;
  readonly declarator: Declarator;
  /** The comments on the line where the declaration ends. */
  readonly comments: readonly Comment[];
}

/** `void` where a declaration could stand. */
export interface VoidDeclaration {
  readonly void: Span;
}

export interface StructBody {
  readonly fields: readonly (Declaration | VoidDeclaration)[];
  /** The comments behind the opening brace, on its line. */
  readonly comments: readonly Comment[];
}

export interface UnionBody {
  readonly discriminant: Declaration | VoidDeclaration;
  readonly arms: readonly { readonly labels: readonly Value[]; readonly body: Declaration | VoidDeclaration }[];
  readonly default?: Declaration | VoidDeclaration;
}

export interface EnumBody {
  readonly members: readonly EnumMember[];
}

export interface EnumMember {
  readonly name: Name;
  /** Absent: one more than the member before. rpcgen takes this, the RFC does not. */
  readonly value?: Value;
  /** Everything between the member before and this one. */
  readonly comments: readonly Comment[];
}

export interface ProcedureSyntax {
  readonly name: Name;
  readonly number: Value;
  readonly args: readonly Argument[];
  readonly result: Argument;
  readonly comments: readonly Comment[];
}

/** An argument or a result: no name counts here, and only `string` may have a limit. */
export interface Argument {
  readonly type: TypeSpecifier;
  readonly declarator: Declarator;
}

export interface VersionSyntax {
  readonly name: Name;
  readonly number: Value;
  readonly procedures: readonly ProcedureSyntax[];
}

export type DefinitionSyntax =
  | { readonly kind: "const"; readonly name: Name; readonly value: Value }
  | { readonly kind: "typedef"; readonly declaration: Declaration }
  | ({ readonly name: Name } & AnyBody)
  | ProgramSyntax;

export interface ProgramSyntax {
  readonly kind: "program";
  readonly name: Name;
  readonly number: Value;
  readonly versions: readonly VersionSyntax[];
}

/** `#define NAME number`, `#define NAME OTHER` or `#define NAME OTHER+1`; with `%` before it too. */
export interface Define {
  readonly name: Name;
  readonly base?: string;
  readonly add: bigint;
  /** With `%`: C's business, and a constant only where the file uses the name. */
  readonly passed: boolean;
}

export interface Include {
  /** As written, without quotes or angle brackets. */
  readonly path: string;
  readonly span: Span;
}

export interface SyntaxTree {
  readonly definitions: readonly DefinitionSyntax[];
  readonly includes: readonly Include[];
  readonly defines: readonly Define[];
  /** Where a `#define` gives a name what is no number. */
  readonly macros: ReadonlyMap<string, Span>;
  /** The words among what was passed over after mistakes: a name that is missing here but in there is not another mistake. */
  readonly lost: ReadonlySet<string> | "all";
}
