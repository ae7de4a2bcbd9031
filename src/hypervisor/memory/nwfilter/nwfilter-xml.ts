import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../../rpc/index.ts";
import { parseMac } from "../mac-address.ts";
import { formatUuid, newUuid, parseUuid } from "../uuid.ts";
import {
  append,
  attribute,
  checkXml,
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

/** What this driver reads out of a network filter's XML. */
export interface FilterDefinition {
  readonly name: string;
  readonly uuid: Uint8Array;
  /** Names of the filters that it includes. */
  readonly includes: ReadonlySet<string>;
  readonly xml: string;
}

/** What this driver reads out of the XML of a filter's binding to a port. */
export interface BindingDefinition {
  readonly portDev: string;
  readonly filter: string;
  readonly xml: string;
}

const ACTIONS = ["drop", "accept", "reject", "return", "continue"];
const DIRECTIONS = ["in", "out", "inout"];
/** Chains by name, or by how their name begins, and their priorities; null for the middle, which is 0. */
const CHAINS = new Map<string, number | null>([
  ["root", 0],
  ["mac", -800],
  ["vlan", -750],
  ["stp", null],
  ["arp", -500],
  ["rarp", -400],
  ["ipv4", -700],
  ["ipv6", -600],
]);
const FILTER_LAYOUT: XmlLayout = {
  children: { filter: ["uuid"] },
  attributes: {
    filter: ["name", "chain", "priority"],
    rule: ["action", "direction", "priority", "statematch"],
  },
};
const BINDING_LAYOUT: XmlLayout = {
  children: { filterbinding: ["owner", "portdev", "linkdev", "mac", "filterref"], owner: ["name", "uuid"] },
};
const LONGEST_CHAIN = 12;
const LOWEST_PRIORITY = -1000;
const HIGHEST_PRIORITY = 1000;
const DEFAULT_RULE_PRIORITY = 500;

/** An error of libvirt's network filter driver. */
export function filterError(code: (typeof VirErrorNumber)[keyof typeof VirErrorNumber], detail: string): VirtError {
  return virtError(code, VirErrorDomain.VIR_FROM_NWFILTER, detail);
}
const internal = (detail: string) => filterError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
const invalid = (detail: string) => filterError(VirErrorNumber.VIR_ERR_INVALID_ARG, detail);
const unsupported = (detail: string) => filterError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);

/**
 * Reads a filter's XML and brings it into libvirt's form.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virNWFilterDefParseXML, libvirt src/conf/nwfilter_conf.c.
 */
export function parseFilterXml(xml: string): FilterDefinition {
  const root = parseXml(xml, "nwfilter_definition", "filter");
  const name = attribute(root, "name");
  if (name === undefined || name === "") throw internal("filter has no name");
  const priority = chainPriority(root);
  const uuidText = textOf(root, "uuid");
  const uuid = uuidText === undefined ? newUuid() : parseUuid(uuidText);
  if (uuid === undefined) throw filterError(VirErrorNumber.VIR_ERR_XML_ERROR, "malformed uuid element");
  for (const rule of children(root, "rule")) checkRule(rule);
  const includes = new Set(
    children(root, "filterref").map((reference) => {
      const filter = attribute(reference, "filter");
      if (filter === undefined) throw internal("rule node requires action attribute"); // libvirt's words for it
      return filter;
    }),
  );

  if (attribute(root, "chain") === undefined) root.setAttribute("chain", "root");
  if (priority === 0) root.removeAttribute("priority");
  else root.setAttribute("priority", String(priority));
  const element = child(root, "uuid");
  if (element === undefined) append(root, newElement(root, "uuid", formatUuid(uuid)));
  else setText(element, formatUuid(uuid));
  return { name, uuid, includes, xml: checkXml(formatXml(root, FILTER_LAYOUT)) };
}

function chainPriority(root: Element): number {
  const text = attribute(root, "priority");
  if (text !== undefined && !/^\s*[+-]?\d{1,9}$/.test(text)) throw invalid(`Could not parse chain priority '${text}'`);
  const given = text === undefined ? undefined : Number(text);
  if (given !== undefined && (given < LOWEST_PRIORITY || given > HIGHEST_PRIORITY)) {
    throw invalid(`Priority '${given}' is outside valid range of [${LOWEST_PRIORITY},${HIGHEST_PRIORITY}]`);
  }
  const chain = attribute(root, "chain");
  if (chain === undefined) return 0;
  if (chain.length > LONGEST_CHAIN) throw invalid(`Name of chain is longer than ${LONGEST_CHAIN} characters`);
  if (!/^[A-Za-z0-9_.:-]*$/.test(chain)) throw invalid("Chain name contains invalid characters");
  const prefixes = [...CHAINS.keys()].filter((name) => name !== "root");
  const prefix = chain === "root" ? chain : prefixes.find((name) => chain.startsWith(name));
  if (prefix === undefined) {
    const detail = `Invalid chain name '${chain}'. Please use a chain name called 'root' or any of the following prefixes`;
    throw invalid(`${detail}: ${prefixes.join(", ")}`);
  }
  return given ?? CHAINS.get(prefix) ?? 0;
}

/** @source virNWFilterRuleParse, libvirt src/conf/nwfilter_conf.c. */
function checkRule(rule: Element): void {
  for (const [name, values] of [
    ["action", ACTIONS],
    ["direction", DIRECTIONS],
  ] as const) {
    const value = attribute(rule, name);
    if (value === undefined) throw internal(`rule node requires ${name} attribute`);
    if (!values.includes(value)) throw unsupported(`unknown rule ${name} attribute value`);
  }
  const text = attribute(rule, "priority") ?? "";
  const given = /^\s*[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined;
  const inRange = given !== undefined && given >= LOWEST_PRIORITY && given <= HIGHEST_PRIORITY;
  rule.setAttribute("priority", String(inRange ? given : DEFAULT_RULE_PRIORITY));
  const match = attribute(rule, "statematch")?.toLowerCase();
  if (match === "0" || match === "false") rule.setAttribute("statematch", "false");
  else rule.removeAttribute("statematch");
}

/**
 * Reads a binding's XML and brings it into libvirt's form.
 *
 * @throws {VirtError} in libvirt's words.
 * @source virNWFilterBindingDefParseXML, libvirt src/conf/virnwfilterbindingdef.c.
 */
export function parseBindingXml(xml: string): BindingDefinition {
  const root = parseXml(xml, "nwfilterbinding_definition", "filterbinding");
  const required = (path: readonly string[], name: string, missing: string): string => {
    const element = descendant(root, ...path);
    const value = name === "" ? (element?.textContent ?? "") : (element?.getAttribute(name) ?? "");
    if (value === "") throw internal(`filter binding has no ${missing}`);
    return value;
  };
  const portDev = required(["portdev"], "name", "port dev name");
  if (child(root, "linkdev") !== undefined) required(["linkdev"], "name", "link dev name");
  required(["owner", "name"], "", "owner name");
  const uuidText = required(["owner", "uuid"], "", "owner UUID");
  const uuid = parseUuid(uuidText);
  if (uuid === undefined) throw internal(`Unable to parse UUID '${uuidText}'`);
  const macText = required(["mac"], "address", "MAC address");
  const mac = parseMac(macText);
  if (mac === undefined) throw internal(`Unable to parse MAC '${macText}'`);
  const filter = required(["filterref"], "filter", "filter reference");

  setText(descendant(root, "owner", "uuid")!, formatUuid(uuid));
  child(root, "mac")!.setAttribute("address", mac);
  return { portDev, filter, xml: checkXml(formatXml(root, BINDING_LAYOUT)) };
}
