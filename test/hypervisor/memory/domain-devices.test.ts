import { expect, test } from "vitest";
import type { Connection } from "../../../src/api/index.ts";
import type { NonnullDomain } from "../../../src/generated/remote/index.ts";
import { guestXml, startGuest, TestHost, virt } from "../hosts.ts";

const LIVE = 1;
const CONFIG = 2;
const DISK = "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>";
const NET = "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>";
const DEVICES = `<devices>${DISK}${NET}</devices>`;

async function xmls({ remote }: Connection, dom: NonnullDomain) {
  const of = async (flags: number) => (await remote.domainGetXmlDesc({ dom, flags })).xml;
  return { live: await of(0), config: await of(2) };
}

test("an interface without a name or a MAC address is given both, and keeps them", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const extra = `<devices>${NET}<interface type='user'/></devices>`;
  const { dom } = await remote.domainDefineXml({ xml: guestXml({ extra }) });
  const { xml } = await remote.domainGetXmlDesc({ dom, flags: 0 });
  expect(xml).toContain("<source bridge='br0'/><target dev='testnet0'/>");
  expect(xml).toMatch(/<interface type='user'><mac address='52:54:00:[0-9a-f:]{8}'\/><target dev='testnet1'\/>/);
  await remote.domainDefineXml({ xml });
  expect((await remote.domainGetXmlDesc({ dom, flags: 0 })).xml).toBe(xml);
});

test.each([
  ["no target", "<disk><source file='/a'/></disk>", 20, "missing target information for device /a"],
  ["two of a target", DISK + DISK, 27, "XML error: target 'vda' duplicated for disk sources '/a' and '/a'"],
  ["no network", "<interface type='network'/>", 27, /^XML error: No <source> 'network' attribute/],
  ["no MAC address", "<interface type='user'><mac address='x'/></interface>", 27, /unable to parse mac address 'x'$/],
])("devices are checked: %s", async (_what, devices, code, message) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const xml = guestXml({ extra: `<devices>${devices}</devices>` });
  await expect(remote.domainDefineXml({ xml })).rejects.toMatchObject(virt(code, message));
});

test("a device comes to the guest, to its definition, or to both", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection, { extra: DEVICES });
  const disk = (dev: string) => DISK.replace("vda", dev);
  await remote.domainAttachDevice({ dom, xml: disk("vdb") });
  await remote.domainAttachDeviceFlags({ dom, xml: disk("vdc"), flags: CONFIG });
  await remote.domainAttachDeviceFlags({ dom, xml: disk("vdd"), flags: LIVE | CONFIG });
  const targets = (xml: string) => [...xml.matchAll(/dev='(vd.)'/g)].map(([, name]) => name);
  const after = await xmls(connection, dom);
  expect(targets(after.live)).toEqual(["vda", "vdb", "vdd"]);
  expect(targets(after.config)).toEqual(["vda", "vdc", "vdd"]);

  await expect(remote.domainAttachDevice({ dom, xml: disk("vda") })).rejects.toMatchObject(
    virt(55, "Requested operation is not valid: target vda already exists"),
  );
  // One of both has it already: the other is left as it was.
  await expect(remote.domainAttachDeviceFlags({ dom, xml: disk("vdc"), flags: LIVE | CONFIG })).rejects.toMatchObject({
    code: 55,
  });
  expect(await xmls(connection, dom)).toEqual(after);

  await remote.domainDetachDevice({ dom, xml: disk("vdd") });
  await expect(remote.domainDetachDevice({ dom, xml: disk("vdd") })).rejects.toMatchObject(
    virt(99, /disk vdd not found$/),
  );
  await expect(remote.domainDetachDeviceFlags({ dom, xml: disk("vdz"), flags: CONFIG })).rejects.toMatchObject(
    virt(99, /no target device vdz$/),
  );
  expect(targets((await xmls(connection, dom)).live)).toEqual(["vda", "vdb"]);
});

test("interfaces are told apart by their MAC addresses", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection, { extra: DEVICES });
  const wanted = (mac: string) => `<interface type='bridge'><mac address='${mac}'/></interface>`;
  await expect(remote.domainDetachDevice({ dom, xml: wanted("52:54:00:00:00:02") })).rejects.toMatchObject(
    virt(99, /matching MAC address '52:54:00:00:00:02' and alias '\(<null>\)'$/),
  );
  await remote.domainUpdateDeviceFlags({
    dom,
    xml: wanted("52:54:0:0:0:1").replace("</i", "<link state='down'/></i"),
    flags: 0,
  });
  expect((await xmls(connection, dom)).live).toMatch(/<link state='down'\/>.*testnet0/);
  await remote.domainDetachDevice({ dom, xml: wanted("52:54:00:00:00:01") });
  expect((await xmls(connection, dom)).live).not.toContain("<interface");
  expect((await xmls(connection, dom)).config).toContain("<interface");
});

test.each([
  ["<bogus/>", 27, "XML error: unknown device type 'bogus'"],
  ["<video><model type='vga'/></video>", 84, "Operation not supported: live attach of device 'video' is not supported"],
  ["<disk", 35, /^\(device_definition\):1: /],
])("what is no device, or none that may come, is refused: %s", async (xml, code, message) => {
  await using host = new TestHost();
  const connection = await host.connect();
  const dom = await startGuest(connection, { extra: DEVICES });
  await expect(connection.remote.domainAttachDevice({ dom, xml })).rejects.toMatchObject(virt(code, message));
});

test("a limit of a disk stands in the definition, within the rules", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection, { extra: DEVICES });
  const ullong = (field: string, value: bigint) => ({ field, value: { type: 4 as const, value } });
  const set = (...params: ReturnType<typeof ullong>[]) =>
    remote.domainSetBlockIoTune({ dom, disk: "vda", params, flags: LIVE });
  await expect(set(ullong("total_bytes_sec", 5n))).rejects.toMatchObject(
    virt(8, "invalid argument: total_bytes_sec cannot be set higher than total_bytes_sec_max "),
  );
  await set(ullong("total_bytes_sec", 5n), ullong("total_bytes_sec_max", 6n));
  await expect(set(ullong("read_bytes_sec", 1n), ullong("read_bytes_sec_max", 1n))).rejects.toMatchObject(
    virt(8, "invalid argument: total and read/write of bytes_sec cannot be set at the same time"),
  );
  await expect(set(ullong("total_iops_sec", 10n ** 16n))).rejects.toMatchObject(
    virt(74, /no more than 1000000000000000$/),
  );
  const { params, nparams } = await remote.domainGetBlockIoTune({ dom, disk: "/a", nparams: 20, flags: 4 });
  expect(nparams).toBe(20);
  expect(params.filter(({ value }) => value.type === 4 && value.value !== 0n)).toEqual([
    ullong("total_bytes_sec", 5n),
    ullong("total_bytes_sec_max", 6n),
  ]);
  expect((await remote.domainGetBlockIoTune({ dom, disk: "vda", nparams: 20, flags: 0 })).nparams).toBe(19);
  const { live, config } = await xmls(connection, dom);
  expect(live).toContain("<iotune><total_bytes_sec>5</total_bytes_sec>");
  expect(config).not.toContain("iotune");
});

test("a disk and an interface are looked for before their numbers are told", async () => {
  await using host = new TestHost();
  const connection = await host.connect();
  const { remote } = connection;
  const dom = await startGuest(connection, { extra: DEVICES });
  expect((await remote.domainBlockStats({ dom, path: "vda" })).rdReq).toBeGreaterThanOrEqual(0n);
  expect((await remote.domainGetBlockInfo({ dom, path: "vda", flags: 0 })).capacity).toBe(1099506450432n);
  await expect(remote.domainBlockStats({ dom, path: "vdx" })).rejects.toMatchObject(virt(8, /invalid path: vdx$/));
  await expect(remote.domainBlockStats({ dom, path: "" })).rejects.toMatchObject({ code: 84 });
  expect((await remote.domainInterfaceStats({ dom, device: "52:54:00:00:00:01" })).rxBytes).toBeGreaterThanOrEqual(0n);
  await expect(remote.domainInterfaceStats({ dom, device: "eth9" })).rejects.toMatchObject(
    virt(8, "invalid argument: 'eth9' is not a known interface"),
  );
});
