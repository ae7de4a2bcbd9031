// Generated from unions.x by `virtwire codegen`. Do not edit: change the .x file or the generator.
import {
  decodeInt,
  encodeInt,
  inField,
  type OpenEnum,
  plain,
  type XdrReader,
  type XdrWriter,
} from "../../../../../src/xdr/index.js";

export const LAST = 9;

/** status */
export const Status = {
  STATUS_OK: 0,
  STATUS_BUSY: 1,
  STATUS_LATER: 2,
} as const;
export type Status = OpenEnum<typeof Status>;

export function encodeStatus(w: XdrWriter, v: Status, at?: string): void {
  w.int32(v, at);
}

export function decodeStatus(r: XdrReader, at?: string): Status {
  return r.enumeration(Status, at);
}

/** by_int */
export type ByInt =
  | { type: 1; value: number } // number
  | { type: typeof LAST; value: string } // text
  | { type: -4 };

const PlainByInt = /* @__PURE__ */ plain(function (
  this: { type: number; value: unknown },
  type: number,
  value: unknown,
) {
  this.type = type;
  this.value = value;
});

export function encodeByInt(w: XdrWriter, v: ByInt, at?: string): void {
  try {
    w.int32(v.type, "type");
    switch (v.type) {
      case 1:
        w.int32(v.value, "value");
        break;
      case LAST:
        w.string(v.value, 10, "value");
        break;
      case -4:
        break;
      default:
        w.noArm((v as ByInt).type, "type");
    }
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeByInt(r: XdrReader, at?: string): ByInt {
  try {
    const tag = r.int32("type");
    switch (tag) {
      case 1:
        return new PlainByInt(1, r.int32("value")) as ByInt;
      case LAST:
        return new PlainByInt(LAST, r.string(10, "value")) as ByInt;
      case -4:
        return { type: -4 };
      default:
        return r.noArm(tag, "type");
    }
  } catch (error) {
    throw inField(error, at);
  }
}

/** by_enum */
export type ByEnum =
  | { discriminant: typeof Status.STATUS_OK; value: Uint8Array } // data
  | { discriminant: typeof Status.STATUS_BUSY; value: bigint } // retry_after: unsigned hyper
  | { discriminant: typeof Status.STATUS_LATER; value: bigint }; // retry_after: unsigned hyper

const PlainByEnum = /* @__PURE__ */ plain(function (
  this: { discriminant: Status; value: unknown },
  discriminant: Status,
  value: unknown,
) {
  this.discriminant = discriminant;
  this.value = value;
});

export function encodeByEnum(w: XdrWriter, v: ByEnum, at?: string): void {
  try {
    encodeStatus(w, v.discriminant, "discriminant");
    switch (v.discriminant) {
      case Status.STATUS_OK:
        w.opaque(v.value, 4294967295, "value");
        break;
      case Status.STATUS_BUSY:
      case Status.STATUS_LATER:
        w.uint64(v.value, "value");
        break;
      default:
        w.noArm((v as ByEnum).discriminant, "discriminant");
    }
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeByEnum(r: XdrReader, at?: string): ByEnum {
  try {
    const tag = decodeStatus(r, "discriminant");
    switch (tag) {
      case Status.STATUS_OK:
        return new PlainByEnum(Status.STATUS_OK, r.opaque(4294967295, "value")) as ByEnum;
      case Status.STATUS_BUSY:
        return new PlainByEnum(Status.STATUS_BUSY, r.uint64("value")) as ByEnum;
      case Status.STATUS_LATER:
        return new PlainByEnum(Status.STATUS_LATER, r.uint64("value")) as ByEnum;
      default:
        return r.noArm(tag, "discriminant");
    }
  } catch (error) {
    throw inField(error, at);
  }
}

/** by_bool */
export type ByBool =
  | { present: true; value: ByInt } // inner
  | { present: false };

const PlainByBool = /* @__PURE__ */ plain(function (
  this: { present: boolean; value: unknown },
  present: boolean,
  value: unknown,
) {
  this.present = present;
  this.value = value;
});

export function encodeByBool(w: XdrWriter, v: ByBool, at?: string): void {
  try {
    w.bool(v.present, "present");
    switch (v.present) {
      case true:
        encodeByInt(w, v.value, "value");
        break;
      case false:
        break;
      default:
        w.noArm((v as ByBool).present, "present");
    }
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeByBool(r: XdrReader, at?: string): ByBool {
  try {
    const tag = r.bool("present");
    switch (tag) {
      case true:
        return new PlainByBool(true, decodeByInt(r, "value")) as ByBool;
      case false:
        return { present: false };
    }
  } catch (error) {
    throw inField(error, at);
  }
}

/** with_default */
export type WithDefault =
  | { kind: 0 }
  | { kind: number; value: number[] }; // other: at most 3

const PlainWithDefault = /* @__PURE__ */ plain(function (
  this: { kind: number; value: unknown },
  kind: number,
  value: unknown,
) {
  this.kind = kind;
  this.value = value;
});

export function encodeWithDefault(w: XdrWriter, v: WithDefault, at?: string): void {
  try {
    w.uint32(v.kind, "kind");
    switch (v.kind) {
      case 0:
        break;
      default:
        w.array((v as { value: number[] }).value, 3, encodeInt, "value");
    }
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeWithDefault(r: XdrReader, at?: string): WithDefault {
  try {
    const tag = r.uint32("kind");
    switch (tag) {
      case 0:
        return { kind: 0 };
      default:
        return new PlainWithDefault(tag, r.array(3, 4, decodeInt, "value")) as WithDefault;
    }
  } catch (error) {
    throw inField(error, at);
  }
}

/** void_default */
export type VoidDefault =
  | { kind: 7; value: number } // seven: double
  | { kind: number };

const PlainVoidDefault = /* @__PURE__ */ plain(function (
  this: { kind: number; value: unknown },
  kind: number,
  value: unknown,
) {
  this.kind = kind;
  this.value = value;
});

export function encodeVoidDefault(w: XdrWriter, v: VoidDefault, at?: string): void {
  try {
    w.int32(v.kind, "kind");
    switch (v.kind) {
      case 7:
        w.double((v as { value: number }).value, "value");
        break;
    }
  } catch (error) {
    throw inField(error, at, w.offset);
  }
}

export function decodeVoidDefault(r: XdrReader, at?: string): VoidDefault {
  try {
    const tag = r.int32("kind");
    switch (tag) {
      case 7:
        return new PlainVoidDefault(7, r.double("value")) as VoidDefault;
      default:
        return { kind: tag };
    }
  } catch (error) {
    throw inField(error, at);
  }
}
