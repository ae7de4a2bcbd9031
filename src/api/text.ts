import { XdrError } from "../xdr/index.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text in an array of C chars: up to the first NUL, where there is one.
 * @param at the member of the reply, for the error
 * @throws {XdrError} `utf8` where it is none: bytes are never replaced
 */
export function textOfChars(chars: Uint8Array, at: string): string {
  const end = chars.indexOf(0);
  const text = end < 0 ? chars : chars.subarray(0, end);
  try {
    return utf8.decode(text);
  } catch (cause) {
    throw new XdrError("utf8", 0, at, `${text.byteLength} chars that are not UTF-8`, { cause });
  }
}
