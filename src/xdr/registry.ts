import { type Codec, type XdrType, xdrType } from "./codec.ts";
import { lazily } from "./lazily.ts";
import type { XdrReader } from "./reader.ts";
import type { XdrWriter } from "./writer.ts";

/** What writes and reads a type, by its `.x` name. */
type Pairs = Readonly<
  Record<string, readonly [encode: (w: XdrWriter, value: never) => void, decode: (r: XdrReader) => unknown]>
>;

/** A program's types by their `.x` names, with whole payloads in and out. Put together when it is first looked at. */
export type XdrTypes<Table extends Pairs> = {
  readonly [Name in keyof Table]: XdrType<ReturnType<Table[Name][1]>>;
};

/** Makes a program's `types`. */
export function xdrTypes<Table extends Pairs>(pairs: () => Table): XdrTypes<Table> {
  return lazily(() => {
    const entries = Object.entries(pairs()).map(([name, [encode, decode]]) => [
      name,
      xdrType(name, encode as Codec<unknown>["encode"], decode),
    ]);
    return Object.fromEntries(entries) as XdrTypes<Table>;
  });
}
