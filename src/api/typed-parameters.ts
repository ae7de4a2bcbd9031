import { VirDrvFeature, VirErrorDomain, VirErrorNumber, VirTypedParameterFlags } from "../generated/libvirt/index.ts";
import {
  type TypedParam,
  type TypedParamValue,
  VIR_TYPED_PARAM_BOOLEAN,
  VIR_TYPED_PARAM_DOUBLE,
  VIR_TYPED_PARAM_INT,
  VIR_TYPED_PARAM_LLONG,
  VIR_TYPED_PARAM_STRING,
  VIR_TYPED_PARAM_UINT,
  VIR_TYPED_PARAM_ULLONG,
} from "../generated/remote/index.ts";
import { type VirtError, virtError } from "../rpc/index.ts";
import type { CallOptions } from "../xdr/index.ts";

/** A value as it comes: int, unsigned int and double as number, long long and unsigned long long as bigint. */
export type TypedValue = number | bigint | boolean | string;

/** Under this key a {@link TypedParameters} has them as they came: in order, with their types. */
export const inOrder: unique symbol = Symbol("typed parameters in order");

/** Typed parameters by field; one that came more than once has an array. */
export interface TypedParameters {
  [field: string]: TypedValue | TypedValue[];
  readonly [inOrder]: readonly TypedParam[];
}

/** A value to send: a plain one where the type is known by the field, or one of {@link typed}. */
export type TypedInput = TypedValue | TypedParamValue;

/**
 * Typed parameters to send: by field, an array for a field that is to be sent several times; or a list as `inOrder` has
 * it. What is undefined is not sent.
 */
export type TypedParametersInput =
  | { readonly [field: string]: TypedInput | readonly TypedInput[] | undefined }
  | readonly TypedParam[];

/** What fields are sent as, by field. */
export type FieldTypes = Readonly<Record<string, keyof typeof typed>>;

/** Says what a value is to be sent as, where the field alone does not: `{ weight: typed.uint(50) }`. */
export const typed = {
  int: (value: number): TypedParamValue => ({ type: VIR_TYPED_PARAM_INT, value }),
  uint: (value: number): TypedParamValue => ({ type: VIR_TYPED_PARAM_UINT, value }),
  llong: (value: bigint | number): TypedParamValue => ({ type: VIR_TYPED_PARAM_LLONG, value: BigInt(value) }),
  ullong: (value: bigint | number): TypedParamValue => ({ type: VIR_TYPED_PARAM_ULLONG, value: BigInt(value) }),
  double: (value: number): TypedParamValue => ({ type: VIR_TYPED_PARAM_DOUBLE, value }),
  boolean: (value: boolean): TypedParamValue => ({ type: VIR_TYPED_PARAM_BOOLEAN, value: value ? 1 : 0 }),
  string: (value: string): TypedParamValue => ({ type: VIR_TYPED_PARAM_STRING, value }),
} as const;

/** What a daemon sent, as a record. It has no prototype: a field may have any name. */
export function typedParameters(list: readonly TypedParam[]): TypedParameters {
  const record = Object.create(null, { [inOrder]: { value: list } }) as TypedParameters;
  for (const { field, value } of list) {
    const plain = value.type === VIR_TYPED_PARAM_BOOLEAN ? value.value !== 0 : value.value;
    const before = record[field];
    if (before === undefined) record[field] = plain;
    else if (Array.isArray(before)) before.push(plain);
    else record[field] = [before, plain];
  }
  return record;
}

/** Numbers with names, which have one type only: no typed parameters. Without a prototype for the same reason. */
export function namedNumbers(
  list: readonly { readonly field: string; readonly value: bigint }[],
): Record<string, bigint> {
  const record = Object.create(null) as Record<string, bigint>;
  for (const { field, value } of list) record[field] = value;
  return record;
}

/**
 * What is sent for the parameters that a caller gave.
 * @param types what the function's fields are sent as
 * @throws {VirtError} VIR_ERR_INVALID_ARG for a value that does not fit its type, or whose type is not known
 */
export function typedParameterList(params: TypedParametersInput, types: FieldTypes): TypedParam[] {
  if (isList(params)) return [...params];
  return Object.entries(params).flatMap(([field, given]) => {
    if (given === undefined) return [];
    const values: readonly TypedInput[] = isSeveral(given) ? given : [given];
    return values.map((value) => ({ field, value: isTyped(value) ? value : plain(field, value, types) }));
  });
}

function isList(params: TypedParametersInput): params is readonly TypedParam[] {
  return Array.isArray(params);
}

function isSeveral(given: TypedInput | readonly TypedInput[]): given is readonly TypedInput[] {
  return Array.isArray(given);
}

/** Whoever has no types to keep them from it may give null. */
function isTyped(value: TypedInput): value is TypedParamValue {
  return typeof value === "object" && value !== null;
}

function plain(field: string, value: TypedValue, types: FieldTypes): TypedParamValue {
  const type = Object.hasOwn(types, field) ? types[field] : undefined;
  switch (type) {
    case undefined: {
      const kinds = Object.keys(typed).map((kind) => `typed.${kind}`);
      throw wrong(field, `its type is not known, say which: ${kinds.join(", ")}`);
    }
    case "string":
      if (typeof value !== "string") throw wrong(field, "a string is wanted");
      return typed.string(value);
    case "boolean":
      if (typeof value !== "boolean") throw wrong(field, "true or false is wanted");
      return typed.boolean(value);
    case "double":
      if (typeof value !== "number") throw wrong(field, "a number is wanted");
      return typed.double(value);
    case "int":
    case "uint": {
      const [from, to] = type === "int" ? [-0x8000_0000, 0x7fff_ffff] : [0, 0xffff_ffff];
      const number = wholeNumber(field, value, BigInt(from), BigInt(to));
      return typed[type](Number(number));
    }
    case "llong":
      return typed.llong(wholeNumber(field, value, -(2n ** 63n), 2n ** 63n - 1n));
    case "ullong":
      return typed.ullong(wholeNumber(field, value, 0n, 2n ** 64n - 1n));
  }
}

function wholeNumber(field: string, value: TypedValue, from: bigint, to: bigint): bigint {
  const whole = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!whole) throw wrong(field, "a whole number is wanted, a bigint where it is large");
  const number = BigInt(value);
  if (number < from || number > to) throw wrong(field, `${number} is not in ${from}..${to}`);
  return number;
}

function wrong(field: string, why: string): VirtError {
  const detail = `parameter ${JSON.stringify(field)}: ${why}`;
  return virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_NONE, detail);
}

/** What a connection has to be for {@link askForStrings}. */
interface Featured {
  supportsFeature(feature: number, options?: CallOptions): Promise<boolean>;
}

const knowsStrings = new WeakMap<Featured, boolean>();

/**
 * `flags` with VIR_TYPED_PARAM_STRING_OKAY where the daemon knows it: without it, it leaves out strings. Asked for once
 * a connection.
 */
export async function askForStrings(connection: Featured, flags: number, options?: CallOptions): Promise<number> {
  let known = knowsStrings.get(connection);
  if (known === undefined) {
    known = await connection.supportsFeature(VirDrvFeature.VIR_DRV_FEATURE_TYPED_PARAM_STRING, options);
    knowsStrings.set(connection, known);
  }
  // `|` takes 32 bits as signed.
  return known ? (flags | VirTypedParameterFlags.VIR_TYPED_PARAM_STRING_OKAY) >>> 0 : flags;
}
