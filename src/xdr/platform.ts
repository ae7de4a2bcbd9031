/**
 * What Node's buffers can do faster than the web's TextEncoder and TextDecoder. Undefined in a browser, which does
 * without. Measured on Node 20: a text of 24 bytes is read twice as fast, one of 1 MiB 10 times, and written 5 times.
 */
interface BufferMethods {
  latin1Slice?: (this: Uint8Array, from: number, to: number) => string;
  latin1Write?: (this: Uint8Array, text: string, offset: number, length: number) => number;
  utf8Write?: (this: Uint8Array, text: string, offset: number, length: number) => number;
}
interface Platform {
  readonly Buffer?: { readonly prototype: BufferMethods };
  readonly process?: { getBuiltinModule?: (name: string) => { isAscii?: (bytes: Uint8Array) => boolean } | undefined };
}

const platform = globalThis as Platform;

export const { latin1Slice, latin1Write, utf8Write } = platform.Buffer?.prototype ?? {};
/** Whether all bytes are below 0x80. */
export const isAscii = platform.process?.getBuiltinModule?.("node:buffer")?.isAscii;

/** Where the halves of a 64-bit number lie in memory, as places of an array of 32-bit numbers. */
export const LOW = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;
export const HIGH = 1 - LOW;
