/**
 * The types of the measured messages, once, for the peers that want a schema at run time and for turning values into
 * the form that a peer takes. Our own code and C take theirs from protocol/*.x: where the two disagree, the check before
 * the measurement fails.
 */
export type Shape =
  | { readonly kind: "int" | "uint" | "hyper" | "uhyper" | "double" }
  | { readonly kind: "string" | "opaque"; readonly max: number }
  | { readonly kind: "fixedOpaque"; readonly length: number }
  | { readonly kind: "array"; readonly max: number; readonly item: Shape }
  | { readonly kind: "optional"; readonly item: Shape }
  | Struct
  | Union;

export interface Struct {
  readonly kind: "struct";
  readonly name: string;
  readonly fields: Readonly<Record<string, Shape>>;
}

/** A union over an int; the arms by its value. */
export interface Union {
  readonly kind: "union";
  readonly name: string;
  readonly arms: readonly (readonly [type: number, name: string, shape: Shape])[];
}

/** A value as our generated code has it. */
export type Plain = number | bigint | string | Uint8Array | null | Plain[] | { [field: string]: Plain };

/** How a peer's form differs from ours. What is left out is the same. */
export interface Form {
  hyper?(value: bigint, unsigned: boolean): unknown;
  bytes?(value: Uint8Array): unknown;
  string?(value: string): unknown;
  absent?(): unknown;
  struct?(shape: Struct, fields: Record<string, unknown>): unknown;
  union?(shape: Union, type: number, arm: string, value: unknown): unknown;
}

/** Our value in a peer's form. */
export function toForm(form: Form, shape: Shape, value: Plain): unknown {
  switch (shape.kind) {
    case "hyper":
    case "uhyper":
      return form.hyper?.(value as bigint, shape.kind === "uhyper") ?? value;
    case "opaque":
    case "fixedOpaque":
      return form.bytes?.(value as Uint8Array) ?? value;
    case "string":
      return form.string?.(value as string) ?? value;
    case "array":
      return (value as Plain[]).map((item) => toForm(form, shape.item, item));
    case "optional":
      if (value !== null) return toForm(form, shape.item, value);
      return form.absent === undefined ? null : form.absent();
    case "struct": {
      const fields: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(shape.fields)) {
        fields[name] = toForm(form, field, (value as Record<string, Plain>)[name] as Plain);
      }
      return form.struct?.(shape, fields) ?? fields;
    }
    case "union": {
      const { type, value: inner } = value as { type: number; value: Plain };
      const [, arm, armShape] = armOf(shape, type);
      const converted = toForm(form, armShape, inner);
      return form.union?.(shape, type, arm, converted) ?? { type, value: converted };
    }
    default:
      return value;
  }
}

/** How to read a peer's form. What is left out is the same as ours. */
export interface BackForm {
  hyper?(value: unknown, unsigned: boolean): bigint;
  bytes?(value: unknown): Uint8Array;
  string?(value: unknown): string;
  /** The fields by name. */
  struct?(value: unknown): Record<string, unknown>;
  union?(shape: Union, value: unknown): { type: number; value: unknown };
}

/** A peer's value as ours, for comparing. */
export function fromForm(form: BackForm, shape: Shape, value: unknown): Plain {
  switch (shape.kind) {
    case "hyper":
    case "uhyper":
      return form.hyper?.(value, shape.kind === "uhyper") ?? (value as bigint);
    case "opaque":
    case "fixedOpaque":
      return form.bytes?.(value) ?? Uint8Array.from(value as Uint8Array);
    case "string":
      return form.string?.(value) ?? (value as string);
    case "array":
      return (value as unknown[]).map((item) => fromForm(form, shape.item, item));
    case "optional":
      return value === null || value === undefined ? null : fromForm(form, shape.item, value);
    case "struct": {
      const fields = form.struct?.(value) ?? (value as Record<string, unknown>);
      return Object.fromEntries(
        Object.entries(shape.fields).map(([name, field]) => [name, fromForm(form, field, fields[name])]),
      );
    }
    case "union": {
      const { type, value: inner } = form.union?.(shape, value) ?? (value as { type: number; value: unknown });
      return { type, value: fromForm(form, armOf(shape, type)[2], inner) };
    }
    default:
      return value as number;
  }
}

function armOf(shape: Union, type: number): Union["arms"][number] {
  const arm = shape.arms.find(([of]) => of === type);
  if (arm === undefined) throw new Error(`${shape.name} has no arm ${type}`);
  return arm;
}

/** The structs and unions that a shape consists of, inner ones first, itself included. */
export function partsOf(shape: Shape, seen: Map<string, Struct | Union> = new Map()): Map<string, Struct | Union> {
  if (shape.kind === "array" || shape.kind === "optional") partsOf(shape.item, seen);
  if (shape.kind === "struct") for (const field of Object.values(shape.fields)) partsOf(field, seen);
  if (shape.kind === "union") for (const [, , arm] of shape.arms) partsOf(arm, seen);
  if (shape.kind === "struct" || shape.kind === "union") seen.set(shape.name, shape);
  return seen;
}
