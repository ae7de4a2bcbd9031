/**
 * Reads a literal as RFC 4506 section 6.3 writes it: decimal, hexadecimal after `0x`, octal after `0`, each with `-` allowed.
 *
 * @returns the value; `"digits"` when the text is no number in its base; `"range"` when it does not fit -2^63 to 2^64 - 1.
 */
export function parseNumber(text: string): bigint | "digits" | "range" {
  if (text.length > LONGEST) return "range";
  const parts = /^(-?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]+)|(0|[1-9][0-9]*))$/.exec(text);
  if (parts === null) return "digits";
  const [, sign, hexadecimal, octal, decimal] = parts;
  const magnitude = BigInt(decimal ?? (octal === undefined ? `0x${hexadecimal}` : `0o${octal}`));
  const value = sign === "-" ? -magnitude : magnitude;
  return MIN <= value && value <= MAX ? value : "range";
}

const MIN = -(2n ** 63n);
const MAX = 2n ** 64n - 1n;
/** 2^64 has 22 digits in octal; the rest is for leading zeros. */
const LONGEST = 40;
