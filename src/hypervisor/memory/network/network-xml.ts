import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { virtError } from "../../../rpc/index.ts";
import { isMulticast, parseMac } from "../mac-address.ts";
import { formatUuid, newUuid, parseUuid } from "../uuid.ts";
import {
  append,
  attribute,
  checkXml,
  child,
  children,
  type Element,
  newElement,
  parseXml,
  setText,
  textOf,
} from "../xml.ts";
import { formatXml, type XmlLayout } from "../xml-format.ts";
import { checkDns } from "./network-dns.ts";
import { networkError, networkXmlError } from "./network-errors.ts";
import { checkIp, type NetworkAddress } from "./network-ip.ts";
import { checkRoutes } from "./network-route.ts";

/** What this driver reads out of a network's XML. */
export interface NetworkDefinition {
  readonly name: string;
  readonly uuid: Uint8Array;
  readonly bridge: string | undefined;
  /** `<forward mode>`; `none` where the network is isolated. */
  readonly forward: string;
  readonly addresses: readonly NetworkAddress[];
  /** With what libvirt adds. Never changed: an update works on a copy. */
  readonly root: Element;
}

/** With a bridge that libvirt makes, or one of the host's, or none. */
const OWN_BRIDGE = new Set(["none", "nat", "route", "open"]);
const FORWARD_MODES = [...OWN_BRIDGE, "bridge", "private", "vepa", "passthrough", "hostdev"];
/** @source virNetworkDefFormatBuf, libvirt src/conf/network_conf.c. */
const LAYOUT: XmlLayout = {
  children: {
    network: [
      ["name", "uuid", "title", "description", "metadata", "forward", "bridge", "mtu", "mac", "domain", "dns", "vlan"],
      ["bandwidth", "port", "ip", "route", "virtualport", "portgroup"],
    ].flat(),
    forward: ["driver", "nat", "pf", "interface", "address"],
    dns: ["forwarder", "txt", "srv", "host"],
    ip: ["tftp", "dhcp"],
    dhcp: ["range", "host", "bootp"],
  },
  attributes: {
    forward: ["dev", "mode", "managed"],
    bridge: ["name", "zone", "stp", "delay", "macTableManager"],
    ip: ["family", "address", "netmask", "prefix", "localPtr"],
    host: ["mac", "id", "name", "ip"],
  },
  neverShort: ["ip", "portgroup"],
};

const unsupported = (detail: string) => networkError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);

/**
 * Reads a network's XML and brings it into the form in which libvirt shows it. A UUID is made up where there is none.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virNetworkDefParseXML, libvirt src/conf/network_conf.c.
 */
export function parseNetworkXml(xml: string): NetworkDefinition {
  const root = parseXml(xml, "network_definition", "network");
  const name = textOf(root, "name") ?? "";
  if (name === "") throw networkError(VirErrorNumber.VIR_ERR_NO_NAME);
  if (name.includes("/")) {
    throw virtError(VirErrorNumber.VIR_ERR_XML_DETAIL, VirErrorDomain.VIR_FROM_XML, "invalid char in name: /");
  }
  const uuidText = textOf(root, "uuid");
  const uuid = uuidText === undefined ? newUuid() : parseUuid(uuidText);
  if (uuid === undefined) throw networkError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "malformed uuid element");

  const ipv6 = attribute(root, "ipv6");
  if (ipv6 !== undefined && ipv6 !== "yes" && ipv6 !== "no") {
    throw networkXmlError(`Invalid ipv6 setting '${ipv6}' in network '${name}'`);
  }
  checkBridge(root, name);
  checkMac(root, name);
  const mtu = child(root, "mtu")?.getAttribute("size");
  if (mtu !== undefined && mtu !== null && !/^\d{1,9}$/.test(mtu)) {
    throw networkXmlError(`Invalid mtu size '${mtu}' in network '${name}'`);
  }
  const dns = child(root, "dns");
  if (dns !== undefined) checkDns(name, dns);
  checkPortGroups(root);
  const addresses = children(root, "ip").map((ip) => checkIp(name, ip));
  const forward = checkForward(root, name, addresses);
  checkRoutes(name, root, addresses);

  complete(root, name, uuid, forward);
  checkXml(formatXml(root, LAYOUT));
  const bridge = child(root, "bridge")?.getAttribute("name") ?? undefined;
  return { name, uuid, bridge, forward, addresses, root };
}

/** The XML as libvirt shows it. */
export function formatNetworkXml({ root }: NetworkDefinition): string {
  return formatXml(root, LAYOUT);
}

function checkBridge(root: Element, name: string): void {
  const bridge = child(root, "bridge");
  const delay = bridge?.getAttribute("delay") ?? undefined;
  if (delay !== undefined && !/^\s*\d{1,19}$/.test(delay)) {
    throw networkXmlError(`Invalid delay value in network '${name}'`);
  }
  const manager = bridge?.getAttribute("macTableManager") ?? undefined;
  if (manager !== undefined && manager !== "kernel" && manager !== "libvirt") {
    throw networkXmlError(`Invalid macTableManager setting '${manager}' in network '${name}'`);
  }
}

function checkMac(root: Element, name: string): void {
  const element = child(root, "mac");
  const text = element?.getAttribute("address") ?? undefined;
  if (element === undefined || text === undefined) return;
  const mac = parseMac(text);
  if (mac === undefined) throw networkXmlError(`Invalid bridge mac address '${text}' in network '${name}'`);
  if (isMulticast(mac)) throw networkXmlError(`Invalid multicast bridge mac address '${text}' in network '${name}'`);
  element.setAttribute("address", mac);
}

/** @source virNetworkPortGroupParseXML, libvirt src/conf/network_conf.c. */
export function checkPortGroup(group: Element): string {
  const name = attribute(group, "name");
  if (name === undefined) throw networkXmlError("Missing required name attribute in portgroup");
  return name;
}

function checkPortGroups(root: Element): void {
  for (const group of children(root, "portgroup")) checkPortGroup(group);
}

function checkForward(root: Element, name: string, addresses: readonly NetworkAddress[]): string {
  const forward = child(root, "forward");
  const mode = forward === undefined ? "none" : (attribute(forward, "mode") ?? "nat");
  if (!FORWARD_MODES.includes(mode)) throw unsupported(`unknown forwarding type '${mode}'`);
  if (forward !== undefined) checkForwardDevices(forward, name);
  const devices = forward === undefined ? [] : forwardDevices(forward);
  if (mode === "none") return mode;
  if (OWN_BRIDGE.has(mode)) {
    if (addresses.length === 0) {
      throw networkXmlError(`${mode} forwarding requested, but no IP address provided for network '${name}'`);
    }
    if (devices.length > 1) {
      throw networkXmlError(`multiple forwarding interfaces specified for network '${name}', only one is supported`);
    }
    if (mode === "open" && devices.length > 0) {
      throw networkXmlError(`forward dev not allowed for network '${name}' with forward mode='${mode}'`);
    }
    return mode;
  }
  const bridge = child(root, "bridge");
  const set = (what: string) => bridge !== undefined && attribute(bridge, what) !== undefined;
  if (mode !== "bridge") {
    if (set("name")) throw networkXmlError(`bridge name not allowed in ${mode} mode (network '${name}')`);
    if (set("zone")) throw networkXmlError(`bridge zone not allowed in ${mode} mode (network '${name}')`);
    if (set("macTableManager")) {
      throw networkXmlError(`bridge macTableManager setting not allowed in ${mode} mode (network '${name}')`);
    }
  }
  if (set("stp") || set("zone") || (set("delay") && bridge?.getAttribute("delay") !== "0")) {
    throw networkXmlError(
      `bridge delay/stp/zone options only allowed in route, nat, and isolated mode, not in ${mode} (network '${name}')`,
    );
  }
  const physical = forward === undefined ? 0 : children(forward, "pf").length;
  if (set("name") && devices.length + physical > 0) {
    throw networkXmlError(
      `A network with forward mode='${mode}' can specify a bridge name or a forward dev, but not both (network '${name}')`,
    );
  }
  if (child(root, "mtu")?.getAttribute("size")) {
    throw networkXmlError(
      `mtu size only allowed in open, route, nat, and isolated mode, not in ${mode} (network '${name}')`,
    );
  }
  return mode;
}

/** @source virNetworkForwardDefParseXML, libvirt src/conf/network_conf.c. */
function checkForwardDevices(forward: Element, name: string): void {
  const dev = attribute(forward, "dev");
  const interfaces = children(forward, "interface").map((element) => {
    const device = attribute(element, "dev");
    if (device === undefined) {
      throw networkXmlError(`Missing required dev attribute in <forward> <interface> element of network ${name}`);
    }
    return device;
  });
  if (children(forward, "nat").length > 1) {
    throw networkXmlError(`Only one <nat> element is allowed in <forward> of network ${name}`);
  }
  if (dev !== undefined && interfaces.length > 0 && interfaces[0] !== dev) {
    throw networkXmlError(
      `<forward dev='${dev}'> must match first <interface dev='${interfaces[0]}'/> in network ${name}`,
    );
  }
  const listed = new Set<string>();
  const twice = interfaces.find((device) => listed.size === listed.add(device).size);
  if (twice !== undefined) throw networkXmlError(`interface '${twice}' can only be listed once in network ${name}`);
  const physical = children(forward, "pf");
  if (physical.length > 1) throw networkXmlError(`Only one <pf> element is allowed in <forward> of network ${name}`);
  if (physical.length === 1 && attribute(physical[0]!, "dev") === undefined) {
    throw networkXmlError(`Missing required dev attribute in <pf> element of network '${name}'`);
  }
}

/** The host's interfaces that a network's traffic goes through. */
function forwardDevices(forward: Element): string[] {
  const dev = attribute(forward, "dev");
  const listed = children(forward, "interface").map((element) => attribute(element, "dev") ?? "");
  return dev === undefined || listed.length > 0 ? listed : [dev];
}

/** Adds what libvirt adds. */
function complete(root: Element, name: string, uuid: Uint8Array, mode: string): void {
  setText(child(root, "name")!, name); // of elements in it, were there any, only the text counts
  root.removeAttribute("connections"); // what an active network shows says nothing about the one it defines
  const uuidElement = child(root, "uuid");
  if (uuidElement === undefined) append(root, newElement(root, "uuid", formatUuid(uuid)));
  else setText(uuidElement, formatUuid(uuid));

  const forward = child(root, "forward");
  if (forward !== undefined && mode === "none") root.removeChild(forward);
  else if (forward !== undefined) {
    forward.setAttribute("mode", mode);
    if (mode === "hostdev" && attribute(forward, "managed") === undefined) forward.setAttribute("managed", "no");
    const [first] = forwardDevices(forward);
    if (first !== undefined) {
      forward.setAttribute("dev", first);
      if (children(forward, "interface").length === 0) append(forward, interfaceElement(forward, first));
    }
  }

  let bridge = child(root, "bridge");
  if (OWN_BRIDGE.has(mode)) {
    if (bridge === undefined) {
      bridge = newElement(root, "bridge");
      append(root, bridge);
    }
    bridge.setAttribute("stp", bridge.getAttribute("stp") === "off" ? "off" : "on");
    bridge.setAttribute("delay", (bridge.getAttribute("delay") ?? "0").trim());
  }
}

function interfaceElement(like: Element, dev: string): Element {
  const element = newElement(like, "interface");
  element.setAttribute("dev", dev);
  return element;
}
