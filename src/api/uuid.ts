import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { virtError } from "../rpc/index.ts";

/** `6695eb01-f6a4-8304-79aa-97f2502e193f` */
export function formatUUID(uuid: Uint8Array): string {
  const hex = Array.from(uuid, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The 16 bytes of a UUID in hexadecimal, hyphens and blanks ignored as libvirt ignores them, or undefined. */
export function parseUUID(text: string): Uint8Array | undefined {
  const hex = text.replaceAll(/[\s-]/g, "");
  if (!/^[0-9a-fA-F]{32}$/.test(hex)) return undefined;
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/**
 * A UUID as methods take it: 16 bytes, or text.
 * @throws {VirtError} VIR_ERR_INVALID_ARG for text that is none
 */
export function uuidBytes(uuid: Uint8Array | string): Uint8Array {
  if (typeof uuid !== "string") return uuid;
  const bytes = parseUUID(uuid);
  if (bytes === undefined) {
    throw virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_NONE, `not a UUID: ${uuid}`);
  }
  return bytes;
}
