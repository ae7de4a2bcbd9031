/*
 * How a guest's memory travels from one in-memory hypervisor to another: one connection of its own, which carries
 *
 *   source → destination   hello: MAGIC, a token of 32 bytes, the number of bytes to come (64 bits, big-endian)
 *                          that many bytes of memory, in order
 *                          their SHA-256
 *   destination → source   ARRIVED and the SHA-256 that it has reckoned itself
 *
 * Each side closes the connection when anything is wrong; what, only its own host learns.
 */

/** "VWMEM", and the version of this format. */
export const MAGIC = Uint8Array.from([0x56, 0x57, 0x4d, 0x45, 0x4d, 0, 0, 1]);
export const TOKEN_BYTES = 32;
export const HELLO_BYTES = MAGIC.byteLength + TOKEN_BYTES + 8;
export const DIGEST_BYTES = 32;
/** The first byte of the destination's answer. */
export const ARRIVED = 0x06;
export const ANSWER_BYTES = 1 + DIGEST_BYTES;

/** The connection that carries the memory failed, or the other side broke its rules. */
export class MemoryChannelError extends Error {
  override readonly name = "MemoryChannelError";
}

export function writeHello(token: Uint8Array, size: number): Uint8Array {
  const hello = new Uint8Array(HELLO_BYTES);
  hello.set(MAGIC);
  hello.set(token, MAGIC.byteLength);
  new DataView(hello.buffer).setBigUint64(MAGIC.byteLength + TOKEN_BYTES, BigInt(size));
  return hello;
}

export interface Hello {
  readonly token: Uint8Array;
  readonly size: bigint;
}

/** @throws {MemoryChannelError} where the bytes do not begin like this channel. */
export function readHello(bytes: Uint8Array): Hello {
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) throw new MemoryChannelError("not a memory channel");
  const token = bytes.subarray(MAGIC.byteLength, MAGIC.byteLength + TOKEN_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { token, size: view.getBigUint64(MAGIC.byteLength + TOKEN_BYTES) };
}

/**
 * Waits for a promise for no longer than `ms` milliseconds.
 * Rejects with the signal's reason as soon as that is aborted, and with a MemoryChannelError when the time is over.
 */
export function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal, complaint: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    const onAbort = () => {
      settle();
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      settle();
      reject(new MemoryChannelError(`${complaint} within ${ms} ms`));
    }, ms);
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
}
