// Generated from dialect.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import { inField, type OpenEnum, plain, type XdrReader, type XdrWriter } from "../../../../../src/xdr/index.js";

export const PET_STRING_MAX = 64;
export const PET_PROGRAM = 536903833;
export const PET_PROTOCOL_VERSION = 1;

/** pet_nonnull_string */
export type NonnullString = string;

export function encodeNonnullString(w: XdrWriter, v: NonnullString, at?: string): void {
  w.string(v, PET_STRING_MAX, at);
}

export function decodeNonnullString(r: XdrReader, at?: string): NonnullString {
  return r.string(PET_STRING_MAX, at);
}

/** pet_string */
export type PetString = string | null;

export function encodePetString(w: XdrWriter, v: PetString, at?: string): void {
  if (w.present(v)) w.string(v, PET_STRING_MAX, at);
}

export function decodePetString(r: XdrReader, at?: string): PetString {
  return r.present(at) ? r.string(PET_STRING_MAX, at) : null;
}

/** pet_error */
export interface PetError {
  code: number;
}

const PlainPetError = /* @__PURE__ */ plain(function (this: PetError, code: number) {
  this.code = code;
});

export function encodePetError(w: XdrWriter, v: PetError, at?: string): void {
  try {
    w.int32(v.code, "code");
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodePetError(r: XdrReader, at?: string): PetError {
  try {
    return new PlainPetError(r.int32("code"));
  } catch (error) {
    throw inField(error, at);
  }
}

/** pet_animal_feed_args */
export interface AnimalFeedArgs {
  name: string;
  /** unsigned int */
  flags: number;
}

export function encodeAnimalFeedArgs(w: XdrWriter, v: AnimalFeedArgs): void {
  w.string(v.name, PET_STRING_MAX, "name");
  w.uint32(v.flags, "flags");
}

export function decodeAnimalFeedArgs(r: XdrReader): AnimalFeedArgs {
  return {
    name: r.string(PET_STRING_MAX, "name"),
    flags: r.uint32("flags"),
  };
}

/** pet_animal_feed_ret */
export interface AnimalFeedRet {
  portions: number;
}

export function encodeAnimalFeedRet(w: XdrWriter, v: AnimalFeedRet): void {
  w.int32(v.portions, "portions");
}

export function decodeAnimalFeedRet(r: XdrReader): AnimalFeedRet {
  return { portions: r.int32("portions") };
}

/** pet_animal_watch_args */
export interface AnimalWatchArgs {
  name: string;
}

export function encodeAnimalWatchArgs(w: XdrWriter, v: AnimalWatchArgs): void {
  w.string(v.name, PET_STRING_MAX, "name");
}

export function decodeAnimalWatchArgs(r: XdrReader): AnimalWatchArgs {
  return { name: r.string(PET_STRING_MAX, "name") };
}

/** pet_event_hungry_msg */
export interface EventHungryMsg {
  name: string | null;
  /** at most 3 */
  reasons: PetError[];
}

export function encodeEventHungryMsg(w: XdrWriter, v: EventHungryMsg): void {
  if (w.present(v.name)) w.string(v.name, PET_STRING_MAX, "name");
  encodeEachPetError(w, v.reasons, 3, "reasons");
}

export function decodeEventHungryMsg(r: XdrReader): EventHungryMsg {
  return {
    name: r.present("name") ? r.string(PET_STRING_MAX, "name") : null,
    reasons: decodeEachPetError(r, 3, "reasons"),
  };
}

/** pet_procedure */
export const PetProcedure = {
  PET_PROC_ANIMAL_FEED: 1,
  PET_PROC_ANIMAL_WATCH: 2,
  PET_PROC_EVENT_HUNGRY: 3,
  PET_PROC_CLOSE: 4,
} as const;
export type PetProcedure = OpenEnum<typeof PetProcedure>;

export function encodePetProcedure(w: XdrWriter, v: PetProcedure, at?: string): void {
  w.int32(v, at);
}

export function decodePetProcedure(r: XdrReader, at?: string): PetProcedure {
  return r.enumeration(PetProcedure, at);
}

function encodeEachPetError(w: XdrWriter, v: readonly PetError[], max: number, at = ""): void {
  w.count(v, max, at);
  let i = 0;
  try {
    for (; i < v.length; i++) encodePetError(w, v[i] as PetError);
  } catch (error) {
    throw inField(error, `${at}[${i}]`, w.offset);
  }
}

function decodeEachPetError(r: XdrReader, max: number, at = ""): PetError[] {
  const length = r.count(max, 4, at);
  const items: PetError[] = [];
  try {
    while (items.length < length) items.push(decodePetError(r));
  } catch (error) {
    throw inField(error, `${at}[${items.length}]`);
  }
  return items;
}
