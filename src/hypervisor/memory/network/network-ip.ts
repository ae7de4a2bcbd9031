import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { hostMask, type IpAddress, parseIp, prefixOf } from "../ip-address.ts";
import { isMulticast, parseMac } from "../mac-address.ts";
import { attribute, child, children, type Element, numberAttribute } from "../xml.ts";
import { networkError, networkXmlError } from "./network-errors.ts";

/** An `<ip>` of a network. */
export interface NetworkAddress extends IpAddress {
  readonly text: string;
  /** Bits, from the prefix or the netmask; undefined where neither is given. */
  readonly prefix: number | undefined;
}

const unsupported = (detail: string) => networkError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);
const internal = (detail: string) => networkError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);

/** More addresses than that no DHCP range may have. */
const LARGEST_RANGE = 65535n;

/**
 * Reads an `<ip>`, what is inside it included.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virNetworkIPDefParseXML, libvirt src/conf/network_conf.c.
 */
export function checkIp(network: string, ip: Element): NetworkAddress {
  const text = attribute(ip, "address");
  if (text === undefined) throw networkXmlError(`Missing required address attribute in network '${network}'`);
  const address = parseIp(text);
  if (address === undefined) throw networkXmlError(`Invalid address '${text}' in network '${network}'`);
  const netmask = attribute(ip, "netmask");
  const mask = netmask === undefined ? undefined : parseIp(netmask);
  if (netmask !== undefined && mask === undefined) {
    throw networkXmlError(`Invalid netmask '${netmask}' in network '${network}'`);
  }
  const given = Number(numberAttribute(ip, "prefix", 0xffff_ffffn) ?? 0n);
  const family = attribute(ip, "family");
  switch (family) {
    case undefined:
    case "ipv4":
      if (address.family !== 4) {
        const said = family === undefined ? "no" : "ipv4";
        throw unsupported(`${said} family specified for non-IPv4 address '${text}' in network '${network}'`);
      }
      if (mask !== undefined && mask.family !== 4) {
        const detail = `Invalid netmask '${netmask}' for address '${text}' in network '${network}' (both must be IPv4)`;
        throw unsupported(detail);
      }
      if (mask !== undefined && given > 0) {
        throw unsupported(`Network '${network}' IP address cannot have both a prefix and a netmask`);
      }
      if (given > 32) throw unsupported(`Invalid IPv4 prefix '${given}' in network '${network}'`);
      break;
    case "ipv6":
      if (address.family !== 6) {
        throw unsupported(`Family 'ipv6' specified for non-IPv6 address '${text}' in network '${network}'`);
      }
      if (netmask !== undefined) {
        throw unsupported(`netmask not allowed for IPv6 address '${text}' in network '${network}'`);
      }
      if (given > 128) throw unsupported(`Invalid IPv6 prefix '${given}' in network '${network}'`);
      break;
    default:
      throw networkXmlError(`Unrecognized family '${family}' in network '${network}'`);
  }
  const prefix = given > 0 ? given : mask === undefined ? undefined : prefixOf(mask);
  const result = { ...address, text, prefix };
  const dhcp = child(ip, "dhcp");
  if (dhcp !== undefined) {
    for (const range of children(dhcp, "range")) checkRange(network, result, range);
    for (const host of children(dhcp, "host")) checkHost(network, result, host, false);
  }
  if (child(ip, "tftp") !== undefined && address.family !== 4) {
    throw unsupported(`Unsupported <tftp> element in an IPv6 element in network '${network}'`);
  }
  return result;
}

/** Bits of the network's part of an address, as libvirt takes it where neither prefix nor netmask is given. */
export function prefixOfAddress({ family, value, prefix }: NetworkAddress): number {
  if (prefix !== undefined) return prefix;
  if (family === 6) return 64;
  const first = value >> 24n;
  return first < 128n ? 8 : first < 192n ? 16 : 24; // the address's class: virSocketAddrGetIPPrefix
}

/**
 * Refuses a DHCP range that is not in its network.
 *
 * @source virNetworkDHCPRangeDefParseXML, and virSocketAddrGetRange in libvirt src/util/virsocketaddr.c.
 */
export function checkRange(
  network: string,
  ip: NetworkAddress,
  element: Element,
): { start: IpAddress; end: IpAddress } {
  const ends = (["start", "end"] as const).map((name) => {
    const text = attribute(element, name);
    if (text === undefined) throw networkXmlError(`Missing '${name}' attribute in dhcp range for network '${network}'`);
    const address = parseIp(text);
    if (address !== undefined) return { ...address, text };
    throw networkError(
      VirErrorNumber.VIR_ERR_SYSTEM_ERROR,
      `Cannot parse socket address '${text}': Name or service not known`,
    );
  });
  const [start, end] = ends as [NetworkAddress, NetworkAddress];
  const range = `range ${start.text} - ${end.text}`;
  if (start.family !== end.family) throw internal(`mismatch of address family in ${range}`);
  if (start.family !== ip.family) throw internal(`mismatch of address family in ${range} for network ${ip.text}`);
  const prefix = prefixOfAddress(ip);
  const mask = hostMask(ip.family, prefix);
  const inside = ({ value }: IpAddress) => (value | mask) === (ip.value | mask);
  if (!inside(start) || !inside(end)) throw internal(`${range} is not entirely within network ${ip.text}/${prefix}`);
  if (ip.family === 4 && prefix < 31) {
    if ((start.value & mask) === 0n) {
      throw internal(`start of ${range} in network ${ip.text}/${prefix} is the network address`);
    }
    if ((end.value & mask) === mask) {
      throw internal(`end of ${range} in network ${ip.text}/${prefix} is the broadcast address`);
    }
  }
  if (end.value < start.value)
    throw internal(ip.family === 4 ? `${range} is reversed ` : `${range} start larger than end`);
  if (end.value - start.value > LARGEST_RANGE) throw internal(`${range} is too large (> 65535)`);
  return { start, end };
}

/** A `<host>` of `<dhcp>`. */
export interface StaticHost {
  readonly mac: string | undefined;
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly ip: IpAddress | undefined;
}

/**
 * Reads a static host.
 *
 * @param partial one of name, MAC and address will do: what is to be deleted is looked for by it.
 * @source virNetworkDHCPHostDefParseXML, libvirt src/conf/network_conf.c.
 */
export function checkHost(network: string, parent: NetworkAddress, element: Element, partial: boolean): StaticHost {
  const macText = attribute(element, "mac");
  if (macText !== undefined && parent.family === 6) {
    throw networkXmlError(
      `Invalid to specify MAC address '${macText}' in network '${network}' IPv6 static host definition`,
    );
  }
  const mac = macText === undefined ? undefined : parseMac(macText);
  if (macText !== undefined && mac === undefined) {
    throw networkXmlError(`Cannot parse MAC address '${macText}' in network '${network}'`);
  }
  if (mac !== undefined && isMulticast(mac)) {
    throw networkXmlError(`expected unicast mac address, found multicast '${macText}' in network '${network}'`);
  }
  const id = attribute(element, "id");
  const odd = id === undefined ? undefined : /[^0-9a-fA-F:]/.exec(id)?.[0];
  if (odd !== undefined) throw networkXmlError(`Invalid character '${odd}' in id '${id}' of network '${network}'`);
  const name = attribute(element, "name");
  if (name !== undefined && !/^[A-Za-z0-9]/.test(name)) {
    throw networkXmlError(`Cannot use host name '${name}' in network '${network}'`);
  }
  const ipText = attribute(element, "ip");
  const ip = ipText === undefined ? undefined : parseIp(ipText);
  if (ipText !== undefined && ip === undefined) {
    throw networkXmlError(`Invalid IP address in static host definition for network '${network}'`);
  }
  if (partial) {
    if (mac === undefined && name === undefined && ip === undefined) {
      throw networkXmlError(
        `At least one of name, mac, or ip attribute must be specified for static host definition in network '${network}' `,
      );
    }
  } else {
    if (parent.family === 6 && id === undefined && name === undefined) {
      throw networkXmlError(`Static host definition in IPv6 network '${network}' must have id or name attribute`);
    }
    if (parent.family === 4 && mac === undefined && name === undefined) {
      throw networkXmlError(`Static host definition in IPv4 network '${network}' must have mac or name attribute`);
    }
    if (ip === undefined) {
      throw networkXmlError(`Missing IP address in static host definition for network '${network}'`);
    }
  }
  return { mac, id, name, ip };
}
