/** What is wrong with the bytes or the value. */
export type XdrErrorCode =
  | "short" // fewer bytes left than the type needs
  | "limit" // a length above the limit of the `.x` file
  | "range" // a number that the type cannot hold (encoding)
  | "type" // a value of another JavaScript type (encoding)
  | "utf8" // a string that is not UTF-8, or not well-formed UTF-16 when encoding
  | "nul" // a zero byte inside a string: strict decoding, and encoding, because C peers cut the string there
  | "union" // a discriminant without an arm
  | "depth" // a recursive type nested too deeply
  | "padding" // strict: padding that is not zero
  | "presence" // strict: a presence word other than 0 and 1
  | "bool" // strict: a boolean other than 0 and 1
  | "enum" // strict: a number outside the enumeration
  | "word" // strict: bits set beyond a type narrower than its four bytes
  | "trailing"; // strict: bytes left over

/**
 * Bytes that do not fit their type, or a value that the type cannot carry.
 *
 * The message names the problem, the byte, the field and the numbers:
 * `short at byte 36, args.dom.uuid: 16 wanted, 4 left`.
 */
export class XdrError extends Error {
  override readonly name = "XdrError";
  readonly code: XdrErrorCode;
  #offset: number;
  readonly #detail: string;
  #path = "";

  constructor(code: XdrErrorCode, offset: number, at: string | undefined, detail: string, options?: ErrorOptions) {
    super("", options);
    this.code = code;
    this.#offset = offset;
    this.#detail = detail;
    this.prepend(at);
  }

  /** Bytes from the start of the payload (decoding) or written so far (encoding). */
  get offset(): number {
    return this.#offset;
  }

  /** The field, as a path from the outermost type: `args.params[3].value`. Empty where the type itself is meant. */
  get path(): string {
    return this.#path;
  }

  /** Says that what is named so far lies inside `at`. Called while the error passes the enclosing types. */
  prepend(at: string | undefined): void {
    if (at !== undefined) {
      const joint = this.#path === "" || this.#path.startsWith("[") ? "" : ".";
      this.#path = at + joint + this.#path;
    }
    this.#describe();
  }

  /** Says that what was read begins `bytes` into the payload. */
  moveBy(bytes: number): void {
    this.#offset += bytes;
    this.#describe();
  }

  #describe(): void {
    const place = this.#path === "" ? "" : `, ${this.#path}`;
    this.message = `${this.code} at byte ${this.#offset}${place}: ${this.#detail}`;
  }
}

/**
 * Adds the field that an error passes through on its way out, and returns the error to throw.
 * A TypeError of the runtime (a property of `undefined` read while encoding) becomes an {@link XdrError}.
 */
export function inField(error: unknown, at: string | undefined, offset = 0): unknown {
  if (error instanceof XdrError) {
    error.prepend(at);
    return error;
  }
  if (error instanceof TypeError) return new XdrError("type", offset, at, error.message, { cause: error });
  return error;
}
