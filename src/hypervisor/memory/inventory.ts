import type { Host } from "./host.ts";
import { parseInterfaceXml } from "./interface/interface-xml.ts";
import { parseNetworkXml } from "./network/network-xml.ts";
import { parseNodeDeviceXml } from "./node-device/node-device-xml.ts";
import { parsePoolXml } from "./storage/pool-xml.ts";
import { addTestDomain } from "./test-domain.ts";

const NETWORK = `<network>
  <name>default</name>
  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>`;

const INTERFACE = `<interface type='ethernet' name='eth1'>
  <start mode='onboot'/>
  <mtu size='1492'/>
  <protocol family='ipv4'><ip address='192.168.0.5' prefix='24'/><route gateway='192.168.0.1'/></protocol>
  <mac address='aa:bb:cc:dd:ee:ff'/>
</interface>`;

const POOL = `<pool type='dir'>
  <name>default-pool</name>
  <uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid>
  <target><path>/default-pool</path></target>
</pool>`;

const COMPUTER = `<device>
  <name>computer</name>
  <capability type='system'>
    <hardware>
      <vendor>Libvirt</vendor>
      <version>Test driver</version>
      <serial>123456</serial>
      <uuid>11111111-2222-3333-4444-555555555555</uuid>
    </hardware>
    <firmware>
      <vendor>Libvirt</vendor>
      <version>Test Driver</version>
      <release_date>01/22/2007</release_date>
    </firmware>
  </capability>
</device>`;

/** World wide names: a node's, its port's and its fabric's share their last eight digits, or two of them do. */
function fibreChannel(host: number, parent: string, digits: string, fabric: string, vports: string): string {
  return `<device>
  <name>scsi_host${host}</name>
  <parent>${parent}</parent>
  <capability type='scsi_host'>
    <host>${host}</host>
    <unique_id>${host - 1}</unique_id>
    <capability type='fc_host'>
      <wwnn>20000000${digits}</wwnn>
      <wwpn>10000000${digits}</wwpn>
      <fabric_wwn>20000000${fabric}</fabric_wwn>
    </capability>${vports}
  </capability>
</device>`;
}

/** No more can be made of what the host has no hardware for: libvirt shows the same. */
const VPORTS = `
    <capability type='vport_ops'><max_vports>0</max_vports><vports>0</vports></capability>`;

const DEVICES = [
  COMPUTER,
  fibreChannel(1, "computer", "12341234", "43214321", VPORTS),
  fibreChannel(2, "computer", "56785678", "87658765", VPORTS),
  fibreChannel(11, "scsi_host1", "34563456", "43214321", ""),
];

/** Gives a host what libvirt's `test:///default` starts with. */
export function addTestInventory(host: Host): void {
  const { networks, interfaces, storage, nodeDevices } = host;
  addTestDomain(host);
  const network = parseNetworkXml(NETWORK);
  const net = networks.list.claim(network, "any");
  net.config = network;
  net.run(network);
  networks.list.add(net);

  const { name } = interfaces.define(parseInterfaceXml(INTERFACE));
  interfaces.setActive(name, true);

  storage.assign(parsePoolXml(POOL), "persistent").active = true;
  addTestDevices(nodeDevices);
}

/** The part of it that is the machine's, not its owner's. */
export function addTestDevices(nodeDevices: Host["nodeDevices"]): void {
  for (const xml of DEVICES) nodeDevices.add(parseNodeDeviceXml(xml));
}
