import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { virtError } from "../../../rpc/index.ts";
import {
  attribute,
  checkXml,
  child,
  children,
  descendant,
  type Element,
  invalidAttribute,
  parseXml,
  requiredAttribute,
} from "../xml.ts";
import { formatXml, type XmlLayout } from "../xml-format.ts";

/** What this driver reads out of an interface's XML. */
export interface InterfaceDefinition {
  readonly name: string;
  /** "" where the XML has none, as on the wire. */
  readonly mac: string;
  /** The interfaces that are part of it: those of a bridge or a bond. */
  readonly ports: readonly string[];
  readonly xml: string;
}

const TYPES = ["ethernet", "bridge", "bond", "vlan"];
/** What an interface of a type may have inside it. */
const INSIDE = new Map<string, readonly string[]>([
  ["bridge", ["ethernet", "bond", "vlan"]],
  ["bond", ["ethernet"]],
]);
const START_MODES = ["onboot", "none", "hotplug"];
const BOND_MODES = ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];
/** @source virInterfaceDefDevFormat, libvirt src/conf/interface_conf.c. */
const LAYOUT: XmlLayout = {
  children: {
    interface: ["start", "mtu", "protocol", "link", "mac", "bridge", "bond", "vlan"],
    protocol: ["autoconf", "dhcp", "ip", "route"],
  },
  attributes: { interface: ["type", "name"] },
  neverShort: ["interface"],
};
const MAX_MTU = 100_000;

const xmlError = (detail: string) =>
  virtError(VirErrorNumber.VIR_ERR_XML_ERROR, VirErrorDomain.VIR_FROM_INTERFACE, detail);

/**
 * Reads an interface's XML and brings it into libvirt's form.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virInterfaceDefParseXML, libvirt src/conf/interface_conf.c.
 */
export function parseInterfaceXml(xml: string): InterfaceDefinition {
  const root = parseXml(xml, "interface_definition", "interface");
  const { name, mac } = readInterface(root);
  return { name, mac, ports: portsOf(root), xml: checkXml(formatXml(root, LAYOUT)) };
}

function portsOf(root: Element): string[] {
  const type = attribute(root, "type") ?? "";
  const part = INSIDE.has(type) ? child(root, type) : undefined;
  return part === undefined ? [] : children(part, "interface").map((port) => requiredAttribute(port, "name"));
}

function readInterface(element: Element, outer?: string): { name: string; mac: string } {
  const type = requiredAttribute(element, "type");
  if (!TYPES.includes(type)) throw invalidAttribute(element, "type");
  if (outer !== undefined && INSIDE.get(outer)?.includes(type) !== true) {
    throw xmlError(`interface has unsupported type '${type}'`);
  }
  const name = attribute(element, "name");
  if (name === undefined) throw xmlError("interface has no name");
  if (outer === undefined) checkTop(element);
  const part = child(element, type);
  switch (type) {
    case "bridge": {
      if (part === undefined) throw xmlError("bridge interface misses the bridge element");
      const stp = attribute(part, "stp");
      if (stp !== undefined && stp !== "on" && stp !== "off") {
        throw xmlError(`bridge interface stp should be on or off got ${stp}`);
      }
      break;
    }
    case "bond":
      if (part === undefined) throw xmlError("bond interface misses the bond element");
      checkBond(part);
      break;
    case "vlan":
      if (part === undefined) throw xmlError("vlan interface misses the vlan element");
      if (attribute(part, "tag") === undefined) throw xmlError("vlan interface misses the tag attribute");
      if (attribute(child(part, "interface") ?? part, "name") === undefined) {
        throw xmlError("vlan interface misses name attribute");
      }
      break;
  }
  if (part !== undefined && type !== "vlan")
    for (const inner of children(part, "interface")) readInterface(inner, type);
  return { name, mac: descendant(element, "mac")?.getAttribute("address") ?? "" };
}

/** What only an outermost interface has. */
function checkTop(element: Element): void {
  const mode = child(element, "start")?.getAttribute("mode") ?? undefined;
  if (mode !== undefined && !START_MODES.includes(mode)) throw xmlError(`unknown interface startmode ${mode}`);
  const size = child(element, "mtu")?.getAttribute("size") ?? undefined;
  if (size !== undefined && (!/^\d{1,9}$/.test(size) || Number(size) > MAX_MTU)) {
    throw xmlError(`value of the 'size' attribute of 'mtu' element must be at most ${MAX_MTU}`);
  }
  for (const protocol of children(element, "protocol")) {
    const family = attribute(protocol, "family");
    if (family === undefined) throw xmlError("protocol misses the family attribute");
    if (family !== "ipv4" && family !== "ipv6") throw xmlError(`unsupported protocol family '${family}'`);
  }
}

function checkBond(bond: Element): void {
  const mode = attribute(bond, "mode");
  if (mode !== undefined && !BOND_MODES.includes(mode)) throw xmlError(`unknown bonding mode ${mode}`);
  const number = (element: Element, name: string) => /^\d{1,9}$/.test(attribute(element, name) ?? "");
  const mii = child(bond, "miimon");
  if (mii !== undefined && !number(mii, "freq")) throw xmlError("bond interface miimon freq missing or invalid");
  const arp = child(bond, "arpmon");
  if (mii !== undefined || arp === undefined) return;
  if (!number(arp, "interval")) throw xmlError("bond interface arpmon interval missing or invalid");
  if (attribute(arp, "target") === undefined) throw xmlError("bond interface arpmon target missing");
}
