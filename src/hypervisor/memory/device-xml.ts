import { randomBytes } from "node:crypto";
import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { virtError } from "../../rpc/index.ts";
import { parseMac } from "./mac-address.ts";
import { attribute, child, type Element, insertAfter, newElement, xmlError } from "./xml.ts";

/** `<disk>` */
export interface DiskDefinition {
  /** `<target dev>`: `vda`. */
  readonly target: string;
  /** What of `<source>` names a file, a block device or a directory. */
  readonly source: string | undefined;
  /** `disk`, `cdrom`, `floppy`, `lun`. */
  readonly device: string;
}

/** `<interface>` */
export interface InterfaceDefinition {
  /** `<target dev>`: the name on the host. */
  readonly name: string;
  /** As libvirt writes it: lower case, two digits each. */
  readonly mac: string;
  /** `network`, `bridge`, `user` … */
  readonly type: string;
  /** `<source network>`, for `network`. */
  readonly network: string | undefined;
}

/** Names of a domain's interfaces on the host. */
export class InterfaceNames {
  readonly #taken: ReadonlySet<string>;
  #next = 0;

  constructor(interfaces: readonly Element[]) {
    this.#taken = new Set(interfaces.flatMap((each) => child(each, "target")?.getAttribute("dev") ?? []));
  }

  /** One that is free, from now on no more. @source testDomainGenerateIfname, libvirt src/test/test_driver.c. */
  take(): string {
    while (this.#taken.has(`testnet${this.#next}`)) this.#next++;
    return `testnet${this.#next++}`;
  }
}

/** @throws {VirtError} VIR_ERR_NO_TARGET. */
export function readDisk(element: Element): DiskDefinition {
  const from = child(element, "source");
  const source =
    from && (attribute(from, "file") ?? attribute(from, "dev") ?? attribute(from, "dir") ?? attribute(from, "name"));
  const target = child(element, "target")?.getAttribute("dev") ?? "";
  if (target === "") throw virtError(VirErrorNumber.VIR_ERR_NO_TARGET, VirErrorDomain.VIR_FROM_DOMAIN, source ?? "");
  return { target, source: source === "" ? undefined : source, device: attribute(element, "device") ?? "disk" };
}

/**
 * Reads an interface. A MAC address and a name on the host are added where there are none.
 *
 * @param names those that are taken; the new one is added.
 */
export function readInterface(element: Element, names: InterfaceNames): InterfaceDefinition {
  const type = attribute(element, "type") ?? "user";
  const source = child(element, "source");
  const network = source && attribute(source, "network");
  if (type === "network" && (network ?? "") === "") {
    throw xmlError("No <source> 'network' attribute specified with <interface type='network'/>");
  }
  const macElement = child(element, "mac");
  const text = macElement?.getAttribute("address") ?? "";
  const mac = text === "" ? newMac() : parseMac(text);
  if (mac === undefined) throw xmlError(`unable to parse mac address '${text}'`);
  if (macElement !== undefined) {
    if (text === "") macElement.setAttribute("address", mac);
  } else {
    const added = newElement(element, "mac");
    added.setAttribute("address", mac);
    insertFirst(element, added);
  }
  let target = child(element, "target");
  let name = target?.getAttribute("dev") ?? "";
  if (name === "") {
    name = names.take();
    if (target === undefined) {
      target = newElement(element, "target");
      insertAfter(source ?? child(element, "mac")!, target);
    }
    target.setAttribute("dev", name);
  }
  return { name, mac, type, network: type === "network" ? network : undefined };
}

/** The path of a disk, or its name in the guest. @source virDomainDiskIndexByName, libvirt src/conf/domain_conf.c. */
export function findDisk<Disk extends Pick<DiskDefinition, "target" | "source">>(
  disks: readonly Disk[],
  name: string,
  ambiguous: "first" | "none",
): Disk | undefined {
  if (!name.startsWith("/")) return disks.find(({ target }) => target === name);
  const found = disks.filter(({ source }) => source === name);
  return ambiguous === "first" || found.length === 1 ? found[0] : undefined;
}

/** In the range that libvirt gives to drivers without one of their own. */
function newMac(): string {
  const tail = [...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, "0"));
  return ["52", "54", "00", ...tail].join(":");
}

function insertFirst(parent: Element, element: Element): void {
  const first = parent.firstChild;
  if (first?.nodeType === 3) parent.insertBefore(first.cloneNode(false), first);
  parent.insertBefore(element, first);
}
