import { decode, encode } from "@msgpack/msgpack";
import { operationFailed } from "./driver-errors.ts";
import { DIGEST_BYTES, TOKEN_BYTES } from "./memory-channel.ts";
import { formatUuid } from "./uuid.ts";

/** Longest cookie that is looked at. The longest that is made carries a domain's XML. */
const MAX_COOKIE = 4 << 20;
const MARK = "virtwire";
const VERSION = 1;
const UUID_BYTES = 16;

type FieldType = "uuid" | "token" | "digest" | "size" | "boolean" | "text?";

/** What each step hands to the next one, beside the guest's UUID. */
const layouts = {
  /** Source to Prepare. `host` is the source; `memory` the guest's bytes. */
  begin: { host: "uuid", memory: "size" },
  /** Destination to Perform. Who has the token may send the memory. */
  prepare: { token: "token", memory: "size" },
  /** Source to Finish: what was sent, and how the guest goes on. `persistentXml` with VIR_MIGRATE_PERSIST_DEST. */
  perform: { digest: "digest", paused: "boolean", persistentXml: "text?" },
  /** Destination to Confirm: the guest lives there. */
  finish: { digest: "digest" },
} as const satisfies Record<string, Record<string, FieldType>>;

type Layouts = typeof layouts;
export type CookieStep = keyof Layouts;

type FieldValue<T extends FieldType> = T extends "size"
  ? number
  : T extends "boolean"
    ? boolean
    : T extends "text?"
      ? string | null
      : Uint8Array;
export type Cookie<S extends CookieStep> = {
  readonly [K in keyof Layouts[S]]: FieldValue<Layouts[S][K] & FieldType>;
};

const fits: Record<FieldType, (value: unknown) => boolean> = {
  uuid: (value) => value instanceof Uint8Array && value.byteLength === UUID_BYTES,
  token: (value) => value instanceof Uint8Array && value.byteLength === TOKEN_BYTES,
  digest: (value) => value instanceof Uint8Array && value.byteLength === DIGEST_BYTES,
  size: (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0,
  boolean: (value) => typeof value === "boolean",
  "text?": (value) => value === null || typeof value === "string",
};

/** Makes the cookie of a step. */
export function writeCookie<S extends CookieStep>(step: S, guest: Uint8Array, cookie: Cookie<S>): Uint8Array {
  return encode({ mark: MARK, version: VERSION, step, guest, ...cookie });
}

/**
 * Reads the cookie of a step. It has been through a client's hands: nothing in it is taken for granted.
 *
 * @param guest the UUID of the guest that it must be about.
 * @throws {VirtError} VIR_ERR_OPERATION_FAILED, saying what is wrong with it.
 */
export function readCookie<S extends CookieStep>(step: S, guest: Uint8Array, bytes: Uint8Array): Cookie<S> {
  const complain = (what: string) => operationFailed(`migration cookie from the ${step} step ${what}`);
  if (bytes.byteLength === 0) throw complain("is missing");
  if (bytes.byteLength > MAX_COOKIE) throw complain(`has ${bytes.byteLength} bytes, ${MAX_COOKIE} at most`);
  let value: unknown;
  try {
    // Only a flat map of a few short things is ever made.
    value = decode(bytes, { maxArrayLength: 0, maxExtLength: 0, maxMapLength: 16, maxBinLength: 64 });
  } catch {
    throw complain("cannot be decoded: it was cut, changed, or made by another kind of host");
  }
  if (typeof value !== "object" || value === null) throw complain("is not a map");
  const fields = new Map<string, unknown>(Object.entries(value));
  if (fields.get("mark") !== MARK) throw complain("was made by another kind of host");
  if (fields.get("version") !== VERSION) throw complain("has an unknown version");
  if (fields.get("step") !== step) throw complain("belongs to another step");
  const about = fields.get("guest");
  if (!fits.uuid(about)) throw complain("lacks field 'guest'");
  if (formatUuid(about as Uint8Array) !== formatUuid(guest)) {
    throw complain(`had unexpected UUID ${formatUuid(about as Uint8Array)} vs ${formatUuid(guest)}`);
  }
  const cookie = new Map<string, unknown>();
  for (const [field, type] of Object.entries(layouts[step]) as [string, FieldType][]) {
    const found = fields.get(field);
    if (!fits[type](found)) throw complain(`has no good field '${field}'`);
    cookie.set(field, found);
  }
  return Object.fromEntries(cookie) as Cookie<S>;
}
