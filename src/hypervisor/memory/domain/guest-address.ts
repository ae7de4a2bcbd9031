import { VirIPAddrType } from "../../../generated/libvirt/index.ts";
import type { DomainIpAddr } from "../../../generated/remote/index.ts";
import { formatIp, type IpAddress } from "../ip-address.ts";
import { checkRange, type NetworkAddress, prefixOfAddress } from "../network/network-ip.ts";
import type { NetworkList } from "../network/network-list.ts";
import { child, children } from "../xml.ts";

/**
 * The address that a guest is said to have on a network.
 *
 * @param offset from the first that the network gives away.
 * @returns undefined where the network has no addresses.
 * @throws {VirtError} VIR_ERR_NO_NETWORK.
 * @source testDomainInterfaceAddressFromNet, libvirt src/test/test_driver.c.
 */
export function guestAddress(networks: NetworkList, network: string, offset: bigint): DomainIpAddr | undefined {
  const { definition } = networks.named(network);
  const [address] = definition.addresses;
  const [ip] = children(definition.root, "ip");
  if (address === undefined || ip === undefined) return undefined;
  const dhcp = child(ip, "dhcp");
  const range = dhcp && child(dhcp, "range");
  const first: IpAddress = range === undefined ? address : checkRange(definition.name, address, range).start;
  const addr = formatIp({ family: first.family, value: first.value + offset });
  return { type: typeOf(address), addr, prefix: prefixOfAddress(address) };
}

function typeOf({ family }: NetworkAddress): number {
  return family === 4 ? VirIPAddrType.VIR_IP_ADDR_TYPE_IPV4 : VirIPAddrType.VIR_IP_ADDR_TYPE_IPV6;
}
