import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import {
  type TypedParam,
  VIR_TYPED_PARAM_BOOLEAN,
  VIR_TYPED_PARAM_DOUBLE,
  VIR_TYPED_PARAM_INT,
  VIR_TYPED_PARAM_LLONG,
  VIR_TYPED_PARAM_STRING,
  VIR_TYPED_PARAM_UINT,
  VIR_TYPED_PARAM_ULLONG,
} from "../../generated/remote/index.ts";
import { driverError, invalidArgument } from "./driver-errors.ts";

/** libvirt's names of the types. */
const types = {
  int: VIR_TYPED_PARAM_INT,
  uint: VIR_TYPED_PARAM_UINT,
  llong: VIR_TYPED_PARAM_LLONG,
  ullong: VIR_TYPED_PARAM_ULLONG,
  double: VIR_TYPED_PARAM_DOUBLE,
  boolean: VIR_TYPED_PARAM_BOOLEAN,
  string: VIR_TYPED_PARAM_STRING,
} as const;
type TypeName = keyof typeof types;
const names = new Map<number, TypeName>(Object.entries(types).map(([name, type]) => [type, name as TypeName]));

/** VIR_TYPED_PARAM_STRING_OKAY: without it in the flags, a client takes no strings. */
export const STRING_OKAY = 4;

/** Makes typed parameters: `param.uint("weight", 50)`. */
export const param = {
  int: (field: string, value: number): TypedParam => ({ field, value: { type: VIR_TYPED_PARAM_INT, value } }),
  uint: (field: string, value: number): TypedParam => ({ field, value: { type: VIR_TYPED_PARAM_UINT, value } }),
  llong: (field: string, value: bigint): TypedParam => ({ field, value: { type: VIR_TYPED_PARAM_LLONG, value } }),
  ullong: (field: string, value: bigint): TypedParam => ({ field, value: { type: VIR_TYPED_PARAM_ULLONG, value } }),
  boolean: (field: string, value: boolean): TypedParam => ({
    field,
    value: { type: VIR_TYPED_PARAM_BOOLEAN, value: value ? 1 : 0 },
  }),
  string: (field: string, value: string): TypedParam => ({ field, value: { type: VIR_TYPED_PARAM_STRING, value } }),
};

/** What a caller sent, checked, by field. */
export interface CheckedParams {
  number(field: string): number | undefined;
  bigint(field: string): bigint | undefined;
  boolean(field: string): boolean | undefined;
  string(field: string): string | undefined;
}

/**
 * Checks what a caller sent against the fields that are known and their types. None may come twice.
 *
 * @throws {VirtError} in the words of virTypedParamsValidate, libvirt src/util/virtypedparam.c.
 */
export function checkParams(params: readonly TypedParam[], known: Readonly<Record<string, TypeName>>): CheckedParams {
  const values = new Map<string, unknown>();
  for (const { field, value } of params) {
    if (values.has(field)) throw invalidArgument(`parameter '${field}' occurs multiple times`);
    const expected = Object.hasOwn(known, field) ? known[field] : undefined;
    if (expected === undefined) {
      throw driverError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, `parameter '${field}' not supported`);
    }
    if (value.type !== types[expected]) {
      const type = names.get(value.type) ?? "unknown";
      throw invalidArgument(`invalid type '${type}' for parameter '${field}', expected '${expected}'`);
    }
    values.set(field, value.value);
  }
  return {
    number: (field) => values.get(field) as number | undefined,
    bigint: (field) => values.get(field) as bigint | undefined,
    boolean: (field) => (values.has(field) ? values.get(field) !== 0 : undefined),
    string: (field) => values.get(field) as string | undefined,
  };
}

/**
 * What a "get parameters" call answers: called with 0, how many there are; called again with that number, the
 * parameters, without strings for a client that takes none.
 */
export function answerParams(
  all: readonly TypedParam[],
  nparams: number,
  flags: number,
): { params: TypedParam[]; nparams: number } {
  if (nparams === 0) return { params: [], nparams: all.length };
  const taken = all.slice(0, Math.max(0, nparams));
  const strings = (flags & STRING_OKAY) !== 0;
  const params = strings ? taken : taken.filter(({ value }) => value.type !== VIR_TYPED_PARAM_STRING);
  return { params, nparams: params.length };
}
