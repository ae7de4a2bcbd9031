import { inField, XdrError } from "./errors.ts";
import type { Procedure } from "./procedure.ts";
import { type ReaderOptions, XdrReader } from "./reader.ts";

type Decode<T> = (r: XdrReader) => T;
/** Fields without a length, by name, in wire order. */
type Fields = Readonly<Record<string, Decode<unknown>>>;

/** A result's long array, and the fields before and after it. */
export interface RecordsLayout<T> {
  readonly max: number;
  /** The fewest bytes that a record takes. */
  readonly least: number;
  readonly decode: Decode<T>;
  readonly before?: Fields;
  readonly after?: Fields;
}

/** A result whose long array `Field` is decoded record by record. */
export type WithRecords<Ret, Field extends keyof Ret> = {
  readonly [Key in keyof Ret]: Key extends Field
    ? Records<Ret[Key] extends readonly (infer T)[] ? T : never>
    : Ret[Key];
};

/**
 * The records of a long reply, decoded one at a time while somebody iterates, anew each time. Holds the reply's bytes
 * and no record.
 */
export class Records<T> implements Iterable<T> {
  /** How many there are: within the limit of the `.x` file, and within what the reply can hold. */
  readonly length: number;
  readonly #field: string;
  readonly #decode: Decode<T>;
  readonly #after: Fields;
  readonly #options: ReaderOptions;
  /** From the first record to the end of the payload. */
  readonly #bytes: Uint8Array;
  /** Where in the payload they begin, for errors. */
  readonly #start: number;
  #rest: Readonly<Record<string, unknown>> | undefined;

  /** Takes everything that `r` has left, in a copy: the buffer under a reader is used again. */
  constructor(r: XdrReader, field: string, { max, least, decode, after = {} }: RecordsLayout<T>) {
    this.length = r.count(max, least, field);
    this.#field = field;
    this.#decode = decode;
    this.#after = after;
    this.#options = { strict: r.strict, maxDepth: r.maxDepth };
    this.#start = r.offset;
    this.#bytes = r.rest();
  }

  /** @throws {XdrError} from the record that does not fit: `retStats[17].params[3].value`. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    const r = new XdrReader(this.#bytes, this.#options);
    for (let i = 0; i < this.length; i++) {
      let record: T;
      try {
        record = this.#decode(r);
      } catch (error) {
        throw this.#located(error, `${this.#field}[${i}]`);
      }
      yield record;
    }
    try {
      this.#rest = readFields(r, this.#after);
      r.end();
    } catch (error) {
      throw this.#located(error);
    }
  }

  /** The fields that follow the records. Nobody knows where those end before all have been read. */
  get rest(): Readonly<Record<string, unknown>> {
    if (this.#rest === undefined) for (const _ of this);
    return this.#rest as Readonly<Record<string, unknown>>;
  }

  #located(error: unknown, at?: string): unknown {
    if (error instanceof XdrError) error.moveBy(this.#start);
    return inField(error, at);
  }
}

function readFields(r: XdrReader, fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, decode]) => [name, decode(r)]));
}

/**
 * The same procedure with a result that decodes its array `field` lazily: `conn.call(connectListAllDomainsRecords, …)`.
 * The fields behind the array are read when the last record has been, or somebody asks for one of them.
 */
export function recordsOf<Args, Ret, Field extends keyof Ret & string>(
  procedure: Procedure<Args, Ret>,
  field: Field,
  layout: RecordsLayout<unknown>,
): Procedure<Args, WithRecords<Ret, Field>> {
  const { before = {}, after = {} } = layout;
  return {
    ...procedure,
    ret: {
      encode: (w, value) => {
        const all = Array.from(value[field] as Records<unknown>);
        procedure.ret.encode(w, { ...value, [field]: all } as Ret);
      },
      decode: (r) => {
        const first = readFields(r, before);
        const records = new Records(r, field, layout);
        const value = { ...first, [field]: records };
        for (const name of Object.keys(after)) {
          Object.defineProperty(value, name, { enumerable: true, get: () => records.rest[name] });
        }
        return value as WithRecords<Ret, Field>;
      },
    },
  };
}
