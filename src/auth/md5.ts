import { createHash, createHmac } from "node:crypto";
import { authUnavailable } from "./mechanism.ts";

/** MD5 of the parts together. @throws {VirtError} VIR_ERR_AUTH_UNAVAILABLE where OpenSSL forbids it, as under FIPS */
export function md5(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  return allowed(() => {
    const hash = createHash("md5");
    for (const part of parts) hash.update(part);
    return hash.digest();
  });
}

/** HMAC-MD5 of the parts together. @throws as `md5` */
export function hmacMd5(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return allowed(() => {
    const hmac = createHmac("md5", key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  });
}

function allowed(work: () => Buffer): Uint8Array {
  try {
    const { buffer, byteOffset, byteLength } = work();
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    throw authUnavailable("this machine's OpenSSL does not allow MD5", { cause });
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
