import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { virtError } from "../../../rpc/index.ts";
import { type DomainDefinition, formatDomainXml, parseDomainXml } from "../domain-xml.ts";
import { child, children, descendant, type Element, escapeXml, serialize, textOf } from "../xml.ts";

/** What the XML of snapshots and of checkpoints has in common. */
export interface MomentXml {
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** Seconds since 1970, in a moment that is redefined. */
  readonly creationTime: bigint | undefined;
  readonly parentName: string | undefined;
  /** The domain as it was then. */
  readonly definition: DomainDefinition | undefined;
}

/** What a moment is called in errors, and which virErrorDomain its XML's errors have. */
export interface MomentKind {
  readonly word: "snapshot" | "checkpoint";
  readonly errorDomain: number;
}

export const SNAPSHOT: MomentKind = { word: "snapshot", errorDomain: VirErrorDomain.VIR_FROM_DOMAIN_SNAPSHOT };
export const CHECKPOINT: MomentKind = { word: "checkpoint", errorDomain: VirErrorDomain.VIR_FROM_DOMAIN_CHECKPOINT };

const MAX_TIME = 0x7fff_ffff_ffff_ffffn;

/** @throws {VirtError} where a moment that is redefined lacks what it must say */
export function readMoment(root: Element, { word, errorDomain }: MomentKind, redefine: boolean): MomentXml {
  const name = textOf(root, "name") || undefined;
  const description = textOf(root, "description") || undefined;
  if (!redefine) {
    return { name, description, creationTime: undefined, parentName: undefined, definition: undefined };
  }
  if (name === undefined) {
    throw virtError(VirErrorNumber.VIR_ERR_XML_ERROR, errorDomain, `a redefined ${word} must have a name`);
  }
  const time = textOf(root, "creationTime")?.trim() ?? "";
  if (!/^-?[0-9]{1,19}$/.test(time) || BigInt(time) > MAX_TIME) {
    const detail = `missing creationTime from existing ${word}`;
    throw virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, errorDomain, detail);
  }
  const parentName = descendant(root, "parent", "name")?.textContent || undefined;
  const domain = child(root, "domain");
  // An old snapshot says no more of its domain than the UUID.
  const whole = domain?.getAttribute("type") ? domain : undefined;
  const definition = whole && parseDomainXml(moved(serialize(whole), (line) => line.replace(/^ {2}/, "")));
  return { name, description, creationTime: BigInt(time), parentName, definition };
}

/**
 * Refuses elements that libvirt's schema does not have: as much of it as this driver knows.
 *
 * @throws {VirtError} VIR_ERR_XML_INVALID_SCHEMA.
 */
export function checkElements(root: Element, allowed: readonly string[]): void {
  const odd = children(root).find(({ nodeName }) => !allowed.includes(nodeName));
  if (odd === undefined) return;
  const detail = `Did not expect element ${odd.nodeName} there`;
  throw virtError(VirErrorNumber.VIR_ERR_XML_INVALID_SCHEMA, VirErrorDomain.VIR_FROM_XML, detail);
}

/** An element on a line, indented by two; nothing where there is no text. */
export function line(name: string, text: string | bigint | undefined): string {
  return text === undefined ? "" : `  <${name}>${escapeXml(String(text))}</${name}>\n`;
}

export function parentLines(parentName: string | undefined): string {
  return parentName === undefined ? "" : `  <parent>\n    <name>${escapeXml(parentName)}</name>\n  </parent>\n`;
}

/** The domain's XML, indented. */
export function domainLines(definition: DomainDefinition): string {
  const xml = formatDomainXml(definition).trimEnd();
  return `  ${moved(xml, (text) => `  ${text}`)}\n`;
}

/** Moves the lines of a domain's XML behind the first, unless that could change texts that run over several lines. */
function moved(xml: string, move: (line: string) => string): string {
  const [first = "", ...rest] = xml.trimEnd().split("\n");
  const safe = !xml.includes("<!") && [first, ...rest].every((text) => /^\s*<.*>$/.test(text));
  return safe ? [first, ...rest.map(move)].join("\n") : xml;
}
