import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../../rpc/index.ts";
import {
  append,
  attribute,
  checkXml,
  child,
  children,
  type Element,
  newElement,
  parseXml,
  requiredAttribute,
  textOf,
} from "../xml.ts";
import { formatXml, type XmlLayout } from "../xml-format.ts";

/** World wide names of a fibre channel host adapter: 16 hexadecimal digits each. */
export interface WorldWideNames {
  readonly wwnn: string;
  readonly wwpn: string;
  readonly fabricWwn: string | undefined;
}

/** What this driver reads out of a node device's XML. */
export interface NodeDeviceDefinition {
  readonly name: string;
  readonly parent: string | undefined;
  /** The types of `<capability>`, outermost only: `scsi_host`. */
  readonly caps: readonly string[];
  /** Those inside a `scsi_host`: `fc_host`, `vport_ops`. */
  readonly hostCaps: readonly string[];
  /** The number of a `scsi_host`. */
  readonly host: number | undefined;
  /** Of an `fc_host`. */
  readonly wwns: WorldWideNames | undefined;
  readonly xml: string;
}

/** How a device that is to be made names the adapter that it is made on. */
export interface VportRequest {
  readonly parent: string | undefined;
  readonly parentWwns: Pick<WorldWideNames, "wwnn" | "wwpn"> | undefined;
  readonly parentFabricWwn: string | undefined;
  readonly wwns: WorldWideNames;
}

const CAPS = [
  ["system", "pci", "usb_device", "usb", "net", "scsi_host", "scsi_target", "scsi", "storage", "fc_host", "vports"],
  ["scsi_generic", "drm", "mdev_types", "mdev", "ccw", "css", "vdpa", "ap_card", "ap_queue", "ap_matrix", "vpd"],
].flat();
const LAYOUT: XmlLayout = { children: { device: ["name", "path", "devnode", "parent", "driver", "capability"] } };
const NEW_DEVICE = "new device";

const nodeDeviceError = (code: (typeof VirErrorNumber)[keyof typeof VirErrorNumber], detail?: string): VirtError =>
  virtError(code, VirErrorDomain.VIR_FROM_NODEDEV, detail);
const internal = (detail: string) => nodeDeviceError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
const xmlError = (detail: string) => nodeDeviceError(VirErrorNumber.VIR_ERR_XML_ERROR, detail);

const parse = (xml: string): Element => parseXml(xml, "node_device_definition", "device");

/**
 * Reads the XML of a device that is there.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virNodeDeviceDefParseXML, libvirt src/conf/node_device_conf.c.
 */
export function parseNodeDeviceXml(xml: string): NodeDeviceDefinition {
  const root = parse(xml);
  const name = textOf(root, "name") ?? "";
  if (name === "") throw nodeDeviceError(VirErrorNumber.VIR_ERR_NO_NAME);
  const capabilities = capabilitiesOf(root, name);
  const scsi = capabilities.find(([type]) => type === "scsi_host")?.[1];
  if (scsi !== undefined && !/^\s*\d{1,9}\s*$/.test(textOf(scsi, "host") ?? "")) {
    throw internal(`${textOf(scsi, "host") === undefined ? "no" : "invalid"} SCSI host ID supplied for '${name}'`);
  }
  return {
    name,
    parent: textOf(root, "parent"),
    caps: capabilities.map(([type]) => type),
    hostCaps: scsi === undefined ? [] : hostCapsOf(scsi, name).map(([type]) => type),
    host: scsi === undefined ? undefined : Number(textOf(scsi, "host")),
    wwns: scsi === undefined ? undefined : wwnsOf(scsi, name),
    xml: checkXml(formatXml(root, LAYOUT)),
  };
}

/**
 * Reads the XML of a virtual host adapter that is to be made.
 *
 * @throws {VirtError} in libvirt's words, for other kinds of devices too: nothing else can be made here.
 */
export function parseVportXml(xml: string): VportRequest {
  const root = parse(xml);
  const parent = child(root, "parent");
  const [wwnn, wwpn, fabric] = (["wwnn", "wwpn", "fabric_wwn"] as const).map(
    (name) => parent && attribute(parent, name),
  );
  if (wwnn !== undefined && wwpn === undefined) {
    throw xmlError(`when providing parent wwnn='${wwnn}', the wwpn must also be provided`);
  }
  if (wwnn === undefined && wwpn !== undefined) {
    throw xmlError(`when providing parent wwpn='${wwpn}', the wwnn must also be provided`);
  }
  const capabilities = capabilitiesOf(root, NEW_DEVICE);
  const scsi = capabilities.filter(([type]) => type === "scsi_host").map(([, element]) => wwnsOf(element, NEW_DEVICE));
  const wwns = scsi.find((each) => each !== undefined);
  if (wwns === undefined) throw internal("Device is not a fibre channel HBA");
  const name = parent?.textContent ?? "";
  return {
    parent: name === "" ? undefined : name,
    parentWwns: wwnn === undefined || wwpn === undefined ? undefined : { wwnn, wwpn },
    parentFabricWwn: fabric,
    wwns,
  };
}

/** The XML of a virtual host adapter. */
export function vportXml(host: number, parent: NodeDeviceDefinition, { wwnn, wwpn }: WorldWideNames): string {
  const root = parse("<device/>");
  const scsi = newElement(root, "capability");
  scsi.setAttribute("type", "scsi_host");
  const fc = newElement(root, "capability");
  fc.setAttribute("type", "fc_host");
  append(root, newElement(root, "name", `scsi_host${host}`));
  append(root, newElement(root, "parent", parent.name));
  append(root, scsi);
  append(scsi, newElement(root, "host", String(host)));
  append(scsi, newElement(root, "unique_id", String(host - 1)));
  append(scsi, fc);
  append(fc, newElement(root, "wwnn", wwnn));
  append(fc, newElement(root, "wwpn", wwpn));
  const fabric = parent.wwns?.fabricWwn;
  if (fabric !== undefined) append(fc, newElement(root, "fabric_wwn", fabric));
  return formatXml(root);
}

function capabilitiesOf(root: Element, name: string): (readonly [type: string, element: Element])[] {
  const found = children(root, "capability");
  if (found.length === 0) throw internal(`no device capabilities for '${name}'`);
  return found.map((element) => {
    const type = requiredAttribute(element, "type");
    if (!CAPS.includes(type)) throw internal(`unknown device capability type '${type}' for '${name}'`);
    return [type, element];
  });
}

function hostCapsOf(scsi: Element, name: string): (readonly [type: string, element: Element])[] {
  return children(scsi, "capability").map((element) => {
    const type = attribute(element, "type");
    if (type === undefined) throw internal(`missing SCSI host capability type for '${name}'`);
    if (type !== "vport_ops" && type !== "fc_host") {
      throw internal(`unknown SCSI host capability type '${type}' for '${name}'`);
    }
    return [type, element];
  });
}

function wwnsOf(scsi: Element, name: string): WorldWideNames | undefined {
  const fc = hostCapsOf(scsi, name).find(([type]) => type === "fc_host")?.[1];
  if (fc === undefined) return undefined;
  const [wwnn, wwpn] = ["wwnn", "wwpn"].map((tag) => {
    const value = textOf(fc, tag) ?? "";
    if (value !== "") return value;
    // libvirt makes one up where it knows the hypervisor's kind; here it does not.
    throw internal(`no ${tag.toUpperCase()} supplied for '${name}', and auto-generation failed`);
  }) as [string, string];
  return { wwnn, wwpn, fabricWwn: textOf(fc, "fabric_wwn") || undefined };
}
