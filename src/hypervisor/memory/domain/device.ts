import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { InterfaceNames, readDisk, readInterface } from "../device-xml.ts";
import { ensure } from "../domain-edit.ts";
import { driverError, invalidArgument, operationFailed, operationInvalid } from "../driver-errors.ts";
import { parseMac } from "../mac-address.ts";
import { append, child, children, type Element, newElement, parseXml, remove, xmlError } from "../xml.ts";

/** What stands in `<devices>`, and may come and go. */
const DEVICES = new Set([
  "disk",
  "controller",
  "lease",
  "filesystem",
  "interface",
  "serial",
  "parallel",
  "console",
  "channel",
  "smartcard",
  "input",
  "tpm",
  "graphics",
  "sound",
  "audio",
  "video",
  "hostdev",
  "redirdev",
  "hub",
  "watchdog",
  "memballoon",
  "rng",
  "shmem",
  "memory",
  "panic",
  "nvram",
  "iommu",
  "vsock",
  "crypto",
]);
/** A guest has one at most. */
const ONLY_ONE = new Set(["watchdog", "vsock", "memballoon", "nvram", "iommu"]);
/** Never while they are defined. @source qemuDomainAttachDeviceConfig, libvirt src/qemu/qemu_driver.c. */
const FIXED = new Set([
  "video",
  "graphics",
  "hub",
  "smartcard",
  "memballoon",
  "nvram",
  "tpm",
  "panic",
  "iommu",
  "audio",
]);

/** UTF-16 units of a device that a client sends. */
const MAX_DEVICE = 16 << 10;
const MOST_COMPARED = 1_000_000;

const missing = (detail: string) => driverError(VirErrorNumber.VIR_ERR_DEVICE_MISSING, detail);

/** Reads the XML of one device. @throws {VirtError} also where it is longer than any device needs to be */
export function parseDevice(xml: string): Element {
  if (xml.length > MAX_DEVICE) throw xmlError(`device of ${xml.length} characters, ${MAX_DEVICE} at most`);
  const device = parseXml(xml, "device_definition");
  if (!DEVICES.has(device.tagName)) throw xmlError(`unknown device type '${device.tagName}'`);
  if (device.tagName === "disk") readDisk(device);
  return device;
}

/**
 * Puts a device into a domain.
 *
 * @param which whether its guest has it from now on, or only that of the next start.
 * @returns its alias.
 * @throws {VirtError} VIR_ERR_OPERATION_INVALID where there is one already.
 */
export function attach(root: Element, device: Element, which: "live" | "config"): string {
  const devices = ensure(root, "devices");
  const kind = device.tagName;
  if (FIXED.has(kind)) throw unsupported(which, "attach", kind);
  const same = children(devices, kind);
  if (kind === "disk") {
    const { target } = readDisk(device);
    if (same.some((each) => readDisk(each).target === target))
      throw operationInvalid(`target ${target} already exists`);
  } else if (kind === "filesystem") {
    const target = targetDir(device);
    if (same.some((each) => targetDir(each) === target)) throw operationInvalid("Target already exists");
  } else if (ONLY_ONE.has(kind)) {
    if (same.length > 0) throw operationInvalid(`domain already has a ${kind}${kind === "vsock" ? " device" : ""}`);
  } else if (kind === "controller") {
    const index = device.getAttribute("index");
    const type = device.getAttribute("type");
    if (
      index !== null &&
      same.some((each) => each.getAttribute("index") === index && each.getAttribute("type") === type)
    ) {
      throw operationInvalid(`controller index='${index}' already exists`);
    }
  } else if (kind === "hostdev") {
    const contains = comparison();
    if (same.some((each) => contains(each, device))) {
      throw operationInvalid("device is already in the domain configuration");
    }
  }
  const copy = root.ownerDocument!.importNode(device, true);
  append(devices, copy);
  if (kind === "interface") readInterface(copy, new InterfaceNames(children(devices, "interface"))); // gives it what it needs
  const alias = aliasOf(copy) ?? freeAlias(devices, copy);
  if (which === "live" && aliasOf(copy) === undefined) {
    const element = newElement(root, "alias");
    element.setAttribute("name", alias);
    append(copy, element);
  }
  return alias;
}

/**
 * Takes a device out of a domain.
 *
 * @returns its alias.
 * @throws {VirtError} VIR_ERR_DEVICE_MISSING.
 */
export function detach(root: Element, device: Element, which: "live" | "config"): string {
  if (FIXED.has(device.tagName)) throw unsupported(which, "detach", device.tagName);
  const found = find(root, device, which);
  const alias = aliasOf(found) ?? freeAlias(ensure(root, "devices"), found);
  remove(found);
  return alias;
}

/** @throws {VirtError} VIR_ERR_DEVICE_MISSING. */
export function detachByAlias(root: Element, alias: string): void {
  const found = children(ensure(root, "devices")).find((each) => aliasOf(each) === alias);
  if (found === undefined) throw missing(`no device found with alias ${alias}`);
  remove(found);
}

/**
 * Puts a device into the place of the one that it is about.
 *
 * @throws {VirtError} where there is none, or where its kind cannot be changed.
 */
export function update(root: Element, device: Element, which: "live" | "config"): void {
  const kind = device.tagName;
  if (!["disk", "interface", "graphics", "memory"].includes(kind)) {
    const state = which === "live" ? "live" : "persistent";
    const detail = `${state} update of device '${kind}' is not supported`;
    throw driverError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, detail);
  }
  const devices = ensure(root, "devices");
  if (kind === "disk" && which === "config") {
    const { target } = readDisk(device);
    if (!children(devices, kind).some((each) => readDisk(each).target === target)) {
      throw invalidArgument(`target ${target} doesn't exist.`);
    }
  }
  const old = kind === "graphics" ? graphicsLike(devices, device) : find(root, device, which);
  const copy = root.ownerDocument!.importNode(device, true);
  old.parentNode!.insertBefore(copy, old);
  if (kind === "interface") keepInterface(old, copy, devices);
  const alias = child(old, "alias");
  if (alias !== undefined && child(copy, "alias") === undefined) append(copy, alias.cloneNode(true) as Element);
  old.parentNode!.removeChild(old);
}

/** An interface keeps its addresses, where the new XML says nothing of them. */
function keepInterface(old: Element, copy: Element, devices: Element): void {
  for (const name of ["mac", "target", "address"]) {
    const kept = child(old, name);
    if (kept !== undefined && child(copy, name) === undefined) append(copy, kept.cloneNode(true) as Element);
  }
  readInterface(copy, new InterfaceNames(children(devices, "interface")));
}

function graphicsLike(devices: Element, device: Element): Element {
  const type = device.getAttribute("type") ?? "";
  const found = children(devices, "graphics").find((each) => each.getAttribute("type") === type);
  if (found === undefined) throw invalidArgument(`cannot find existing graphics type '${type}' device to modify`);
  return found;
}

/** The device of a domain that an XML is about. */
function find(root: Element, device: Element, which: "live" | "config"): Element {
  const devices = child(root, "devices");
  const kind = device.tagName;
  const same = devices === undefined ? [] : children(devices, kind);
  if (kind === "disk") {
    const { target } = readDisk(device);
    const found = same.find((each) => readDisk(each).target === target);
    if (found === undefined)
      throw missing(which === "live" ? `disk ${target} not found` : `no target device ${target}`);
    return found;
  }
  if (kind === "interface") return findInterface(same, device);
  if (kind === "filesystem") {
    const found = same.find((each) => targetDir(each) === targetDir(device));
    if (found === undefined) throw missing("no matching filesystem device was found");
    return found;
  }
  const contains = comparison();
  const found = same.find((each) => contains(each, device));
  if (found === undefined) throw missing("device not present in domain configuration");
  return found;
}

/** @source virDomainNetFindIdx, libvirt src/conf/domain_conf.c. */
function findInterface(interfaces: readonly Element[], device: Element): Element {
  const wanted = child(device, "mac")?.getAttribute("address") ?? undefined;
  const mac = wanted === undefined ? undefined : parseMac(wanted);
  if (wanted !== undefined && mac === undefined) throw xmlError(`unable to parse mac address '${wanted}'`);
  const alias = aliasOf(device);
  const address = child(device, "address");
  const contains = comparison();
  const found = interfaces.filter((each) => {
    if (mac !== undefined && parseMac(child(each, "mac")?.getAttribute("address") ?? "") !== mac) return false;
    if (alias !== undefined && aliasOf(each) !== undefined && aliasOf(each) !== alias) return false;
    const theirs = child(each, "address");
    return address === undefined || (theirs !== undefined && contains(theirs, address));
  });
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw operationFailed(
      mac === undefined ? "multiple matching devices found" : `multiple devices matching MAC address ${mac} found`,
    );
  }
  const detail = `no device found at address '(<null>)' matching MAC address '${mac ?? "(<null>)"}' and alias '${alias ?? "(<null>)"}'`;
  throw missing(detail);
}

/**
 * Makes what finds out whether all that is said of the one device is so of the other: attributes, and elements inside.
 *
 * @throws {VirtError} after so many comparisons that others would be held up.
 */
function comparison(): (device: Element, wanted: Element) => boolean {
  let left = MOST_COMPARED;
  const contains = (device: Element, wanted: Element): boolean => {
    if (--left < 0) throw xmlError("too many elements to compare");
    if (device.tagName !== wanted.tagName) return false;
    for (const { name, value } of wanted.attributes) {
      if (device.getAttribute(name) !== value) return false;
    }
    const inside = children(wanted);
    if (inside.length === 0) {
      const text = (wanted.textContent ?? "").trim();
      return text === "" || text === (device.textContent ?? "").trim();
    }
    const theirs = children(device);
    return inside.every((each) => theirs.some((other) => contains(other, each)));
  };
  return contains;
}

function aliasOf(device: Element): string | undefined {
  return child(device, "alias")?.getAttribute("name") ?? undefined;
}

function targetDir(device: Element): string | null | undefined {
  return child(device, "target")?.getAttribute("dir");
}

/** What libvirt's QEMU driver would call the device. */
function freeAlias(devices: Element, device: Element): string {
  const kind = device.tagName;
  const same = children(devices, kind);
  const taken = new Set(same.map(aliasOf));
  const prefix =
    kind === "disk"
      ? `${child(device, "target")?.getAttribute("bus") ?? "virtio"}-disk`
      : kind === "interface"
        ? "net"
        : kind;
  let at = Math.max(0, same.indexOf(device));
  while (taken.has(`${prefix}${at}`)) at++;
  return `${prefix}${at}`;
}

function unsupported(which: "live" | "config", what: string, kind: string) {
  const detail = `${which === "live" ? "live" : "persistent"} ${what} of device '${kind}' is not supported`;
  return driverError(VirErrorNumber.VIR_ERR_OPERATION_UNSUPPORTED, detail);
}
