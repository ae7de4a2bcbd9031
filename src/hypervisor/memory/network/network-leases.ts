import { VirIPAddrType } from "../../../generated/libvirt/index.ts";
import type { NetworkDhcpLease } from "../../../generated/remote/index.ts";
import { guestAddress } from "../domain/guest-address.ts";
import type { Host } from "../host.ts";
import { parseMac } from "../mac-address.ts";
import { attribute, child, children } from "../xml.ts";
import type { Network } from "./network.ts";
import { prefixOfAddress } from "./network-ip.ts";

/** Seconds that a lease lasts, from when it is looked at: nobody here has to ask for another. */
const LEASE = 3600;
/** Addresses that each guest has for its interfaces, as `virsh domifaddr` says. */
const PER_GUEST = 20;

/** The leases that a network's DHCP server would have given: to a static host its address, to others one of its range. */
export function leasesOf({ domains, networks, clock }: Host, network: Network): NetworkDhcpLease[] {
  const { definition } = network;
  const ips = children(definition.root, "ip");
  const index = ips.findIndex((ip, i) => child(ip, "dhcp") !== undefined && definition.addresses[i]!.family === 4);
  if (!network.active || index < 0) return [];
  const prefix = prefixOfAddress(definition.addresses[index]!);
  const hosts = children(child(ips[index]!, "dhcp")!, "host");
  const statics = new Map(hosts.map((host) => [parseMac(attribute(host, "mac") ?? ""), attribute(host, "ip")]));
  return [...domains].flatMap(({ guest, name }) =>
    (guest?.definition.interfaces ?? []).flatMap((each, at) => {
      if (guest === undefined || each.network !== network.name) return [];
      const offset = BigInt(PER_GUEST * (guest.id - 1) + at + 1);
      const ipaddr = statics.get(each.mac) ?? guestAddress(networks.list, network.name, offset)?.addr;
      if (ipaddr === undefined) return [];
      return [
        {
          iface: definition.bridge ?? "",
          expirytime: BigInt(Math.floor(clock.date() / 1000) + LEASE),
          type: VirIPAddrType.VIR_IP_ADDR_TYPE_IPV4,
          mac: each.mac,
          iaid: null,
          ipaddr,
          prefix,
          hostname: name,
          clientid: null,
        },
      ];
    }),
  );
}
