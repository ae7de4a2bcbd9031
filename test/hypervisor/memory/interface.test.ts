import { expect, test } from "vitest";
import { VirErrorNumber as E } from "../../../src/generated/libvirt/index.ts";
import { TestHost, virt } from "../hosts.ts";

const xml = (name: string, mac = "aa:bb:cc:dd:ee:ff") =>
  `<interface name='${name}' type='ethernet'><mac address='${mac}'/><mtu size='1492'/></interface>`;

test("an interface is defined inactive, comes back in libvirt's order, and starts and stops once", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { iface } = await remote.interfaceDefineXml({ xml: xml("eth7"), flags: 0 });
  expect(iface).toEqual({ name: "eth7", mac: "aa:bb:cc:dd:ee:ff" });
  expect((await remote.interfaceGetXmlDesc({ iface, flags: 0 })).xml).toBe(`<interface type='ethernet' name='eth7'>
  <mtu size='1492'/>
  <mac address='aa:bb:cc:dd:ee:ff'/>
</interface>
`);
  expect(await remote.connectListDefinedInterfaces({ maxnames: 9 })).toEqual({ names: ["eth7"] });
  await remote.interfaceCreate({ iface, flags: 0 });
  expect(await remote.connectListInterfaces({ maxnames: 9 })).toEqual({ names: ["eth7"] });
  const twice = virt(E.VIR_ERR_OPERATION_INVALID, "Requested operation is not valid");
  await expect(remote.interfaceCreate({ iface, flags: 0 })).rejects.toMatchObject(twice);
  await remote.interfaceDestroy({ iface, flags: 0 });
  await expect(remote.interfaceDestroy({ iface, flags: 0 })).rejects.toMatchObject(twice);
  await remote.interfaceUndefine({ iface });
  await expect(remote.interfaceIsActive({ iface })).rejects.toMatchObject(
    virt(E.VIR_ERR_NO_INTERFACE, "Interface not found: no interface with matching name 'eth7'"),
  );
});

test("what becomes part of a bridge or a bond is no interface of its own any more", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const names = async () => (await remote.connectListDefinedInterfaces({ maxnames: 9 })).names;
  for (const name of ["eth1", "eth2", "eth3"]) await remote.interfaceDefineXml({ xml: xml(name), flags: 0 });
  const bridge = `<interface type='bridge' name='br1'><bridge>${xml("eth1")}</bridge></interface>`;
  const { iface } = await remote.interfaceDefineXml({ xml: bridge, flags: 0 });
  expect(await names()).toEqual(["eth2", "eth3", "br1"]);
  const bond = `<interface type='bond' name='bond1'><bond>${xml("eth2")}${xml("eth3")}</bond></interface>`;
  await remote.interfaceDefineXml({ xml: bond, flags: 0 });
  expect(await names()).toEqual(["br1", "bond1"]);
  // A VLAN leaves the interface that it runs on as it is.
  const vlan = "<interface type='vlan' name='br1.7'><vlan tag='7'><interface name='br1'/></vlan></interface>";
  await remote.interfaceDefineXml({ xml: vlan, flags: 0 });
  expect(await names()).toEqual(["br1", "bond1", "br1.7"]);
  await remote.interfaceUndefine({ iface });
  expect(await names()).toEqual(["bond1", "br1.7"]);
});

test("a MAC address finds an interface in any case, and does not where two have it", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  await remote.interfaceDefineXml({ xml: xml("eth1"), flags: 0 });
  const mac = "AA:BB:CC:DD:EE:FF";
  expect((await remote.interfaceLookupByMacString({ mac })).iface.name).toBe("eth1");
  await remote.interfaceDefineXml({ xml: xml("eth2"), flags: 0 });
  await expect(remote.interfaceLookupByMacString({ mac })).rejects.toMatchObject({
    code: E.VIR_ERR_MULTIPLE_INTERFACES,
  });
  await expect(remote.interfaceLookupByMacString({ mac: "aa" })).rejects.toMatchObject({
    code: E.VIR_ERR_NO_INTERFACE,
  });
});

test("changes can be taken back or kept, one at a time", async () => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const { iface } = await remote.interfaceDefineXml({ xml: xml("eth1"), flags: 0 });
  const invalid = (detail: string) => virt(E.VIR_ERR_OPERATION_INVALID, `Requested operation is not valid: ${detail}`);
  await remote.interfaceChangeBegin({ flags: 0 });
  await expect(remote.interfaceChangeBegin({ flags: 0 })).rejects.toMatchObject(
    invalid("there is another transaction running."),
  );
  await remote.interfaceUndefine({ iface });
  await remote.interfaceChangeRollback({ flags: 0 });
  expect(await remote.interfaceIsActive({ iface })).toEqual({ active: 0 });
  await remote.interfaceChangeBegin({ flags: 0 });
  await remote.interfaceUndefine({ iface });
  await remote.interfaceChangeCommit({ flags: 0 });
  expect((await remote.connectListAllInterfaces({ needResults: 1, flags: 0 })).ifaces).toEqual([]);
  await expect(remote.interfaceChangeRollback({ flags: 0 })).rejects.toMatchObject(
    invalid("no transaction running, nothing to rollback."),
  );
  await expect(remote.interfaceChangeCommit({ flags: 0 })).rejects.toMatchObject(
    invalid("no transaction running, nothing to be committed."),
  );
});

test.each([
  ["<interface name='a'/>", "XML error: Missing required attribute 'type' in element 'interface'"],
  ["<interface type='x' name='a'/>", "XML error: Invalid value for attribute 'type' in element 'interface': 'x'."],
  ["<interface type='ethernet'/>", "XML error: interface has no name"],
  ["<interface type='bridge' name='a'/>", "XML error: bridge interface misses the bridge element"],
  [
    "<interface type='bond' name='a'><bond><interface type='vlan' name='b'/></bond></interface>",
    "XML error: interface has unsupported type 'vlan'",
  ],
  ["<interface type='vlan' name='a'><vlan/></interface>", "XML error: vlan interface misses the tag attribute"],
])("what is no interface is refused in libvirt's words: %s", async (text, message) => {
  await using host = new TestHost();
  const { remote } = await host.connect();
  const defining = remote.interfaceDefineXml({ xml: text, flags: 0 });
  await expect(defining).rejects.toMatchObject(virt(E.VIR_ERR_XML_ERROR, message));
});
