import { expect, test } from "vitest";
import { formatIp, parseIp, prefixOf } from "../../../src/hypervisor/memory/ip-address.ts";
import { isMulticast, parseMac } from "../../../src/hypervisor/memory/mac-address.ts";

test.each([
  ["192.168.122.1", 4, 0xc0a87a01n],
  ["::", 6, 0n],
  ["::1", 6, 1n],
  ["fd00::", 6, 0xfd00n << 112n],
  ["1:2:3:4:5:6:7:8", 6, 0x00010002000300040005000600070008n],
  ["1::8", 6, (1n << 112n) | 8n],
  ["::ffff:192.168.122.1", 6, 0xffffc0a87a01n],
])("%s is read", (text, family, value) => {
  expect(parseIp(text)).toEqual({ family, value });
});

test.each(["", "1.2.3", "1.2.3.256", "::1::", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", "host"])("%s is none", (text) => {
  expect(parseIp(text)).toBeUndefined();
});

test("an IPv4 address is printed as it was", () => {
  expect(formatIp(parseIp("10.0.255.1")!)).toBe("10.0.255.1");
});

test.each([
  ["255.255.255.0", 24],
  ["0.0.0.0", 0],
  ["255.255.255.255", 32],
  ["255.0.255.0", undefined],
])("the mask %s has %s bits", (mask, bits) => {
  expect(prefixOf(parseIp(mask)!)).toBe(bits);
});

test("a MAC address is written in full and in lower case; its first bit says whether it is several stations'", () => {
  expect(parseMac("52:54:0:A:bb:cc")).toBe("52:54:00:0a:bb:cc");
  expect(parseMac("52:54:00:0a:bb")).toBeUndefined();
  expect(parseMac("52-54-00-0a-bb-cc")).toBeUndefined();
  expect([isMulticast("52:54:00:00:00:01"), isMulticast("01:00:00:00:00:00")]).toEqual([false, true]);
});
