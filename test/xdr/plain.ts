/**
 * A second XDR writer, as dumb as possible, for the bytes that tests expect: it shares no line with src/xdr and checks
 * nothing. RFC 4506 by hand.
 */

/** The low four bytes of an integer, big end first. */
export function word(value: number): Uint8Array {
  const n = BigInt.asUintN(32, BigInt(value));
  return Uint8Array.from([24n, 16n, 8n, 0n], (shift) => Number((n >> shift) & 255n));
}

/** Eight bytes. */
export function hyper(value: bigint): Uint8Array {
  const n = BigInt.asUintN(64, value);
  return joined(word(Number(n >> 32n)), word(Number(n & 0xffff_ffffn)));
}

/** Bytes with zeros behind them up to a multiple of four. */
export function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : joined(bytes, new Uint8Array(4 - rest));
}

/** A counted string or opaque. */
export function counted(content: string | Uint8Array): Uint8Array {
  const bytes = typeof content === "string" ? new Uint8Array(Buffer.from(content)) : content;
  return joined(word(bytes.length), padded(bytes));
}

export function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** Hexadecimal digits to bytes; blanks, and everything from `#` to the end of a line, count for nothing. */
export function hex(digits: string | TemplateStringsArray): Uint8Array {
  const text = typeof digits === "string" ? digits : digits.join("");
  return new Uint8Array(Buffer.from(text.replace(/#.*$/gm, "").replace(/\s/g, ""), "hex"));
}
