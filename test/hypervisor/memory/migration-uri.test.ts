import { expect, test } from "vitest";
import { formatMigrationUri, parseMigrationUri } from "../../../src/hypervisor/memory/migration-uri.ts";

test.each([
  ["tcp:host:49152", { host: "host", port: 49152 }],
  ["tcp://host:49152", { host: "host", port: 49152 }],
  ["tcp://host:49152/", { host: "host", port: 49152 }],
  ["tcp:host", { host: "host", port: undefined }],
  ["tcp://10.0.0.1", { host: "10.0.0.1", port: undefined }],
  ["tcp:[::1]:7", { host: "::1", port: 7 }],
  ["tcp://[fe80::1]", { host: "fe80::1", port: undefined }],
])("reads %s", (uri, address) => {
  expect(parseMigrationUri(uri)).toEqual(address);
});

test.each([
  "",
  "tcp:",
  "host:1",
  "tcp:host:0",
  "tcp:host:65536",
  "tcp:[::1:7",
  "tcp:[1.2]:7",
  "tcp:a b:1",
  "tcp://u@h:1",
])("refuses %s", (uri) => {
  expect(() => parseMigrationUri(uri)).toThrow();
});

test("refuses other ways to send memory", () => {
  expect(() => parseMigrationUri("unix:///x")).toThrow();
  expect(() => parseMigrationUri("rdma:host:1")).toThrow("unsupported scheme rdma");
});

test("writes as libvirt's destinations do", () => {
  expect(formatMigrationUri("host", 1)).toBe("tcp:host:1");
  expect(formatMigrationUri("::1", 1)).toBe("tcp:[::1]:1");
});
