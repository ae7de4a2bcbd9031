import { randomBytes } from "node:crypto";

/** 16 bytes as libvirt prints them: `6695eb01-f6a4-8304-79aa-97f2502e193f`. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Reads a UUID as virUUIDParse does: 32 hexadecimal digits, with dashes anywhere between them and blanks around.
 * Undefined where the text is none.
 */
export function parseUuid(text: string): Uint8Array | undefined {
  const hex = text.trim().replaceAll("-", "");
  return /^[0-9a-fA-F]{32}$/.test(hex) ? Uint8Array.from(Buffer.from(hex, "hex")) : undefined;
}

/** A random UUID, version 4. */
export function newUuid(): Uint8Array {
  const bytes = Uint8Array.from(randomBytes(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}
