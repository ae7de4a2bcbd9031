import { children, type Element, escapeAttribute, escapeXml, type Node } from "./xml.ts";

const ELEMENT = 1;

/** How libvirt writes a kind of document, by the names of elements. What it does not name comes last, as it was. */
export interface XmlLayout {
  /** The order of what is inside. */
  readonly children?: Readonly<Record<string, readonly string[]>>;
  readonly attributes?: Readonly<Record<string, readonly string[]>>;
  /** Opened and closed even where nothing is inside. */
  readonly neverShort?: readonly string[];
}

/**
 * XML as libvirt writes it: an element a line, two blanks a level, attributes in single quotes. Comments and blanks
 * between elements are left out. The document is left as it is: moving its nodes one by one would take the square of
 * their number.
 */
export function formatXml(root: Element, layout: XmlLayout = {}): string {
  const lines: string[] = [];
  writeElement(root, "", lines, layout);
  return `${lines.join("\n")}\n`;
}

/** Those with a place in the order first; the others, and those of a name, stay as they were. */
function inOrder<T>(all: T[], nameOf: (each: T) => string, order: readonly string[] | undefined): T[] {
  if (order === undefined) return all;
  const places = new Map(order.map((name, index) => [name, index]));
  const place = (each: T) => places.get(nameOf(each)) ?? order.length;
  return all.sort((a, b) => place(a) - place(b));
}

function orderOf(orders: XmlLayout["children"], name: string): readonly string[] | undefined {
  return orders !== undefined && Object.hasOwn(orders, name) ? orders[name] : undefined;
}

function writeElement(element: Element, indent: string, lines: string[], layout: XmlLayout): void {
  const name = element.nodeName;
  const elements = inOrder(children(element), (each) => each.nodeName, orderOf(layout.children, name));
  if (hasText(element) || (elements.length === 0 && layout.neverShort?.includes(name) !== true)) {
    lines.push(indent + inline(element, layout));
    return;
  }
  lines.push(`${indent}<${name}${attributesOf(element, layout)}>`);
  for (const each of elements) writeElement(each, `${indent}  `, lines, layout);
  lines.push(`${indent}</${name}>`);
}

/** Whether there is more than blanks between the elements inside. */
function hasText(element: Element): boolean {
  for (let node = element.firstChild; node !== null; node = node.nextSibling) {
    if (isText(node) && node.nodeValue?.trim() !== "") return true;
  }
  return false;
}

function isText({ nodeType }: Node): boolean {
  return nodeType === 3 || nodeType === 4; // text, CDATA
}

function inline(element: Element, layout: XmlLayout): string {
  let inside = "";
  for (let node = element.firstChild; node !== null; node = node.nextSibling) {
    if (node.nodeType === ELEMENT) inside += inline(node as Element, layout);
    else if (isText(node)) inside += escapeXml(node.nodeValue ?? "");
  }
  const start = `<${element.nodeName}${attributesOf(element, layout)}`;
  return inside === "" ? `${start}/>` : `${start}>${inside}</${element.nodeName}>`;
}

function attributesOf(element: Element, layout: XmlLayout): string {
  const order = orderOf(layout.attributes, element.nodeName);
  return inOrder([...element.attributes], ({ name }) => name, order)
    .map(({ name, value }) => ` ${name}='${escapeAttribute(value)}'`)
    .join("");
}
