import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import type { TypedParam } from "../../../generated/remote/index.ts";
import { parseMac } from "../mac-address.ts";
import { type CheckedParams, param } from "../typed-parameters.ts";
import { formatUuid, parseUuid } from "../uuid.ts";
import {
  append,
  attribute,
  checkXml,
  child,
  descendant,
  type Element,
  newElement,
  numberAttribute,
  parseXml,
  setText,
  textOf,
} from "../xml.ts";
import { formatXml, type XmlLayout } from "../xml-format.ts";
import { networkError, networkXmlError } from "./network-errors.ts";

/** KiB/s and KiB, as libvirt's bandwidth counts. */
interface Rate {
  readonly average: number;
  readonly peak: number;
  readonly burst: number;
  readonly floor: number;
}

export const PORT_PARAMETERS = {
  "inbound.average": "uint",
  "inbound.peak": "uint",
  "inbound.floor": "uint",
  "inbound.burst": "uint",
  "outbound.average": "uint",
  "outbound.peak": "uint",
  "outbound.burst": "uint",
} as const;

const LAYOUT: XmlLayout = {
  children: {
    networkport: ["uuid", "owner", "group", "mac", "virtualport", "bandwidth", "vlan", "port", "rxfilters", "plug"],
    owner: ["name", "uuid"],
  },
  attributes: { plug: ["type", "bridge", "macTableManager", "dev", "mode", "managed"] },
};
const internal = (detail: string) => networkError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);

/** A port of a network: what a guest's interface is plugged into. */
export class NetworkPort {
  readonly uuid: Uint8Array;
  /** `<mac address>`, as {@link parseMac} writes it. */
  readonly mac: string;
  readonly #root: Element;

  /**
   * Reads a port's XML.
   *
   * @throws {VirtError} in libvirt's words.
   * @source virNetworkPortDefParseXML, libvirt src/conf/virnetworkportdef.c.
   */
  constructor(xml: string) {
    const root = parseXml(xml, "networkport_definition", "networkport");
    this.uuid = uuidOf(root, "network port has no uuid");
    const owner = child(root, "owner");
    if (owner === undefined || (textOf(owner, "name") ?? "") === "") throw internal("network port has no owner name");
    const ownerUuid = uuidOf(owner, "network port has no owner UUID");
    const address = descendant(root, "mac")?.getAttribute("address") ?? undefined;
    if (address === undefined) throw internal("network port has no mac");
    const mac = parseMac(address);
    if (mac === undefined) throw internal(`Unable to parse MAC '${address}'`);
    this.mac = mac;
    for (const direction of ["inbound", "outbound"]) rateOf(root, direction);
    checkPlug(root);

    setText(child(root, "uuid")!, formatUuid(this.uuid));
    setText(child(owner, "uuid")!, formatUuid(ownerUuid));
    child(root, "mac")!.setAttribute("address", mac);
    checkXml(formatXml(root, LAYOUT));
    this.#root = root;
  }

  /** Whether a hypervisor has plugged something in: a `<plug>`. */
  get plugged(): boolean {
    return child(this.#root, "plug") !== undefined;
  }

  get xml(): string {
    return formatXml(this.#root, LAYOUT);
  }

  /** Its bandwidth. @source networkPortGetParameters, libvirt src/network/bridge_driver.c */
  get parameters(): TypedParam[] {
    const inbound = rateOf(this.#root, "inbound");
    const outbound = rateOf(this.#root, "outbound");
    return [
      ...(inbound === undefined
        ? []
        : (["average", "peak", "floor", "burst"] as const).map((key) => param.uint(`inbound.${key}`, inbound[key]))),
      ...(outbound === undefined
        ? []
        : (["average", "peak", "burst"] as const).map((key) => param.uint(`outbound.${key}`, outbound[key]))),
    ];
  }

  /** Sets all of its bandwidth; a direction without average and floor has none from then on. */
  set bandwidth(values: CheckedParams) {
    const old = child(this.#root, "bandwidth");
    if (old !== undefined) this.#root.removeChild(old);
    const bandwidth = newElement(this.#root, "bandwidth");
    for (const direction of ["inbound", "outbound"]) {
      const value = (key: string) => values.number(`${direction}.${key}`) ?? 0;
      if (value("average") === 0 && (direction === "outbound" || value("floor") === 0)) continue;
      const element = newElement(bandwidth, direction);
      const keys = direction === "inbound" ? ["average", "peak", "floor", "burst"] : ["average", "peak", "burst"];
      for (const key of keys) if (value(key) !== 0) element.setAttribute(key, String(value(key)));
      append(bandwidth, element);
    }
    if (child(bandwidth, "inbound") === undefined && child(bandwidth, "outbound") === undefined) return;
    append(this.#root, bandwidth);
  }
}

function uuidOf(parent: Element, missing: string): Uint8Array {
  const text = textOf(parent, "uuid");
  if (text === undefined || text === "") throw internal(missing);
  const uuid = parseUuid(text);
  if (uuid === undefined) throw internal(`Unable to parse UUID '${text}'`);
  return uuid;
}

function rateOf(root: Element, direction: string): Rate | undefined {
  const element = descendant(root, "bandwidth", direction);
  if (element === undefined) return undefined;
  const value = (name: string) => Number(numberAttribute(element, name, 0xffff_ffffn) ?? 0n);
  return { average: value("average"), peak: value("peak"), burst: value("burst"), floor: value("floor") };
}

function checkPlug(root: Element): void {
  const plug = child(root, "plug");
  if (plug === undefined) return;
  const missing = (what: string) => networkXmlError(`Missing network port ${what}`);
  const manager = attribute(plug, "macTableManager");
  switch (attribute(plug, "type")) {
    case "network":
    case "bridge":
      if (attribute(plug, "bridge") === undefined) throw missing("bridge name");
      if (manager !== undefined && manager !== "kernel" && manager !== "libvirt") {
        throw networkXmlError(`Invalid macTableManager setting '${manager}' in network port`);
      }
      break;
    case "direct":
      if (attribute(plug, "dev") === undefined) throw missing("link device name");
      break;
    case "hostdev-pci":
      if (child(plug, "address") === undefined) throw missing("PCI address");
      break;
    default: {
      const type = attribute(plug, "type");
      if (type !== undefined) throw networkXmlError(`Invalid value for attribute 'type' in element 'plug': '${type}'.`);
    }
  }
}
