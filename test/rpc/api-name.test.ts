import { expect, test } from "vitest";
import { VirErrorDomain } from "../../src/generated/libvirt/index.ts";
import { apiDomain, apiName } from "../../src/rpc/index.ts";
import { facts } from "./wire.ts";

interface Facts {
  program: { number: number; version: number };
  procedures: { name: string; number: number; api?: string | null }[];
}

test.each(["remote", "qemu", "lxc", "admin"])("api/name: each %s procedure names its C function", (name) => {
  const { program, procedures } = facts<Facts>(name);
  const id = { name: name.toUpperCase(), number: program.number, version: program.version };
  for (const { name, api } of procedures) {
    if (api) expect(apiName({ program: id, name })).toBe(api);
  }
});

test.each([
  ["DOMAIN_SUSPEND", VirErrorDomain.VIR_FROM_DOMAIN],
  ["CONNECT_LIST_ALL_DOMAINS", VirErrorDomain.VIR_FROM_DOMAIN],
  ["DOMAIN_SNAPSHOT_DELETE", VirErrorDomain.VIR_FROM_DOMAIN_SNAPSHOT],
  ["STORAGE_VOL_DELETE", VirErrorDomain.VIR_FROM_STORAGE],
  ["NETWORK_CREATE", VirErrorDomain.VIR_FROM_NETWORK],
  ["NODE_LIST_DEVICES", VirErrorDomain.VIR_FROM_NODEDEV],
  ["NODE_GET_SECURITY_MODEL", VirErrorDomain.VIR_FROM_NONE],
  ["CONNECT_GET_HOSTNAME", VirErrorDomain.VIR_FROM_NONE],
  ["NWFILTER_UNDEFINE", VirErrorDomain.VIR_FROM_NWFILTER],
  ["SECRET_GET_VALUE", VirErrorDomain.VIR_FROM_SECRET],
])("api/domain: errors of %s", (name, domain) => {
  expect(apiDomain({ program: { name: "REMOTE", number: 0x20008086, version: 1 }, name })).toBe(domain);
});
