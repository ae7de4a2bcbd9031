import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { virtError } from "../../rpc/index.ts";
import { type Attr, child, children, type Element, parseXml, serialize } from "./xml.ts";

/** The namespace of declarations of namespaces. */
const XMLNS = "http://www.w3.org/2000/xmlns/";
/** What no prefix of an application's may stand for. */
const RESERVED: ReadonlySet<string> = new Set(["", XMLNS, "http://www.w3.org/XML/1998/namespace"]);

/** What an application keeps in the `<metadata>` of a definition. */
export function inNamespace(root: Element, uri: string): Element[] {
  const metadata = child(root, "metadata");
  return metadata === undefined ? [] : children(metadata).filter((each) => each.namespaceURI === uri);
}

/** The element of an application, all that is in it put under its prefix. */
export function intoNamespace(xml: string, key: string, uri: string): Element {
  const complain = (detail: string) =>
    virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_XML, detail);
  if (!/^[A-Za-z_][\w.-]*$/.test(key)) throw complain("failed to validate prefix for a new XML namespace");
  if (key === "xml" || key === "xmlns" || RESERVED.has(uri)) throw complain("failed to create a new XML namespace");
  const source = parseXml(xml, "metadata_xml");
  const document = source.ownerDocument!;
  const element = copy(source, (each) =>
    each.namespaceURI === null
      ? document.createElementNS(uri, `${key}:${each.nodeName}`)
      : document.createElementNS(each.namespaceURI, each.nodeName),
  );
  element.setAttributeNS(XMLNS, `xmlns:${key}`, uri);
  return element;
}

/** The element as its application gave it, its prefix taken off again. */
export function withoutNamespace(source: Element): string {
  const uri = source.namespaceURI;
  const document = source.ownerDocument!;
  const plain = copy(
    source,
    (element) =>
      element.namespaceURI === uri
        ? document.createElement(element.localName ?? element.nodeName)
        : document.createElementNS(element.namespaceURI, element.nodeName),
    uri ?? undefined,
  );
  return serialize(plain).trimEnd();
}

/**
 * Copies a tree, each element made anew: its depth is bounded by the parser.
 *
 * @param without declarations of this namespace.
 */
function copy(source: Element, make: (element: Element) => Element, without?: string): Element {
  const element = make(source);
  for (const each of source.attributes) {
    if (each.namespaceURI !== XMLNS || each.value !== without) {
      element.setAttributeNodeNS(each.cloneNode(true) as Attr);
    }
  }
  for (let node = source.firstChild; node !== null; node = node.nextSibling) {
    element.appendChild(node.nodeType === 1 ? copy(node as Element, make, without) : node.cloneNode(true));
  }
  return element;
}
