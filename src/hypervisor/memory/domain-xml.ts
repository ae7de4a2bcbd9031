import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import { REMOTE_DOMAIN_INTERFACE_MAX } from "../../generated/remote/index.ts";
import {
  type DiskDefinition,
  type InterfaceDefinition,
  InterfaceNames,
  readDisk,
  readInterface,
} from "./device-xml.ts";
import { domainError } from "./driver-errors.ts";
import { toKib } from "./memory-size.ts";
import { formatUuid, newUuid, parseUuid } from "./uuid.ts";
import {
  attribute,
  checkXml,
  child,
  children,
  descendant,
  type Element,
  insertAfter,
  newElement,
  parseXml,
  serialize,
  setText,
  textOf,
  xmlError,
} from "./xml.ts";

const MAX_VCPUS = 16384;

/** What this driver reads out of a domain's XML. Everything else stays in the text as it was given. */
export interface DomainDefinition {
  readonly name: string;
  readonly uuid: Uint8Array;
  /** `<memory>`, KiB. */
  readonly memoryKib: bigint;
  /** `<currentMemory>`, KiB, at most `memoryKib`. */
  readonly currentMemoryKib: bigint;
  readonly vcpus: number;
  readonly maxVcpus: number;
  /** `<os><type>`: `hvm` where absent. */
  readonly osType: string;
  /** The `type` attribute of the root. */
  readonly virtType: string;
  readonly disks: readonly DiskDefinition[];
  readonly interfaces: readonly InterfaceDefinition[];
  /** Whether `<iothreads>` or `<iothreadids>` is there, and `<perf>`: reading them is not for each of many domains. */
  readonly hasIothreads: boolean;
  readonly hasPerf: boolean;
  /** The XML as it was defined, with `<uuid>` and what interfaces need added, from the root on. */
  readonly xml: string;
}

const internalError = (detail: string) => domainError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);

/**
 * Reads a domain's XML. A UUID is made up and added where there is none, and so are MAC addresses and host-side names
 * of interfaces.
 *
 * @throws {VirtError} in libvirt's words: not well-formed, a DOCTYPE, too big, a missing or malformed element.
 * @source virDomainDefParseXML, libvirt src/conf/domain_conf.c.
 */
export function parseDomainXml(xml: string): DomainDefinition {
  return readDomain(parseDomain(xml));
}

/** Reads the element of a domain, and adds to it what is missing. */
export function readDomain(root: Element): DomainDefinition {
  const virtType = attribute(root, "type") ?? "";
  if (virtType === "") throw internalError("missing domain type attribute");

  const name = textOf(root, "name") ?? "";
  if (name === "") throw domainError(VirErrorNumber.VIR_ERR_NO_NAME);
  checkName(name);

  const uuidText = textOf(root, "uuid");
  const uuid = uuidText === undefined ? newUuid() : parseUuid(uuidText);
  if (uuid === undefined) throw internalError("malformed uuid element");

  const memoryKib = memoryOf(root, "memory");
  if (memoryKib === undefined || memoryKib === 0n) {
    throw xmlError("Memory size must be specified via <memory> or in the <numa> configuration");
  }
  const wanted = memoryOf(root, "currentMemory") ?? 0n;
  const currentMemoryKib = wanted === 0n || wanted > memoryKib ? memoryKib : wanted;

  const vcpu = child(root, "vcpu");
  const maxVcpus = vcpu === undefined ? 1 : count(vcpu.textContent ?? "", "maximum vcpus count must be an integer");
  const current = vcpu?.getAttribute("current") ?? "";
  const vcpus = current === "" ? maxVcpus : count(current, "current vcpus count must be an integer");
  if (vcpus > maxVcpus) throw internalError(`maxvcpus must not be less than current vcpus (${maxVcpus} < ${vcpus})`);

  const osType = descendant(root, "os", "type")?.textContent ?? "hvm";

  root.removeAttribute("id"); // what a running domain's XML carries says nothing about the one it defines
  if (uuidText === undefined) insertAfter(child(root, "name")!, newElement(root, "uuid", formatUuid(uuid)));
  const { disks, interfaces } = devicesOf(root);
  const kept = checkXml(serialize(root));
  return {
    name,
    uuid,
    memoryKib,
    currentMemoryKib,
    vcpus,
    maxVcpus,
    osType,
    virtType,
    disks,
    interfaces,
    hasIothreads: child(root, "iothreads") !== undefined || child(root, "iothreadids") !== undefined,
    hasPerf: child(root, "perf") !== undefined,
    xml: kept,
  };
}

const parseDomain = (xml: string): Element => parseXml(xml, "domain_definition", "domain");

/** The root element of a definition, for reading: changing it changes nothing. */
export function rootOf({ xml }: DomainDefinition): Element {
  return parseDomain(xml);
}

/**
 * The definition with its XML changed.
 *
 * @throws {VirtError} where the change made it one that could not be defined.
 */
export function changed(definition: DomainDefinition, change: (root: Element) => void): DomainDefinition {
  const root = rootOf(definition);
  change(root);
  return readDomain(root);
}

/** The XML with the id that a running domain has. */
export function formatDomainXml({ xml }: DomainDefinition, id?: number): string {
  // The text is the serializer's: the root comes first, its attributes in single quotes.
  return id === undefined ? xml : xml.replace(/^<domain(?: [^ =]+='[^']*')*? type='[^']*'/, `$& id='${id}'`);
}

/**
 * The XML of a domain, or of what has one in it, for callers who did not ask for the passwords of its displays.
 *
 * @source virDomainGraphicsAuthDefFormatAttr, libvirt src/conf/domain_conf.c.
 */
export function withoutPasswords(xml: string): string {
  return xml.replace(/(<graphics(?: [^ =]+='[^']*')*?) passwd='[^']*'/g, "$1");
}

/** The definition under another name: what `dname` and `virsh domrename` do. */
export function renamed(definition: DomainDefinition, name: string): DomainDefinition {
  checkName(name);
  return changed(definition, (root) => setText(child(root, "name")!, name));
}

/**
 * Refuses a target definition under which the guest would see other hardware.
 *
 * @throws {VirtError} VIR_ERR_CONFIG_UNSUPPORTED, `Target domain max memory 2 does not match source 1`.
 * @source virDomainDefCheckABIStabilityFlags, libvirt src/conf/domain_conf.c: of its checks, those for what this
 *   driver gives a guest.
 */
export function checkAbiStability(source: DomainDefinition, target: DomainDefinition): void {
  const check = (what: string, from: string | bigint | number, to: string | bigint | number): void => {
    if (from === to) return;
    const detail = `Target domain ${what} ${to} does not match source ${from}`;
    throw domainError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);
  };
  check("virt type", source.virtType, target.virtType);
  check("uuid", formatUuid(source.uuid), formatUuid(target.uuid));
  check("name", `'${source.name}'`, `'${target.name}'`);
  check("max memory", source.memoryKib, target.memoryKib);
  check("current memory", source.currentMemoryKib, target.currentMemoryKib);
  check("vCPU max", source.maxVcpus, target.maxVcpus);
  check("vCPU current", source.vcpus, target.vcpus);
  check("OS type", source.osType, target.osType);
}

/** @throws {VirtError} where a domain cannot have the name. */
export function checkName(name: string): void {
  if (name === "") throw domainError(VirErrorNumber.VIR_ERR_NO_NAME);
  if (name.includes("/")) throw xmlError(`name ${name} cannot contain '/'`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name)) throw xmlError("name cannot contain control characters");
}

function memoryOf(root: Element, name: string): bigint | undefined {
  const element = child(root, name);
  if (element === undefined) return undefined;
  const text = (element.textContent ?? "").trim();
  if (!/^[0-9]{1,20}$/.test(text)) throw xmlError(`Invalid value '${text}' for element or attribute './${name}[1]'`);
  return toKib(text, element.getAttribute("unit") || "KiB");
}

function count(text: string, complaint: string): number {
  if (!/^\s*[0-9]{1,9}\s*$/.test(text)) throw xmlError(complaint);
  const number = Number(text);
  if (number < 1 || number > MAX_VCPUS) throw xmlError(`invalid maximum number of vCPUs '${number}'`);
  return number;
}

function devicesOf(root: Element): { disks: DiskDefinition[]; interfaces: InterfaceDefinition[] } {
  const devices = child(root, "devices");
  if (devices === undefined) return { disks: [], interfaces: [] };
  const disks = children(devices, "disk").map(readDisk);
  const targets = new Map<string, DiskDefinition>();
  for (const disk of disks) {
    const { target, source } = disk;
    const same = targets.get(target);
    if (same !== undefined) {
      throw xmlError(`target '${target}' duplicated for disk sources '${same.source ?? ""}' and '${source ?? ""}'`);
    }
    targets.set(target, disk);
  }
  const elements = children(devices, "interface");
  if (elements.length > REMOTE_DOMAIN_INTERFACE_MAX) {
    throw xmlError(`a domain has at most ${REMOTE_DOMAIN_INTERFACE_MAX} interfaces`); // more could not be listed
  }
  const names = new InterfaceNames(elements);
  return { disks, interfaces: elements.map((element) => readInterface(element, names)) };
}
