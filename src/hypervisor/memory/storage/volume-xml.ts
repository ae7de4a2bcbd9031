import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { unitBytes } from "../memory-size.ts";
import {
  append,
  attribute,
  child,
  children,
  descendant,
  type Element,
  newElement,
  parseXml,
  setText,
  textOf,
} from "../xml.ts";
import { formatXml, type XmlLayout } from "../xml-format.ts";
import type { PoolType } from "./pool-types.ts";
import { storageError, storageXmlError } from "./storage-errors.ts";

/** What this driver reads out of a volume's XML. */
export interface VolumeDefinition {
  readonly name: string;
  /** Bytes; undefined where a copy takes that of what it is made from. */
  readonly capacity: bigint | undefined;
  /** Bytes; undefined where all of the capacity is to be set aside. */
  readonly allocation: bigint | undefined;
  /** With what libvirt adds but for what the pool decides. Never changed. */
  readonly root: Element;
}

/** What is not in the XML that a volume was defined by. */
export interface VolumePlace {
  readonly key: string;
  readonly path: string;
  /** Bytes. */
  readonly capacity: bigint;
  /** Bytes. */
  readonly allocation: bigint;
}

const TYPES = ["file", "block", "dir", "network", "netdir", "ploop"];
const FORMATS = [
  ["none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2"],
  ["qed", "vmdk", "extended", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid"],
].flat();
const FEATURES = ["lazy_refcounts", "extended_l2"];
/** Longer no file can be: off_t has a sign. */
const MAX_BYTES = 0x7fff_ffff_ffff_ffffn;
const TARGET_ORDER = [
  ["path", "format", "permissions", "timestamps", "encryption", "compat", "nocow"],
  ["clusterSize", "features"],
].flat();
/** @source virStorageVolDefFormat, libvirt src/conf/storage_conf.c. */
const LAYOUT: XmlLayout = {
  children: {
    volume: ["name", "key", "source", "capacity", "allocation", "physical", "target", "backingStore"],
    target: TARGET_ORDER,
    backingStore: TARGET_ORDER,
  },
  attributes: { volume: ["type"] },
};

const unsupported = (detail: string) => storageError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);

/**
 * Reads a volume's XML and brings it into libvirt's form.
 *
 * @param copy the capacity need not be given.
 * @throws {VirtError} in libvirt's words.
 * @source virStorageVolDefParseXML, libvirt src/conf/storage_conf.c.
 */
export function parseVolumeXml(xml: string, pool: PoolType, copy = false): VolumeDefinition {
  const root = parseXml(xml, "storage_volume_definition", "volume");
  const name = textOf(root, "name") ?? "";
  if (name === "") throw storageXmlError("missing volume name element");
  const type = attribute(root, "type");
  if (type !== undefined && !TYPES.includes(type)) throw unsupported(`unknown volume type '${type}'`);
  const backing = child(root, "backingStore");
  const hasBacking = backing !== undefined && (textOf(backing, "path") ?? "") !== "";
  const capacity = sizeOf(root, "capacity");
  if (capacity === undefined && !copy && !hasBacking) throw storageXmlError("missing capacity element");
  const allocation = sizeOf(root, "allocation");
  const target = child(root, "target") ?? newElement(root, "target");
  checkTarget(target, pool);
  if (backing !== undefined && hasBacking) checkTarget(backing, pool);

  complete(root, name, target, pool);
  if (backing !== undefined && !hasBacking) root.removeChild(backing);
  return { name, capacity, allocation, root };
}

/** The XML as libvirt shows it. */
export function formatVolumeXml({ root }: VolumeDefinition, { key, path, capacity, allocation }: VolumePlace): string {
  const copy = root.cloneNode(true) as Element;
  setText(child(copy, "key")!, key);
  setText(child(copy, "capacity")!, String(capacity));
  setText(child(copy, "allocation")!, String(allocation));
  setText(descendant(copy, "target", "path")!, path);
  return formatXml(copy, LAYOUT);
}

/** @source virStorageSize, libvirt src/conf/storage_conf.c. */
function sizeOf(root: Element, name: string): bigint | undefined {
  const element = child(root, name);
  if (element === undefined) return undefined;
  const text = (element.textContent ?? "").trim();
  if (!/^\+?\d{1,20}$/.test(text)) throw storageXmlError("malformed capacity element");
  const unit = attribute(element, "unit");
  return checkBytes(BigInt(text.replace("+", "")) * unitBytes(unit ?? "bytes"), text + (unit ?? ""));
}

/** @throws {VirtError} VIR_ERR_OVERFLOW. */
export function checkBytes(bytes: bigint, text = String(bytes)): bigint {
  if (bytes <= MAX_BYTES) return bytes;
  throw storageError(VirErrorNumber.VIR_ERR_OVERFLOW, `value too large: ${text}`);
}

function checkTarget(target: Element, pool: PoolType): void {
  const format = child(target, "format")?.getAttribute("type") ?? undefined;
  if (format !== undefined && pool.volumeFormat !== undefined && !FORMATS.includes(format)) {
    throw unsupported(`unknown volume format type ${format}`);
  }
  const compat = textOf(target, "compat");
  if (compat !== undefined && !/^\d+\.\d+$/.test(compat)) {
    throw storageXmlError("forbidden characters in 'compat' attribute");
  }
  const mode = descendant(target, "permissions", "mode")?.textContent ?? undefined;
  if (mode !== undefined && !/^[0-7]{1,5}$/.test(mode)) throw storageXmlError("malformed octal mode");
  for (const id of ["owner", "group"]) {
    const text = descendant(target, "permissions", id)?.textContent ?? undefined;
    if (text !== undefined && !/^(-1|\d{1,10})$/.test(text)) throw storageXmlError(`malformed ${id} element`);
  }
  const features = child(target, "features");
  for (const feature of features === undefined ? [] : children(features)) {
    if (!FEATURES.includes(feature.tagName)) throw unsupported(`unsupported feature ${feature.tagName}`);
  }
}

/** Adds what libvirt adds. */
function complete(root: Element, name: string, target: Element, pool: PoolType): void {
  setText(child(root, "name")!, name); // of elements in it, were there any, only the text counts
  const put = (parent: Element, tag: string): Element => {
    const there = child(parent, tag);
    if (there !== undefined) return there;
    const element = newElement(parent, tag);
    append(parent, element);
    return element;
  };
  if (attribute(root, "type") === undefined) root.setAttribute("type", "file");
  put(root, "key");
  for (const name of ["capacity", "allocation"]) {
    const element = newElement(root, name);
    element.setAttribute("unit", "bytes");
    const old = child(root, name);
    if (old === undefined) append(root, element);
    else root.replaceChild(element, old);
  }
  const physical = child(root, "physical");
  if (physical !== undefined) root.removeChild(physical);
  if (target.parentNode === null) append(root, target);
  put(target, "path");
  for (const each of [target, child(root, "backingStore")]) {
    if (each === undefined) continue;
    const format = child(each, "format");
    if (pool.volumeFormat === undefined) {
      if (format !== undefined) each.removeChild(format);
    } else if (attribute(put(each, "format"), "type") === undefined) {
      child(each, "format")!.setAttribute("type", pool.volumeFormat);
    }
  }
}
