import { expect, test } from "vitest";
import { VirErrorNumber as E } from "../../../src/generated/libvirt/index.ts";
import { TestHost, virt } from "../hosts.ts";

const vport = (parent: string, wwns = "<wwnn>2001000012341234</wwnn><wwpn>1001000012341234</wwpn>") =>
  `<device>${parent}<capability type='scsi_host'><capability type='fc_host'>${wwns}</capability></capability></device>`;

test("devices are listed by what they can do", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  const named = async (cap: string | null) => (await remote.nodeListDevices({ cap, maxnames: 9, flags: 0 })).names;
  expect(await named(null)).toEqual(["computer", "scsi_host1", "scsi_host2", "scsi_host11"]);
  expect(await named("system")).toEqual(["computer"]);
  expect(await named("fc_host")).toEqual(["scsi_host1", "scsi_host2", "scsi_host11"]);
  expect(await named("vports")).toEqual(["scsi_host1", "scsi_host2"]);
  expect(await named("pci")).toEqual([]);
  const active = 0x8000_0000;
  const all = await remote.connectListAllNodeDevices({ needResults: 1, flags: active + 32 });
  expect(all.devices).toHaveLength(3);
  expect(await remote.nodeDeviceGetParent({ name: "scsi_host11" })).toEqual({ parentName: "scsi_host1" });
  expect(await remote.nodeDeviceIsPersistent({ name: "computer" })).toEqual({ persistent: 1 });
  expect(await remote.nodeDeviceListCaps({ name: "scsi_host1", maxnames: 9 })).toEqual({ names: ["scsi_host"] });
  await expect(remote.nodeDeviceGetParent({ name: "computer" })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, "internal error: no parent for this device"),
  );
});

test("a virtual host adapter is made on its parent and destroyed, and both are told", async () => {
  await using host = new TestHost({ inventory: "test" });
  const connection = await host.connect();
  const { remote } = connection;
  await using events = await connection.nodeDeviceEvents("lifecycle");
  const { dev } = await remote.nodeDeviceCreateXml({ xmlDesc: vport("<parent>scsi_host2</parent>"), flags: 0 });
  expect(dev.name).toBe("scsi_host12");
  const { xml } = await remote.nodeDeviceGetXmlDesc({ name: dev.name, flags: 0 });
  expect(xml).toContain("<parent>scsi_host2</parent>");
  expect(xml).toContain("<wwnn>2001000012341234</wwnn>");
  await remote.nodeDeviceDestroy({ name: dev.name });
  const first = (await events.next()).value;
  const second = (await events.next()).value;
  expect([first, second]).toMatchObject([
    { kind: "lifecycle", event: 0 },
    { kind: "lifecycle", event: 1 },
  ]);
  await expect(remote.nodeDeviceLookupByName({ name: dev.name })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_NODE_DEVICE, "Node device not found: no node device with matching name 'scsi_host12'"),
  );
});

test.each([
  [vport("<parent>nobody</parent>"), "internal error: Could not find parent device for 'new device'"],
  [
    vport("<parent>scsi_host11</parent>"),
    "internal error: Parent device scsi_host11 is not capable of vport operations",
  ],
  [vport("", ""), "internal error: no WWNN supplied for 'new device', and auto-generation failed"],
  ["<device><capability type='system'/></device>", "internal error: Device is not a fibre channel HBA"],
  ["<device/>", "internal error: no device capabilities for 'new device'"],
])("what cannot be made is refused in libvirt's words: %s", async (xmlDesc, message) => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  const making = remote.nodeDeviceCreateXml({ xmlDesc, flags: 0 });
  await expect(making).rejects.toMatchObject(virt(E.VIR_ERR_INTERNAL_ERROR, message));
});

test("only a virtual host adapter can be destroyed", async () => {
  await using host = new TestHost({ inventory: "test" });
  const { remote } = await host.connect();
  await expect(remote.nodeDeviceDestroy({ name: "computer" })).rejects.toMatchObject(
    virt(E.VIR_ERR_INTERNAL_ERROR, "internal error: Device is not a fibre channel HBA"),
  );
});
