/**
 * What a `.x` file means once it is parsed and checked: the interface between the checker and the emitters.
 * Everything is plain data, every name is resolved and every limit is a number.
 */

/** Where something stands in a `.x` file. Lines and columns count from 1, columns in UTF-16 units. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A number in the source: the value, and the name it was written with where it was a name. */
export interface NumberRef {
  readonly value: number;
  /** The constant's or enumerator's name, absent where the source has a literal. */
  readonly name?: string;
}

/** The type of a field, a typedef's target, a union arm, an argument or a result. RFC 4506 section 4. */
export type Type =
  | { readonly kind: Primitive }
  | { readonly kind: "opaque"; readonly length: NumberRef } // opaque x[n]
  | { readonly kind: "varOpaque"; readonly max: NumberRef } // opaque x<n>
  | { readonly kind: "string"; readonly max: NumberRef }
  | { readonly kind: "array"; readonly element: Type; readonly length: NumberRef }
  | { readonly kind: "varArray"; readonly element: Type; readonly max: NumberRef }
  | { readonly kind: "optional"; readonly element: Type }
  | { readonly kind: "ref"; readonly name: string };

/** `char`, `uchar`, `short` and `ushort` are rpcgen's: four bytes each on the wire. */
export type Primitive =
  | "int"
  | "uint"
  | "hyper"
  | "uhyper"
  | "float"
  | "double"
  | "quadruple"
  | "bool"
  | "char"
  | "uchar"
  | "short"
  | "ushort"
  | "void";

/** The largest length XDR can say: what `<>` means (RFC 4506 section 4.10). */
export const NO_LIMIT = 0xffffffff;

export interface Constant {
  readonly name: string;
  /** -2^63 to 2^64 - 1; a number where it is a safe integer. */
  readonly value: number | bigint;
  readonly at: Location;
}

export interface Field {
  readonly name: string;
  readonly type: Type;
  readonly at: Location;
  /** libvirt's member comments, as written without the comment signs: `insert@1`, `(const char **)`. */
  readonly notes: readonly string[];
}

export interface UnionCase {
  /** Label values; several where `case` lines are stacked. */
  readonly labels: readonly NumberRef[];
  /** Absent in a void arm. */
  readonly field?: Field;
}

interface Named {
  /** As in the `.x` file. */
  readonly name: string;
  readonly at: Location;
}

export interface Typedef extends Named {
  readonly kind: "typedef";
  readonly type: Type;
}
export interface Struct extends Named {
  readonly kind: "struct";
  readonly fields: readonly Field[];
  /** libvirt's comments behind the opening brace, as in {@link Field}: `insert@1` says how a result comes back. */
  readonly notes: readonly string[];
}
export interface Enum extends Named {
  readonly kind: "enum";
  readonly members: readonly { readonly name: string; readonly value: number; readonly at: Location }[];
}
export interface Union extends Named {
  readonly kind: "union";
  readonly discriminant: Field;
  readonly cases: readonly UnionCase[];
  /** Absent: a discriminant without its case is an error. `{}`: void. */
  readonly default?: { readonly field?: Field };
}
export type Definition = Typedef | Struct | Enum | Union;

/** Which way a stream opened by a procedure carries data, seen from the client. */
export type StreamDirection = "read" | "write" | "both";

export interface Procedure {
  /** Without the program's prefix: `DOMAIN_GET_INFO`. */
  readonly name: string;
  readonly number: number;
  /** Arguments in order. libvirt's dialect has none or one; RFC 5531's `program` block may have several. */
  readonly args: readonly Type[];
  readonly ret: Type | null;
  /** A procedure with a message is an event: sent by the server, never called. */
  readonly msg: Type | null;
  readonly annotations: Annotations;
  readonly at: Location;
}

/** libvirt's annotation comments, and ours (`stream`, `fds`, `since`: see `protocol/README.md`). */
export interface Annotations {
  readonly generate?: "both" | "client" | "server" | "none";
  readonly priority?: "high" | "low";
  readonly readstream?: number;
  readonly writestream?: number;
  readonly sparseflag?: string;
  readonly acl: readonly string[];
  readonly aclfilter: readonly string[];
  readonly stream?: StreamDirection;
  readonly fds?: "in" | "out" | "both";
  readonly since?: string;
}

export interface Program {
  /** `REMOTE`, or the identifier of a `program` block. */
  readonly name: string;
  readonly number: number;
  readonly version: number;
  readonly procedures: readonly Procedure[];
}

/** One `.x` file. */
export interface Module {
  readonly file: string;
  /** The modules that a `%#include "FILE.x"` names; their constants and types are visible here. */
  readonly imports: readonly Module[];
  readonly constants: readonly Constant[];
  /** In file order; a type may be used before its definition only behind a pointer or array. */
  readonly definitions: readonly Definition[];
  /** Empty for a file of types only; more than one where a file has several `program`/`version` blocks. */
  readonly programs: readonly Program[];
}
