import { readFileSync } from "node:fs";

/** Words of hexadecimal digits; blanks, line ends and `# comments` do not count. */
export function hex(strings: TemplateStringsArray, ...values: unknown[]): Uint8Array {
  const text = String.raw({ raw: strings }, ...values).replace(/#.*$/gm, "");
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ""), "hex"));
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** 32-bit words, by arithmetic alone: shares nothing with the code under test. */
export function words(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((v) => [24, 16, 8, 0].map((shift) => (v >>> shift) & 0xff)));
}

export const REMOTE = 0x20008086;
export const QEMU = 0x20008087;
export const KEEPALIVE = 0x6b656570;
export const [CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE] = [
  0, 1, 2, 3, 4, 5, 6,
] as const;
export const [OK, ERROR, CONTINUE] = [0, 1, 2] as const;

export interface Head {
  prog?: number;
  vers?: number;
  proc?: number;
  type?: number;
  serial?: number;
  status?: number;
}

/** A whole frame. `length` replaces the right length word. */
export function frame(head: Head, payload: Uint8Array = new Uint8Array(0), length?: number): Uint8Array {
  const { prog = REMOTE, vers = 1, proc = 0, type = CALL, serial = 0, status = OK } = head;
  return join(words(length ?? 28 + payload.byteLength, prog, vers, proc, type, serial, status), payload);
}

/** A string as XDR has it. */
export function str(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  return join(words(bytes.byteLength), bytes, new Uint8Array(-bytes.byteLength & 3));
}

export const PING = frame({ prog: KEEPALIVE, proc: 1, type: MESSAGE });
export const PONG = frame({ prog: KEEPALIVE, proc: 2, type: MESSAGE });

/** The bytes of each cut in two, and one by one. */
export function* everySplit(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes];
  for (let at = 1; at < bytes.byteLength; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
  yield singly(bytes);
}

export function singly(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

export function facts<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../facts/${name}.json`, import.meta.url), "utf8")) as T;
}
