// Generated from records.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { inField, type OpenEnum, plain, type XdrReader, type XdrWriter } from "../../../../../src/xdr/index.js";

export const HERD_NAME_MAX = 64;
export const HERD_COWS_MAX = 16384;
export const HERD_PROGRAM = 536903832;
export const HERD_PROTOCOL_VERSION = 1;

/** herd_name */
export type Name = string;

export function encodeName(w: XdrWriter, v: Name, at?: string): void {
  w.string(v, HERD_NAME_MAX, at);
}

export function decodeName(r: XdrReader, at?: string): Name {
  return r.string(HERD_NAME_MAX, at);
}

/** herd_cow */
export interface Cow {
  breed: string;
  age: number;
}

const PlainCow = /* @__PURE__ */ plain(function (this: Cow, breed: string, age: number) {
  this.breed = breed;
  this.age = age;
});

export function encodeCow(w: XdrWriter, v: Cow, at?: string): void {
  try {
    w.name(v.breed, HERD_NAME_MAX, "breed");
    w.int32(v.age, "age");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeCow(r: XdrReader, at?: string): Cow {
  try {
    return new PlainCow(r.name(HERD_NAME_MAX, "breed"), r.int32("age"));
  } catch (error) {
    throw inField(error, at);
  }
}

/** herd_list_cows_args */
export interface ListCowsArgs {
  /** unsigned int */
  flags: number;
}

export function encodeListCowsArgs(w: XdrWriter, v: ListCowsArgs): void {
  w.uint32(v.flags, "flags");
}

export function decodeListCowsArgs(r: XdrReader): ListCowsArgs {
  return { flags: r.uint32("flags") };
}

/** herd_list_cows_ret */
export interface ListCowsRet {
  /** at most HERD_COWS_MAX (16384) */
  cows: Cow[];
  /** unsigned int */
  ret: number;
}

export function encodeListCowsRet(w: XdrWriter, v: ListCowsRet): void {
  encodeEachCow(w, v.cows, HERD_COWS_MAX, "cows");
  w.uint32(v.ret, "ret");
}

export function decodeListCowsRet(r: XdrReader): ListCowsRet {
  return {
    cows: decodeEachCow(r, HERD_COWS_MAX, "cows"),
    ret: r.uint32("ret"),
  };
}

/** herd_weigh_ret */
export interface WeighRet {
  all: boolean;
  /** at most 1024 */
  cows: Cow[];
}

export function encodeWeighRet(w: XdrWriter, v: WeighRet): void {
  w.bool(v.all, "all");
  encodeEachCow(w, v.cows, 1024, "cows");
}

export function decodeWeighRet(r: XdrReader): WeighRet {
  return {
    all: r.bool("all"),
    cows: decodeEachCow(r, 1024, "cows"),
  };
}

/** herd_list_calves_ret */
export interface ListCalvesRet {
  /** at most 1023 */
  calves: Cow[];
}

export function encodeListCalvesRet(w: XdrWriter, v: ListCalvesRet): void {
  encodeEachCow(w, v.calves, 1023, "calves");
}

export function decodeListCalvesRet(r: XdrReader): ListCalvesRet {
  return { calves: decodeEachCow(r, 1023, "calves") };
}

/** herd_list_names_ret */
export interface ListNamesRet {
  /** at most HERD_COWS_MAX (16384) */
  names: string[];
}

export function encodeListNamesRet(w: XdrWriter, v: ListNamesRet): void {
  w.array(v.names, HERD_COWS_MAX, encodeName, "names");
}

export function decodeListNamesRet(r: XdrReader): ListNamesRet {
  return { names: r.array(HERD_COWS_MAX, 4, decodeName, "names") };
}

/** herd_describe_ret */
export interface DescribeRet {
  /** at most HERD_COWS_MAX (16384) */
  cows: Cow[];
  text: string;
}

export function encodeDescribeRet(w: XdrWriter, v: DescribeRet): void {
  encodeEachCow(w, v.cows, HERD_COWS_MAX, "cows");
  w.string(v.text, HERD_NAME_MAX, "text");
}

export function decodeDescribeRet(r: XdrReader): DescribeRet {
  return {
    cows: decodeEachCow(r, HERD_COWS_MAX, "cows"),
    text: r.string(HERD_NAME_MAX, "text"),
  };
}

/** herd_procedure */
export const HerdProcedure = {
  HERD_PROC_LIST_COWS: 1,
  HERD_PROC_WEIGH: 2,
  HERD_PROC_LIST_CALVES: 3,
  HERD_PROC_LIST_NAMES: 4,
  HERD_PROC_DESCRIBE: 5,
} as const;
export type HerdProcedure = OpenEnum<typeof HerdProcedure>;

export function encodeHerdProcedure(w: XdrWriter, v: HerdProcedure, at?: string): void {
  w.int32(v, at);
}

export function decodeHerdProcedure(r: XdrReader, at?: string): HerdProcedure {
  return r.enumeration(HerdProcedure, at);
}

function encodeEachCow(w: XdrWriter, v: readonly Cow[], max: number, at = ""): void {
  w.count(v, max, at);
  let i = 0;
  try {
    for (; i < v.length; i++) encodeCow(w, v[i] as Cow);
  } catch (error) {
    throw inField(error, `${at}[${i}]`, w.offset);
  }
}

function decodeEachCow(r: XdrReader, max: number, at = ""): Cow[] {
  const length = r.count(max, 8, at);
  const items: Cow[] = [];
  try {
    while (items.length < length) items.push(decodeCow(r));
  } catch (error) {
    throw inField(error, `${at}[${items.length}]`);
  }
  return items;
}
