import { isIPv4, isIPv6 } from "node:net";

/** An address as a number, so that ranges and prefixes can be reckoned. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** Reads an address; undefined where the text is none. */
export function parseIp(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, value: fromV4(text) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  // 1::2 has as many zero groups in the middle as are missing to eight; the last two may be written as IPv4.
  const dotted = /[0-9.]+$/.exec(text)?.[0];
  const plain =
    dotted?.includes(".") === true
      ? text.slice(0, -dotted.length) +
        [fromV4(dotted) >> 16n, fromV4(dotted) & 0xffffn].map((n) => n.toString(16)).join(":")
      : text;
  const [head = "", tail] = plain.split("::", 2);
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const value = [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  return { family: 6, value };
}

function fromV4(text: string): bigint {
  return text.split(".").reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The address as libvirt prints it, IPv6 shortened. */
export function formatIp({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1); // URLs have the same short form
}

/** The bits that a netmask or a prefix leaves to hosts, as a mask. */
export function hostMask(family: 4 | 6, prefix: number): bigint {
  return (1n << BigInt((family === 4 ? 32 : 128) - prefix)) - 1n;
}

/** Bits of a netmask such as 255.255.255.0; undefined where its ones are not together. */
export function prefixOf({ value }: IpAddress): number | undefined {
  const bits = value.toString(2).padStart(32, "0");
  return /^1*0*$/.test(bits) ? bits.replaceAll("0", "").length : undefined;
}
