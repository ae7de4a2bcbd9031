/** The part of @stellar/js-xdr, which has no types of its own, that the bench uses. */
declare module "@stellar/js-xdr" {
  export class XdrReader {
    constructor(bytes: Buffer);
  }
  export class XdrWriter {
    constructor(size: number);
    finalize(): Buffer;
  }
  export class Hyper {
    constructor(value: bigint);
    toBigInt(): bigint;
  }
  export class UnsignedHyper extends Hyper {}
  export interface Type {
    new (...args: unknown[]): unknown;
    read(reader: XdrReader): unknown;
    write(value: unknown, writer: XdrWriter): void;
  }
  export interface StringReference {
    resolve(context: unknown): { read(reader: XdrReader): string | Buffer };
  }
  export interface Builder {
    int(): unknown;
    uint(): unknown;
    hyper(): unknown;
    uhyper(): unknown;
    double(): unknown;
    string(max: number): StringReference;
    opaque(length: number): unknown;
    varOpaque(max: number): unknown;
    varArray(item: unknown, max: number): unknown;
    option(item: unknown): unknown;
    lookup(name: string): unknown;
    struct(name: string, fields: readonly (readonly [string, unknown])[]): void;
    union(name: string, config: object): void;
  }
  const xdr: {
    readonly XdrReader: typeof XdrReader;
    readonly XdrWriter: typeof XdrWriter;
    readonly Hyper: typeof Hyper;
    readonly UnsignedHyper: typeof UnsignedHyper;
    config(define: (builder: Builder) => void): Record<string, Type>;
  };
  export default xdr;
}
