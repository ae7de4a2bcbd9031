/** Any bytes, given to the library and to the slow reader: both take them for the same value, or both refuse them. */
import { AssertionError, deepStrictEqual } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { XdrError, type XdrErrorCode } from "../../src/xdr/index.ts";
import { toHex } from "../xdr/plain.ts";
import { typeNamed } from "../xdr/registry.ts";
import { footprint, mostFor } from "./footprint.ts";
import { counts, seed } from "./settings.ts";
import { Refusal, type SlowResult, slowRead } from "./slow-reader.ts";

/** The only reasons that lenient decoding has. */
const lenient = new Set<XdrErrorCode>(["short", "limit", "utf8", "union"]);

/** @throws {AssertionError} with the input, where the two differ. Returns what lenient decoding made of the bytes. */
export function judge(name: string, bytes: Uint8Array): XdrError | undefined {
  return withoutStackTraces(() => {
    judgeOnce(name, bytes, true);
    return judgeOnce(name, bytes, false);
  });
}

/** Most of the time would go into stack traces of errors that are what the test wants. */
export function withoutStackTraces<T>(run: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function judgeOnce(name: string, bytes: Uint8Array, strict: boolean): XdrError | undefined {
  let ours: { value: unknown } | XdrError;
  try {
    ours = { value: typeNamed(name).decode(bytes, { strict }) };
  } catch (error) {
    if (!(error instanceof XdrError)) throw differs(name, bytes, strict, "an error that is no XdrError", error);
    ours = error;
  }
  let theirs: SlowResult | Refusal;
  try {
    theirs = slowRead(name, bytes, strict);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    theirs = error;
  }

  if (ours instanceof XdrError) {
    counts.refused++;
    if (!(theirs instanceof Refusal)) throw differs(name, bytes, strict, "refused what the slow reader takes", ours);
    const problem = mismatch(ours, theirs, strict, bytes.length);
    if (problem !== undefined) throw differs(name, bytes, strict, `${problem}; slow reader: ${theirs.message}`, ours);
    return ours;
  }
  counts.accepted++;
  if (theirs instanceof Refusal) {
    throw differs(name, bytes, strict, `taken, but the slow reader refuses: ${theirs.message}`);
  }
  if (!isDeepStrictEqual(ours.value, theirs.value)) {
    try {
      deepStrictEqual(ours.value, theirs.value);
    } catch (error) {
      throw differs(name, bytes, strict, "another value than the slow reader's", error);
    }
  }
  const size = footprint(ours.value);
  if (size > mostFor(bytes.length)) throw differs(name, bytes, strict, `a value of ${size} bytes from ${bytes.length}`);
  if (!strict) reencodes(name, bytes, ours.value);
  return undefined;
}

/**
 * The first thing wrong is the same, and so is the field. Except that a reader may see earlier, from a count or the size
 * of a run of fields, that bytes are missing, whatever else is wrong before the end of them.
 */
function mismatch(ours: XdrError, theirs: Refusal, strict: boolean, size: number): string | undefined {
  if (!strict && !lenient.has(ours.code)) return "a strict reason without strict";
  if (ours.offset < 0 || ours.offset > size) return `an offset outside the ${size} bytes`;
  if (!ours.message.startsWith(`${ours.code} at byte ${ours.offset}`)) return "a message that does not say where";
  if (ours.code === "short")
    return theirs.code !== "short" || isIn(theirs.path, ours.path) ? undefined : "another field";
  if (ours.code !== theirs.code) return "another reason";
  return ours.path === theirs.path ? undefined : "another field";
}

function isIn(path: string, outer: string): boolean {
  return outer === "" || path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`);
}

/** What has been taken once can be sent, and then means the same. */
function reencodes(name: string, bytes: Uint8Array, value: unknown): void {
  let again: unknown;
  try {
    again = typeNamed(name).decode(typeNamed(name).encode(value));
  } catch (error) {
    throw differs(name, bytes, false, "decoded, but does not encode and decode again", error);
  }
  if (!isDeepStrictEqual(again, value))
    throw differs(name, bytes, false, "another value once encoded and decoded again");
}

function differs(name: string, bytes: Uint8Array, strict: boolean, what: string, cause?: unknown): AssertionError {
  const because = cause instanceof Error ? `\n${cause.name}: ${cause.message}` : "";
  const how = strict ? "strict" : "lenient";
  const message = `${name}, ${how}: ${what}${because}\nbytes: ${toHex(bytes)}\nVIRTWIRE_FUZZ_SEED=${seed}`;
  return Object.assign(new AssertionError({ message }), { cause });
}
