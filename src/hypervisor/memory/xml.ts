import { DOMParser, type Document, type Element, type Node } from "@xmldom/xmldom";
import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../rpc/index.ts";

export type { Attr, Document, Element, Node } from "@xmldom/xmldom";

/**
 * Longest XML that is parsed, in UTF-16 units. Parsing does not let other work have its turn, and takes up to a
 * microsecond for each.
 */
const MAX_XML = 256 << 10;
/** The same for what is kept: numbers in it may grow. */
const MAX_KEPT = MAX_XML - 1024;
/** Deepest nesting: libxml2's own limit, and what keeps the serializer's recursion bounded. */
const MAX_DEPTH = 256;
/** What XML 1.0 has no place for, as itself or as `&#1;`: other readers, the protocol's strings among them, refuse it. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
/** Characters of a wrong line that an error shows. */
const MAX_SHOWN = 200;
/** Nodes in an element that has text only: one, and comments. */
const MAX_REPLACED = 1000;
const ELEMENT = 1;
const TEXT = 3;
const CDATA = 4;
const INSTRUCTION = 7;
const COMMENT = 8;

/** `XML error: …`, as libvirt's code for XML of any kind reports it. */
export function xmlError(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_XML_ERROR, VirErrorDomain.VIR_FROM_XML, detail);
}

/**
 * Reads XML that a client sent.
 *
 * @param kind what libvirt calls such a document in its errors: `domain_definition`.
 * @param rootName the element that it must be.
 * @returns the root element.
 * @throws {VirtError} in libvirt's words: not well-formed, another root, a DOCTYPE, too long, too deep.
 * @source virXMLParseHelper, libvirt src/util/virxml.c.
 */
export function parseXml(xml: string, kind: string, rootName?: string): Element {
  if (xml.length > MAX_XML) throw tooLong(xml.length, MAX_XML);
  checkShape(xml);
  let complaint: { readonly message: string; readonly line: number; readonly column: number } | undefined;
  let document: Document;
  try {
    document = new DOMParser({
      onError(_level, message, { locator }: { readonly locator?: { lineNumber?: number; columnNumber?: number } }) {
        complaint ??= { message, line: locator?.lineNumber || 1, column: locator?.columnNumber || 1 };
        throw new Error(message); // warnings too: libvirt's parser has none of this kind
      },
    }).parseFromString(xml.replace(/^\ufeff/, ""), "text/xml");
  } catch (error) {
    const { message, line, column } = complaint ?? { message: String(error), line: 1, column: 1 };
    const detail = `(${kind}):${line}: ${message.split("\n", 1)[0]}\n${pointer(xml, line, column)}`;
    throw virtError(VirErrorNumber.VIR_ERR_XML_DETAIL, VirErrorDomain.VIR_FROM_XML, detail);
  }
  const root = document.documentElement;
  if (root === null) throw xmlError("missing root element");
  if (rootName !== undefined && root.tagName !== rootName) {
    throw xmlError(`expecting root element of '${rootName}', not '${root.tagName}'`);
  }
  return root;
}

/** The line that is wrong, and under it an arrow. @source catchXMLError, libvirt src/util/virxml.c */
function pointer(xml: string, line: number, column: number): string {
  const text = (xml.split(/\r\n|[\r\n]/, line)[line - 1] ?? "").slice(0, MAX_SHOWN);
  return `${text}\n${text.slice(0, column - 1).replace(/[^\t]/g, "-")}^`;
}

/**
 * Refuses a DOCTYPE and what is nested too deep before the parser sees it, which takes the square of the depth where
 * each level declares namespaces. Reads the text once, left to right, as far as it is well-formed: the parser, which
 * stops at the same place, says what is wrong there.
 */
function checkShape(xml: string): void {
  let depth = 0;
  let at = xml.indexOf("<");
  while (at >= 0) {
    const [, end] = quoting.find(([start]) => xml.startsWith(start, at)) ?? [];
    if (end !== undefined) {
      const close = xml.indexOf(end, at + 2);
      if (close < 0) return;
      at = xml.indexOf("<", close + end.length);
      continue;
    }
    if (xml.startsWith("<!", at)) throw xmlError("a document type declaration is not allowed");
    const close = endOfTag(xml, at + 1);
    if (close < 0) return;
    if (xml.startsWith("</", at)) depth--;
    else if (xml.charAt(close - 1) !== "/" && ++depth > MAX_DEPTH) throw tooDeep();
    at = xml.indexOf("<", close + 1);
  }
}

/** What starts a part that has no tags in it, and what ends it. */
const quoting = [
  ["<!--", "-->"],
  ["<![CDATA[", "]]>"],
  ["<?", "?>"],
] as const;

/** Where the `>` of a tag is, -1 where there is none. */
function endOfTag(xml: string, from: number): number {
  for (let at = from; at < xml.length; at++) {
    const character = xml.charAt(at);
    if (character === ">") return at;
    if (character === "'" || character === '"') {
      at = xml.indexOf(character, at + 1);
      if (at < 0) return -1;
    }
  }
  return -1;
}

const tooLong = (length: number, most: number) => xmlError(`document of ${length} characters, ${most} at most`);
const tooDeep = () => xmlError(`elements nested more than ${MAX_DEPTH} deep`);

/** The first child element of that name, prefix included. */
export function child(parent: Element, name: string): Element | undefined {
  for (let node = parent.firstChild; node !== null; node = node.nextSibling) {
    if (node.nodeType === ELEMENT && node.nodeName === name) return node as Element;
  }
  return undefined;
}

/** The child elements, or those of that name. */
export function children(parent: Element, name?: string): Element[] {
  const found: Element[] = [];
  for (let node = parent.firstChild; node !== null; node = node.nextSibling) {
    if (node.nodeType === ELEMENT && (name === undefined || node.nodeName === name)) found.push(node as Element);
  }
  return found;
}

/** The element at the end of a path of child elements: `descendant(root, "os", "type")`. */
export function descendant(parent: Element, ...path: string[]): Element | undefined {
  let element: Element | undefined = parent;
  for (const name of path) element = element && child(element, name);
  return element;
}

/** The text inside a child element; "" where it is empty, undefined where there is none. */
export function textOf(parent: Element, name: string): string | undefined {
  return child(parent, name)?.textContent ?? undefined;
}

/** An attribute's value, undefined where there is none. */
export function attribute(element: Element, name: string): string | undefined {
  return element.getAttribute(name) ?? undefined;
}

/** @throws {VirtError} `Missing required attribute 'dev' in element 'target'`. */
export function requiredAttribute(element: Element, name: string): string {
  const value = attribute(element, name);
  if (value === undefined) throw xmlError(`Missing required attribute '${name}' in element '${element.tagName}'`);
  return value;
}

/**
 * A decimal number in an attribute, at least 0; undefined where there is none.
 *
 * @throws {VirtError} VIR_ERR_XML_ERROR in the words of virXMLPropUInt and virXMLPropULongLong.
 */
export function numberAttribute(element: Element, name: string, max: bigint): bigint | undefined {
  const value = attribute(element, name);
  if (value === undefined) return undefined;
  const number = /^\s*\+?[0-9]{1,20}$/.test(value) ? BigInt(value.replace("+", "")) : undefined;
  if (number !== undefined && number <= max) return number;
  throw invalidAttribute(element, name, " Expected non-negative integer value");
}

/**
 * `Invalid value for attribute 'port' in element 'graphics': '-7'.`
 *
 * @param expected what stands after it.
 */
export function invalidAttribute(element: Element, name: string, expected = ""): VirtError {
  const value = attribute(element, name) ?? "";
  return xmlError(`Invalid value for attribute '${name}' in element '${element.tagName}': '${value}'.${expected}`);
}

/** Makes an element with text or none inside, for the document of another. */
export function newElement(like: Element, name: string, text?: string): Element {
  const document = like.ownerDocument!;
  const element = document.createElement(name);
  if (text !== undefined) element.appendChild(document.createTextNode(text));
  return element;
}

/**
 * Makes the text all that is inside.
 *
 * @throws {VirtError} where so much is inside that taking it out, which takes the square of its number, would hold up
 *   others.
 */
export function setText(element: Element, text: string): void {
  if (element.childNodes.length > MAX_REPLACED) {
    throw xmlError(`more than ${MAX_REPLACED} nodes in element '${element.tagName}'`);
  }
  while (element.firstChild !== null) element.removeChild(element.firstChild);
  element.appendChild(element.ownerDocument!.createTextNode(text));
}

/** Puts a new element on a line of its own after another, indented like that one. */
export function insertAfter(place: Element, element: Element): void {
  const parent = place.parentNode!;
  const next = place.nextSibling;
  const indent = indentBefore(place);
  if (indent !== undefined) parent.insertBefore(parent.ownerDocument!.createTextNode(indent), next);
  parent.insertBefore(element, next);
}

/** Puts a new element on a line of its own as the last in its parent, indented by two more than that. */
export function append(parent: Element, element: Element): void {
  const elements = children(parent);
  const last = elements[elements.length - 1];
  if (last !== undefined) {
    insertAfter(last, element);
    return;
  }
  const indent = indentBefore(parent) ?? (parent.parentNode?.nodeType === ELEMENT ? undefined : "\n");
  const document = parent.ownerDocument!;
  if (parent.textContent?.trim() === "") while (parent.firstChild !== null) parent.removeChild(parent.firstChild);
  if (indent !== undefined) parent.appendChild(document.createTextNode(`${indent}  `));
  parent.appendChild(element);
  if (indent !== undefined) parent.appendChild(document.createTextNode(indent));
}

/** Takes an element out, with the line that it stood on. */
export function remove(element: Element): void {
  const before = element.previousSibling;
  if (before !== null && indentBefore(element) !== undefined) before.parentNode?.removeChild(before);
  element.parentNode?.removeChild(element);
}

/** Takes elements out of their parent. One by one would take the square of their number: the parent is made anew. */
export function removeAll(parent: Element, elements: ReadonlySet<Node>): void {
  const rest = parent.cloneNode(false) as Element;
  for (let node = parent.firstChild; node !== null; node = node.nextSibling) {
    const isIndent = node.nextSibling !== null && elements.has(node.nextSibling) && indentBefore(node.nextSibling);
    if (!elements.has(node) && !isIndent) rest.appendChild(node.cloneNode(true));
  }
  parent.parentNode?.replaceChild(rest, parent);
}

/** The line break and the blanks before an element, where it is the first thing on its line. */
function indentBefore(element: Node): string | undefined {
  const before = element.previousSibling;
  return before?.nodeType === TEXT ? /^\s*?(\n[^\S\n]*)$/.exec(before.nodeValue ?? "")?.[1] : undefined;
}

/**
 * The text of an element as it was written, a newline at its end; attributes stand in single quotes, as libvirt has it.
 *
 * @throws {VirtError} for characters that XML cannot have: the parser lets them through; for what was nested deeper
 *   since than can be read again.
 */
export function serialize(element: Element): string {
  return `${checkCharacters(write(element, 1))}\n`;
}

/**
 * Refuses what could not be read again: escapes and indentation make a document longer than it was when it came.
 *
 * @param xml a definition as it is kept.
 * @throws {VirtError} for length, and for characters that XML cannot have.
 */
export function checkXml(xml: string): string {
  if (xml.length > MAX_KEPT) throw tooLong(xml.length, MAX_KEPT);
  return checkCharacters(xml);
}

function checkCharacters(xml: string): string {
  const odd = FORBIDDEN.exec(xml)?.[0].codePointAt(0);
  if (odd === undefined) return xml;
  throw xmlError(`character U+${odd.toString(16).toUpperCase().padStart(4, "0")} is not allowed`);
}

/** Recursive: the depth is bounded. */
function write(node: Node, depth: number): string {
  switch (node.nodeType) {
    case ELEMENT:
      return writeElement(node as Element, depth);
    case TEXT:
      return (node.nodeValue ?? "").replace(/[&<>\r]/g, (character) => escapes[character]!);
    case CDATA:
      return `<![CDATA[${node.nodeValue ?? ""}]]>`;
    case COMMENT:
      return `<!--${node.nodeValue ?? ""}-->`;
    case INSTRUCTION:
      return `<?${node.nodeName} ${node.nodeValue ?? ""}?>`;
    default:
      return "";
  }
}

function writeElement(element: Element, depth: number): string {
  if (depth > MAX_DEPTH) throw tooDeep();
  let attributes = "";
  for (const { name, value } of element.attributes) attributes += ` ${name}='${escapeAttribute(value)}'`;
  if (element.firstChild === null) return `<${element.tagName}${attributes}/>`;
  let inside = "";
  for (let node: Node | null = element.firstChild; node !== null; node = node.nextSibling)
    inside += write(node, depth + 1);
  return `<${element.tagName}${attributes}>${inside}</${element.tagName}>`;
}

/** Line breaks and tabs too, which would be read as blanks. */
export function escapeAttribute(value: string): string {
  return escapeXml(value).replaceAll("\n", "&#10;").replaceAll("\t", "&#9;");
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&apos;",
  '"': "&quot;",
  "\r": "&#13;",
};

/** Text as it stands in XML, in an attribute's value or between tags. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>'"\r]/g, (character) => escapes[character]!);
}
