import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { formatUuid, newUuid, parseUuid } from "../uuid.ts";
import {
  append,
  attribute,
  checkXml,
  child,
  children,
  descendant,
  type Element,
  invalidAttribute,
  newElement,
  parseXml,
  requiredAttribute,
  setText,
  textOf,
} from "../xml.ts";
import { formatXml, type XmlLayout } from "../xml-format.ts";
import { type PoolType, poolTypes } from "./pool-types.ts";
import { storageError, storageXmlError } from "./storage-errors.ts";

/** What this driver reads out of a storage pool's XML. */
export interface PoolDefinition {
  readonly name: string;
  readonly uuid: Uint8Array;
  readonly type: PoolType;
  /** `<target><path>`; "" where the type has none. */
  readonly targetPath: string;
  /** What the pool is made from: two pools cannot be made from the same. Undefined where that is no matter. */
  readonly sourceKey: string | undefined;
  /** World wide names of the virtual host adapter that a `scsi` pool makes. */
  readonly vport: { readonly wwnn: string; readonly wwpn: string; readonly parent: string | undefined } | undefined;
  /** With what libvirt adds but for the sizes. Never changed. */
  readonly root: Element;
}

/** Bytes. */
export interface PoolSizes {
  readonly capacity: bigint;
  readonly allocation: bigint;
  readonly available: bigint;
}

/** @source virStoragePoolDefFormatBuf, libvirt src/conf/storage_conf.c. */
const LAYOUT: XmlLayout = {
  children: {
    pool: ["name", "uuid", "capacity", "allocation", "available", "features", "source", "target", "refresh"],
    source: [
      ["host", "device", "dir", "adapter", "name", "initiator", "format"],
      ["auth", "protocol", "vendor", "product"],
    ].flat(),
    target: ["path", "permissions"],
  },
  neverShort: ["source", "target"],
};

/**
 * Reads a pool's XML and brings it into libvirt's form.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virStoragePoolDefParseXML, libvirt src/conf/storage_conf.c.
 */
export function parsePoolXml(xml: string): PoolDefinition {
  const root = parseXml(xml, "storage_pool_definition", "pool");
  const type = poolTypes.get(requiredAttribute(root, "type"));
  if (type === undefined) throw invalidAttribute(root, "type");
  const source = child(root, "source") ?? newElement(root, "source");
  checkSource(source, type);

  const sourceName = textOf(source, "name");
  const name = textOf(root, "name") || (type.takes.includes("name") ? sourceName : undefined);
  if (name === undefined || name === "") throw storageXmlError("missing pool source name element");
  if (name.includes("/")) throw storageXmlError(`name ${name} cannot contain '/'`);
  const uuidText = textOf(root, "uuid");
  const uuid = uuidText === undefined ? newUuid() : parseUuid(uuidText);
  if (uuid === undefined) throw storageXmlError("malformed uuid element");
  checkNeeds(source, type);

  const targetPath = targetOf(root, type, sourceName ?? name);
  if (type.name === "iscsi-direct" && descendant(source, "initiator", "iqn") === undefined) {
    throw storageError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, "missing initiator IQN");
  }
  const adapter = child(source, "adapter");
  const vport = adapter === undefined || attribute(adapter, "type") !== "fc_host" ? undefined : vportOf(adapter);

  complete(root, source, type, { name, uuid, targetPath });
  checkXml(formatXml(root, LAYOUT));
  return { name, uuid, type, targetPath, sourceKey: sourceKeyOf(source, type, targetPath), vport, root };
}

/** The XML as libvirt shows it. */
export function formatPoolXml({ root }: PoolDefinition, sizes: PoolSizes): string {
  const copy = root.cloneNode(true) as Element;
  for (const key of ["capacity", "allocation", "available"] as const) {
    setText(child(copy, key)!, String(sizes[key]));
  }
  return formatXml(copy, LAYOUT);
}

/** @source virStoragePoolDefParseSource, libvirt src/conf/storage_conf.c. */
function checkSource(source: Element, type: PoolType): void {
  if (type.name === "rbd" && textOf(source, "name") === undefined) {
    throw storageXmlError("element 'name' is mandatory for RBD pool");
  }
  const format = child(source, "format")?.getAttribute("type") ?? undefined;
  if (format !== undefined && type.formats.length > 0 && !type.formats.includes(format)) {
    throw storageError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, `unknown pool format type ${format}`);
  }
  if (children(source, "host").some((host) => attribute(host, "name") === undefined)) {
    throw storageXmlError("missing storage pool host name");
  }
  if (children(source, "device").some((device) => attribute(device, "path") === undefined)) {
    throw storageXmlError("missing storage pool source device path");
  }
  const auth = child(source, "auth");
  if (auth !== undefined && attribute(auth, "type") === undefined) {
    throw storageError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, "storage pool missing auth type");
  }
}

function checkNeeds(source: Element, { takes, name }: PoolType): void {
  if (takes.includes("host") && child(source, "host") === undefined) {
    throw storageXmlError("missing storage pool source host name");
  }
  if (takes.includes("dir") && child(source, "dir")?.getAttribute("path") == null && name !== "gluster") {
    throw storageXmlError("missing storage pool source path");
  }
  if (takes.includes("adapter") && child(source, "adapter") === undefined) {
    throw storageXmlError("missing storage pool source adapter");
  }
  if (takes.length === 1 && takes[0] === "device" && child(source, "device") === undefined) {
    throw storageXmlError("missing storage pool source device name");
  }
}

function targetOf(root: Element, { name, takes }: PoolType, sourceName: string): string {
  if (takes.includes("network")) return "";
  if (name === "logical") return `/dev/${sourceName}`;
  if (name === "zfs") return `/dev/zvol/${sourceName}`;
  const path = descendant(root, "target", "path")?.textContent ?? undefined;
  if (path === undefined) throw storageXmlError("missing storage pool target path");
  return sanitizePath(path);
}

/** One slash where there are several, none at the end. @source virFileSanitizePath, libvirt src/util/virfile.c */
export function sanitizePath(path: string): string {
  const clean =
    path.startsWith("//") && !path.startsWith("///") ? `/${path.replace(/\/+/g, "/")}` : path.replace(/\/+/g, "/");
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

function vportOf(adapter: Element): PoolDefinition["vport"] {
  const [wwnn, wwpn] = ["wwnn", "wwpn"].map((name) => attribute(adapter, name));
  if (wwnn === undefined || wwpn === undefined) {
    throw storageXmlError("'wwnn' and 'wwpn' must be specified for adapter type 'fchost'");
  }
  return { wwnn, wwpn, parent: attribute(adapter, "parent") };
}

/** @source virStoragePoolObjSourceFindDuplicateCb, libvirt src/conf/virstorageobj.c. */
function sourceKeyOf(source: Element, { name }: PoolType, targetPath: string): string | undefined {
  const list = (element: string, attributeName: string) =>
    children(source, element).map((each) => attribute(each, attributeName) ?? "");
  const devices = list("device", "path");
  switch (name) {
    case "dir":
      return `dir ${targetPath}`;
    case "gluster":
    case "netfs":
      return JSON.stringify([name, list("host", "name"), list("dir", "path"), textOf(source, "name") ?? ""]);
    case "iscsi":
    case "fs":
    case "logical":
    case "disk":
    case "zfs":
      return devices.length === 0 ? undefined : JSON.stringify(["device", list("host", "name"), devices]);
    case "scsi": {
      const adapter = child(source, "adapter");
      return (
        adapter && JSON.stringify(["scsi", ...["name", "wwnn", "wwpn"].map((key) => attribute(adapter, key) ?? "")])
      );
    }
    case "sheepdog":
      return JSON.stringify(["sheepdog", list("host", "name"), list("host", "port")]);
    case "mpath":
      return "mpath";
    case "vstorage":
      return `vstorage ${textOf(source, "name") ?? ""}`;
    default:
      return undefined;
  }
}

/** Adds what libvirt adds. */
function complete(
  root: Element,
  source: Element,
  type: PoolType,
  { name, uuid, targetPath }: Pick<PoolDefinition, "name" | "uuid" | "targetPath">,
): void {
  const put = (parent: Element, tag: string, text?: string): Element => {
    let element = child(parent, tag);
    if (element === undefined) {
      element = newElement(parent, tag);
      append(parent, element);
    }
    if (text !== undefined) setText(element, text);
    return element;
  };
  put(root, "name", name);
  put(root, "uuid", formatUuid(uuid));
  for (const key of ["capacity", "allocation", "available"]) {
    const element = newElement(root, key, "0");
    element.setAttribute("unit", "bytes");
    const old = child(root, key);
    if (old === undefined) append(root, element);
    else root.replaceChild(element, old);
  }
  if (source.parentNode === null) append(root, source);
  if (type.takes.includes("name") && textOf(source, "name") === undefined) put(source, "name", name);
  const folder = child(source, "dir");
  const path = folder && attribute(folder, "path");
  if (path !== undefined) folder?.setAttribute("path", sanitizePath(path));
  else if (type.name === "gluster") put(source, "dir").setAttribute("path", "/");
  if (type.defaultFormat !== undefined) {
    const format = put(source, "format");
    if (attribute(format, "type") === undefined) format.setAttribute("type", type.defaultFormat);
  }
  if (targetPath !== "") {
    const target = put(root, "target");
    put(target, "path", targetPath);
  }
}
