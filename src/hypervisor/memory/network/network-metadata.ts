import { VirErrorNumber, VirNetworkMetadataType } from "../../../generated/libvirt/index.ts";
import { inNamespace, intoNamespace, withoutNamespace } from "../metadata-element.ts";
import { append, child, children, type Element, newElement, remove, removeAll, setText, textOf } from "../xml.ts";
import { networkError } from "./network-errors.ts";
import { formatNetworkXml, type NetworkDefinition, parseNetworkXml } from "./network-xml.ts";

const T = VirNetworkMetadataType;
const invalid = (detail: string) => networkError(VirErrorNumber.VIR_ERR_INVALID_ARG, detail);

/**
 * The definition's title, description, or the element of a namespace.
 *
 * @throws {VirtError} VIR_ERR_NO_NETWORK_METADATA.
 * @source virNetworkObjGetMetadata, libvirt src/conf/virnetworkobj.c.
 */
export function networkMetadata({ root }: NetworkDefinition, type: number, uri: string | null): string {
  const found = type === T.VIR_NETWORK_METADATA_ELEMENT ? elementOf(root, uri) : textOf(root, nameOf(type));
  if (found !== undefined) return found;
  throw networkError(VirErrorNumber.VIR_ERR_NO_NETWORK_METADATA, "Requested metadata element is not present");
}

/**
 * The definition with other metadata, or without it where it is null.
 *
 * @throws {VirtError} where that is not well-formed.
 * @source virNetworkDefSetMetadata, libvirt src/conf/virnetworkobj.c.
 */
export function withMetadata(
  definition: NetworkDefinition,
  type: number,
  metadata: string | null,
  key: string | null,
  uri: string | null,
): NetworkDefinition {
  const { root } = parseNetworkXml(formatNetworkXml(definition));
  if (type === T.VIR_NETWORK_METADATA_ELEMENT) setElement(root, metadata, key, uri);
  else setPlain(root, nameOf(type), metadata);
  return parseNetworkXml(formatNetworkXml({ ...definition, root }));
}

function nameOf(type: number): "title" | "description" {
  if (type === T.VIR_NETWORK_METADATA_TITLE) return "title";
  if (type === T.VIR_NETWORK_METADATA_DESCRIPTION) return "description";
  throw invalid("unknown metadata type");
}

function elementOf(root: Element, uri: string | null): string | undefined {
  if (uri === null) throw invalid("uri in virNetworkGetMetadata must not be NULL");
  const [found] = inNamespace(root, uri);
  return found && withoutNamespace(found);
}

function setPlain(root: Element, name: string, text: string | null): void {
  if (name === "title" && text?.includes("\n") === true) throw invalid("metadata title can't contain newlines");
  const old = child(root, name);
  if (text === null || text === "") {
    if (old !== undefined) root.removeChild(old);
  } else if (old !== undefined) setText(old, text);
  else append(root, newElement(root, name, text));
}

function setElement(root: Element, xml: string | null, key: string | null, uri: string | null): void {
  if (uri === null) throw invalid("uri in virNetworkSetMetadata must not be NULL");
  if (xml !== null && key === null) throw invalid("key in virNetworkSetMetadata must not be NULL");
  const element = xml === null ? undefined : intoNamespace(xml, key!, uri);
  const before = child(root, "metadata");
  if (before !== undefined) removeAll(before, new Set(inNamespace(root, uri)));
  let metadata = child(root, "metadata");
  if (element !== undefined) {
    if (metadata === undefined) {
      metadata = newElement(root, "metadata");
      append(root, metadata);
    }
    append(metadata, root.ownerDocument!.importNode(element, true));
  } else if (metadata !== undefined && children(metadata).length === 0) remove(metadata);
}
