import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { formatIp, hostMask, type IpAddress, parseIp } from "../ip-address.ts";
import { attribute, children, type Element, numberAttribute, xmlError } from "../xml.ts";
import { networkError, networkXmlError } from "./network-errors.ts";
import { type NetworkAddress, prefixOfAddress } from "./network-ip.ts";

const MAX_UINT = 0xffff_ffffn;

/**
 * The static routes of a network, whose gateways must be reachable from its own addresses.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virNetworkDefParseXML, libvirt src/conf/network_conf.c.
 */
export function checkRoutes(network: string, root: Element, addresses: readonly NetworkAddress[]): void {
  const gateways = children(root, "route").map((route) => checkRoute(network, route));
  const prefixes = { 4: new Set<number>(), 6: new Set<number>() };
  const reachable = new Set<string>();
  for (const address of addresses) {
    const prefix = prefixOfAddress(address);
    prefixes[address.family].add(prefix);
    reachable.add(networkOf(address, prefix));
  }
  for (const gateway of gateways) {
    if ([...prefixes[gateway.family]].some((prefix) => reachable.has(networkOf(gateway, prefix)))) continue;
    const detail = `unreachable static route gateway '${formatIp(gateway)}' specified for network '${network}'`;
    throw networkError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);
  }
}

/** Alike for addresses of one network of that size. */
function networkOf({ family, value }: IpAddress, prefix: number): string {
  return `${family} ${prefix} ${value | hostMask(family, prefix)}`;
}

/** Reads a route's gateway. @source virNetDevIPRouteCreate, libvirt src/conf/networkcommon_conf.c */
function checkRoute(network: string, route: Element): IpAddress {
  const refused = (detail: string) => networkXmlError(`${network}: ${detail}`);
  const given = numberAttribute(route, "prefix", MAX_UINT);
  if (numberAttribute(route, "metric", MAX_UINT) === 0n) {
    throw xmlError("Invalid value for attribute 'metric' in element 'route': Zero is not permitted");
  }
  const [family, netmaskText] = ["family", "netmask"].map((name) => attribute(route, name));
  const [address, gateway] = (["address", "gateway"] as const).map((name) => {
    const text = attribute(route, name);
    if (text === undefined) throw refused(`Missing required ${name} attribute in route definition`);
    return text;
  }) as [string, string];
  const [to, via] = [address, gateway].map((text, i) => {
    const ip = parseIp(text);
    if (ip !== undefined) return ip;
    throw refused(`Bad ${i === 0 ? "network" : "gateway"} address '${text}' in route definition`);
  }) as [IpAddress, IpAddress];
  const netmask = netmaskText === undefined ? undefined : parseIp(netmaskText);

  if (family === undefined || family === "ipv4") {
    const said = family === undefined ? "No" : "IPv4";
    if (to.family !== 4) {
      throw refused(`${said} family specified for non-IPv4 address '${address}' in route definition`);
    }
    if (via.family !== 4) {
      // libvirt names the address here, too.
      throw refused(`${said} family specified for non-IPv4 gateway '${address}' in route definition`);
    }
    if (netmaskText !== undefined) {
      if (netmask === undefined) throw refused(`Bad netmask address '${netmaskText}' in route definition`);
      if (netmask.family !== 4) {
        throw refused(`Invalid netmask '${netmaskText}' for address '${address}' (both must be IPv4)`);
      }
      if (given !== undefined) throw refused("Route definition cannot have both a prefix and a netmask");
    }
  } else if (family === "ipv6") {
    if (to.family !== 6) {
      throw refused(`ipv6 family specified for non-IPv6 address '${address}' in route definition`);
    }
    if (netmaskText !== undefined) {
      throw refused(`Specifying netmask invalid for IPv6 address '${address}' in route definition`);
    }
    if (via.family !== 6) {
      throw refused(`ipv6 specified for non-IPv6 gateway address '${gateway}' in route definition`);
    }
  } else throw refused(`Unrecognized family '${family}' in route definition`);
  const most = to.family === 4 ? 32 : 128;
  const prefix = Number(given ?? 0n);
  if (prefix > most) {
    throw refused(`Invalid prefix ${prefix} specified in route definition, must be 0 - ${most}`);
  }
  const inHosts = netmask === undefined ? to.value & hostMask(to.family, prefix) : to.value & ~netmask.value;
  if (inHosts !== 0n) throw refused(`Address '${address}' in route definition is not a network address`);
  return via;
}
