import { randomBytes } from "node:crypto";
import { DOMParser, type Document, type Element, type Node, XMLSerializer } from "@xmldom/xmldom";
import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { virtError } from "../../rpc/index.ts";
import { domainError } from "./driver-errors.ts";
import { toKib } from "./memory-size.ts";
import { formatUuid, parseUuid } from "./uuid.ts";

/**
 * Longest XML that is parsed, in UTF-16 units. Parsing does not let other work have its turn, and takes up to a
 * microsecond for each.
 */
const MAX_XML = 256 << 10;
/** Deepest nesting: libxml2's own limit, and what keeps the serializer's recursion bounded. */
const MAX_DEPTH = 256;
const MAX_VCPUS = 16384;
/** What XML 1.0 has no place for, as itself or as `&#1;`: other readers, the protocol's strings among them, refuse it. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

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
  /** The XML as it was defined, `<uuid>` added, from the root on. */
  readonly xml: string;
}

const xmlError = (detail: string) => domainError(VirErrorNumber.VIR_ERR_XML_ERROR, detail);
const internalError = (detail: string) => domainError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);

/**
 * Reads a domain's XML. A UUID is made up and added where there is none.
 *
 * @throws {VirtError} in libvirt's words: not well-formed, a DOCTYPE, too big, a missing or malformed element.
 * @source virDomainDefParseXML, libvirt src/conf/domain_conf.c.
 */
export function parseDomainXml(xml: string): DomainDefinition {
  const document = parse(xml);
  const root = rootOf(document);
  const virtType = root.getAttribute("type") ?? "";
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

  const os = child(root, "os");
  const osType = (os === undefined ? undefined : textOf(os, "type")) ?? "hvm";

  root.removeAttribute("id"); // what a running domain's XML carries says nothing about the one it defines
  if (uuidText === undefined) {
    const element = document.createElement("uuid");
    element.appendChild(document.createTextNode(formatUuid(uuid)));
    insertAfter(child(root, "name")!, element);
  }
  const kept = serialize(document);
  return { name, uuid, memoryKib, currentMemoryKib, vcpus, maxVcpus, osType, virtType, xml: kept };
}

/** The XML with the id that a running domain has. */
export function formatDomainXml({ xml }: DomainDefinition, id?: number): string {
  // The text is the serializer's: the root comes first, its attributes in double quotes.
  return id === undefined ? xml : xml.replace(/^<domain(?: [^ =]+="[^"]*")*/, `$& id="${id}"`);
}

/** The definition under another name: what `dname` and `virsh domrename` do. */
export function renamed(definition: DomainDefinition, name: string): DomainDefinition {
  checkName(name);
  const document = parse(definition.xml);
  const element = child(rootOf(document), "name")!;
  while (element.firstChild !== null) element.removeChild(element.firstChild);
  element.appendChild(document.createTextNode(name));
  return { ...definition, name, xml: serialize(document) };
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

function parse(xml: string): Document {
  if (xml.length > MAX_XML) throw xmlError(`document of ${xml.length} characters, ${MAX_XML} at most`);
  if (startsWithDoctype(xml)) throw xmlError("a document type declaration is not allowed");
  let complaint: string | undefined;
  let document: Document;
  try {
    document = new DOMParser({
      onError(_level, message) {
        complaint ??= message;
        throw new Error(message); // warnings too: libvirt's parser has none of this kind
      },
    }).parseFromString(xml.replace(/^\ufeff/, ""), "text/xml");
  } catch (error) {
    const [text] = (complaint ?? String(error)).split("\n", 1);
    throw virtError(VirErrorNumber.VIR_ERR_XML_DETAIL, VirErrorDomain.VIR_FROM_XML, `(domain_definition): ${text}`);
  }
  if (document.doctype !== null) throw xmlError("a document type declaration is not allowed");
  checkDepth(document);
  return document;
}

/** Whether a DOCTYPE comes before the root element, the one place it may stand. Reads the text once, left to right. */
function startsWithDoctype(xml: string): boolean {
  let at = 0;
  for (;;) {
    const open = xml.indexOf("<", at);
    if (open < 0) return false;
    const close = xml.startsWith("<!--", open) ? "-->" : xml.startsWith("<?", open) ? "?>" : undefined;
    if (close === undefined) return xml.startsWith("<!", open);
    const end = xml.indexOf(close, open + 2);
    if (end < 0) return false;
    at = end + close.length;
  }
}

/** Walks the tree without recursion, because nothing has bounded its depth yet. */
function checkDepth(document: Document): void {
  let depth = 0;
  let node: Node | null = document.documentElement;
  while (node !== null) {
    if (node.firstChild !== null) {
      if (++depth >= MAX_DEPTH) throw xmlError(`elements nested more than ${MAX_DEPTH} deep`);
      node = node.firstChild;
      continue;
    }
    while (node !== null && node.nextSibling === null) {
      node = depth-- > 0 ? node.parentNode : null;
    }
    node = node?.nextSibling ?? null;
  }
}

function rootOf(document: Document): Element {
  const root = document.documentElement;
  if (root === null) throw xmlError("missing root element");
  if (root.tagName !== "domain") throw xmlError(`expecting root element of 'domain', not '${root.tagName}'`);
  return root;
}

function child(parent: Element, name: string): Element | undefined {
  for (let node = parent.firstChild; node !== null; node = node.nextSibling) {
    if (node.nodeType === 1 && node.nodeName === name) return node as Element;
  }
  return undefined;
}

function textOf(parent: Element, name: string): string | undefined {
  return child(parent, name)?.textContent ?? undefined;
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

/** A random UUID, version 4. */
function newUuid(): Uint8Array {
  const bytes = Uint8Array.from(randomBytes(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

/** Puts a new element on a line of its own, indented like the one before. */
function insertAfter(place: Element, element: Element): void {
  const parent = place.parentNode!;
  const before = place.previousSibling;
  const indent = before?.nodeType === 3 && /^\s*\n\s*$/.test(before.nodeValue ?? "") ? before.cloneNode(false) : null;
  const next = place.nextSibling;
  if (indent !== null) parent.insertBefore(indent, next);
  parent.insertBefore(element, next);
}

/** @throws {VirtError} for characters that XML cannot have: the parser lets them through. */
function serialize(document: Document): string {
  const xml = new XMLSerializer().serializeToString(document.documentElement!);
  const odd = FORBIDDEN.exec(xml)?.[0].codePointAt(0);
  if (odd !== undefined) {
    throw xmlError(`character U+${odd.toString(16).toUpperCase().padStart(4, "0")} is not allowed`);
  }
  return `${xml.replaceAll("\r", "&#13;")}\n`; // as itself it would be read as a newline
}
