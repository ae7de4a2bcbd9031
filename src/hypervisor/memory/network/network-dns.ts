import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { formatIp, parseIp } from "../ip-address.ts";
import { attribute, children, type Element } from "../xml.ts";
import { networkError } from "./network-errors.ts";

const xmlDetail = (detail: string) => networkError(VirErrorNumber.VIR_ERR_XML_DETAIL, detail);
/** Longest name of a service: DNS_RECORD_LENGTH_SRV. */
const LONGEST_SERVICE = 512;

/** The records of a network's `<dns>`. @throws {VirtError} in libvirt's words */
export function checkDns(network: string, dns: Element): void {
  for (const host of children(dns, "host")) checkDnsHost(network, host, false);
  for (const txt of children(dns, "txt")) checkDnsTxt(network, txt, false);
  for (const srv of children(dns, "srv")) checkDnsSrv(network, srv, false);
}

/** @source virNetworkDNSHostDefParseXML, libvirt src/conf/network_conf.c. */
export function checkDnsHost(network: string, element: Element, partial: boolean) {
  const text = attribute(element, "ip");
  if (text === undefined && !partial) throw xmlDetail(`Missing IP address in network '${network}' DNS HOST record`);
  const address = text === undefined ? undefined : parseIp(text);
  if (text !== undefined && address === undefined) {
    throw xmlDetail(`Invalid IP address in network '${network}' DNS HOST record`);
  }
  const names = children(element, "hostname").map((each) => each.textContent ?? "");
  if (names.includes("") || (names.length === 0 && !partial)) {
    throw xmlDetail(`Missing hostname in network '${network}' DNS HOST record`);
  }
  if (address === undefined && names.length === 0) {
    throw xmlDetail(`Missing ip and hostname in network '${network}' DNS HOST record`);
  }
  return { ip: address && formatIp(address), names };
}

/** @source virNetworkDNSTxtDefParseXML, libvirt src/conf/network_conf.c. */
export function checkDnsTxt(network: string, element: Element, partial: boolean) {
  const name = attribute(element, "name");
  if (name === undefined) throw xmlDetail(`missing required name attribute in DNS TXT record of network ${network}`);
  if (/[ ,]/.test(name)) throw xmlDetail(`prohibited character in DNS TXT record name '${name}' of network ${network}`);
  if (attribute(element, "value") === undefined && !partial) {
    throw xmlDetail(`missing required value attribute in DNS TXT record named '${name}' of network ${network}`);
  }
  return { name };
}

/** @source virNetworkDNSSrvDefParseXML, libvirt src/conf/network_conf.c. */
export function checkDnsSrv(network: string, element: Element, partial: boolean) {
  const [service, protocol, domain, target] = ["service", "protocol", "domain", "target"].map((name) =>
    attribute(element, name),
  );
  if (service === undefined && !partial) {
    throw xmlDetail(`missing required service attribute in DNS SRV record of network '${network}'`);
  }
  if (service !== undefined && service.length > LONGEST_SERVICE) {
    throw xmlDetail(
      `service attribute '${service}' in network '${network}' is too long, limit is ${LONGEST_SERVICE} bytes`,
    );
  }
  if (service !== undefined && !/^[A-Za-z0-9_-]*$/.test(service)) {
    throw xmlDetail(`invalid character in service attribute '${service}' in DNS SRV record of network '${network}'`);
  }
  if (protocol === undefined && !partial) {
    throw xmlDetail(`missing required protocol attribute in DNS SRV record '${service}' of network '${network}'`);
  }
  if (protocol !== undefined && !/^[A-Za-z_-]*$/.test(protocol)) {
    throw xmlDetail(`invalid character in protocol attribute '${protocol}' in DNS SRV record of network '${network}'`);
  }
  for (const [name, least] of [
    ["port", 1],
    ["priority", 0],
    ["weight", 0],
  ] as const) {
    const text = attribute(element, name);
    if (text === undefined) continue;
    if (/^\d+$/.test(text) && target === undefined) {
      throw xmlDetail(
        `DNS SRV ${name} attribute not permitted without target for service '${service}' in network '${network}'`,
      );
    }
    if (!/^\d{1,9}$/.test(text) || Number(text) < least || Number(text) > 65535) {
      const word = name === "priority" ? "Invalid" : "invalid";
      throw xmlDetail(`${word} DNS SRV ${name} attribute for service '${service}' in network '${network}'`);
    }
  }
  return { service, protocol, domain, target };
}
