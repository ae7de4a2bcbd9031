/** `AA:b:cc:dd:ee:ff` as libvirt prints it: `aa:0b:cc:dd:ee:ff`. Undefined where the text is no MAC address. */
export function parseMac(text: string): string | undefined {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  return text
    .split(":")
    .map((byte) => byte.toLowerCase().padStart(2, "0"))
    .join(":");
}

/** Whether it stands for several stations: the lowest bit of the first byte. */
export function isMulticast(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) !== 0;
}
