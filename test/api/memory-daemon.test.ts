/** The API against our own daemon in memory, where that has the procedure. */
import { expect, test } from "vitest";
import { Domain } from "../../src/api/index.ts";
import { VirDomainDestroyFlagsValues, VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { guestXml, TestHost, UUID } from "../hypervisor/hosts.ts";

test("memory/connection: numbers, lists and facts of the host", async () => {
  await using host = new TestHost();
  const conn = await host.connect();
  const web = await conn.defineXML(guestXml());
  await conn.createXML(guestXml({ name: "db", uuid: UUID.replace("6695", "7795") }));
  expect([await conn.numOfDomains(), await conn.numOfDefinedDomains()]).toEqual([1, 1]);
  expect([await conn.listDomains(), await conn.listDefinedDomains()]).toEqual([[1], ["web"]]);
  expect((await conn.listAllDomains()).map((domain) => domain.getName()).toSorted()).toEqual(["db", "web"]);
  expect((await conn.lookupDomainByUUID(UUID)).ref).toEqual(web.ref);
  expect(await conn.getMaxVcpus()).toBeGreaterThan(0);
  const node = await conn.nodeGetInfo();
  expect(node.model).toMatch(/^\w+$/);
  expect(node.memory).toBeGreaterThan(0n);
  expect(await conn.nodeGetFreeMemory()).toBeGreaterThan(0n);
  expect(await conn.isSecure()).toBe(conn.identity.secure);
  expect(conn.isAlive()).toBe(true);
  await conn.close();
  expect(conn.isAlive()).toBe(false);
});

test("memory/domain: a guest's life", async () => {
  await using host = new TestHost();
  const conn = await host.connect();
  const domain = await conn.defineXML(guestXml({ vcpus: 2 }));
  await domain.rename("shop");
  expect((await conn.lookupDomainByName("shop")).getUUIDString()).toBe(UUID);
  await domain.setAutostart(true);
  expect(await domain.getAutostart()).toBe(true);
  await domain.create();
  expect(domain.getID()).toBe(1);
  expect([await domain.getMaxVcpus(), await domain.getVcpusFlags()]).toEqual([2, 2]);
  expect(await domain.getInfo()).toMatchObject({ state: 1, maxMem: 2048n, nrVirtCpu: 2 });
  expect(await domain.getControlInfo()).toMatchObject({ state: 0 });
  expect([await domain.isActive(), await domain.isUpdated(), await domain.hasManagedSaveImage()]).toEqual([
    true,
    false,
    false,
  ]);
  await domain.migrateSetMaxDowntime(300);
  expect(await domain.migrateGetMaxDowntime()).toBe(300n);
  await domain.migrateSetMaxSpeed(64n);
  expect(await domain.migrateGetMaxSpeed()).toBe(64n);
  const { type, params } = await domain.getJobStats();
  expect([type, Object.keys(params)]).toEqual([0, []]);
  expect(await domain.memoryPeek(0, 16, 2)).toHaveLength(16);
  await domain.destroyFlags(VirDomainDestroyFlagsValues.VIR_DOMAIN_DESTROY_DEFAULT);
  expect(domain.getID()).toBe(-1);
  await domain.undefine();
  await expect(domain.getInfo()).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_NO_DOMAIN });
});

test("memory/unsupported: what the driver has not is an error with the C function's name", async () => {
  await using host = new TestHost();
  const conn = await host.connect();
  const domain = await conn.defineXML(guestXml());
  for (const [call, name] of [
    [() => conn.getStoragePoolCapabilities(), "virConnectGetStoragePoolCapabilities"],
    [() => conn.nodeSuspendForDuration(0, 60n), "virNodeSuspendForDuration"],
    [() => domain.getGuestInfo(0), "virDomainGetGuestInfo"],
    [() => domain.blockJobAbort("vda"), "virDomainBlockJobAbort"],
  ] as const) {
    await expect(call()).rejects.toMatchObject({
      code: VirErrorNumber.VIR_ERR_NO_SUPPORT,
      message: expect.stringContaining(name),
    });
  }
});

test("memory/read-only: the daemon says what may not be done", async () => {
  await using host = new TestHost();
  const conn = await host.connect();
  const { ref } = await conn.defineXML(guestXml());
  const reader = await host.connect({ readOnly: true });
  const domain = new Domain(reader, ref);
  expect(await domain.getMaxMemory()).toBe(2048n);
  await expect(domain.create()).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_OPERATION_DENIED });
});
