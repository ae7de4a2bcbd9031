import { VirDomainMetadataType, VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { virtError } from "../../../rpc/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { AFFECT } from "../domain.ts";
import { ensure, setChild } from "../domain-edit.ts";
import { rootOf } from "../domain-xml.ts";
import { badArgument, checkFlags, invalidArgument } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { inNamespace, intoNamespace, withoutNamespace } from "../metadata-element.ts";
import { append, child, type Element, removeAll, textOf } from "../xml.ts";

const { VIR_DOMAIN_METADATA_DESCRIPTION, VIR_DOMAIN_METADATA_TITLE, VIR_DOMAIN_METADATA_ELEMENT } =
  VirDomainMetadataType;

/** Title, description, and what applications keep in `<metadata>`, an element for each namespace. */
export function metadataProcedures({ domains, events }: Host) {
  return {
    domainGetMetadata({ dom, type, uri, flags }) {
      checkFlags(flags, AFFECT, "virDomainGetMetadata");
      const domain = domains.find(dom);
      const root = rootOf(domain.definitionOf(domain.oneAffected(flags)));
      const metadata = read(root, type, uri);
      if (metadata !== undefined) return { metadata };
      const detail = "Requested metadata element is not present";
      throw virtError(VirErrorNumber.VIR_ERR_NO_DOMAIN_METADATA, VirErrorDomain.VIR_FROM_DOMAIN, detail);
    },
    domainSetMetadata({ dom, type, metadata, key, uri, flags }) {
      checkFlags(flags, AFFECT, "virDomainSetMetadata");
      const domain = domains.find(dom);
      if (type === VIR_DOMAIN_METADATA_TITLE && metadata?.includes("\n") === true) {
        throw invalidArgument("metadata title can't contain newlines");
      }
      if (type === VIR_DOMAIN_METADATA_ELEMENT) {
        if (uri === null)
          throw badArgument("virDomainSetMetadata", "uri", "uri in virDomainSetMetadata must not be NULL");
        if (metadata !== null && key === null)
          throw badArgument("virDomainSetMetadata", "key", "key in virDomainSetMetadata must not be NULL");
      }
      domain.change(domain.affected(flags), (root) => write(root, type, metadata, key, uri));
      events.metadataChange(domain.reference, type, type === VIR_DOMAIN_METADATA_ELEMENT ? uri : null);
    },
  } satisfies DriverHandlers;
}

/** @throws {VirtError} for a type that there is not. */
function read(root: Element, type: number, uri: string | null): string | undefined {
  switch (type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
      return textOf(root, "description");
    case VIR_DOMAIN_METADATA_TITLE:
      return textOf(root, "title");
    case VIR_DOMAIN_METADATA_ELEMENT: {
      if (uri === null)
        throw badArgument("virDomainGetMetadata", "uri", "uri in virDomainGetMetadata must not be NULL");
      const found = inNamespace(root, uri)[0];
      return found === undefined ? undefined : withoutNamespace(found);
    }
    default:
      throw invalidArgument(`unknown metadata type '${type}'`);
  }
}

function write(root: Element, type: number, metadata: string | null, key: string | null, uri: string | null): void {
  switch (type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
      setChild(root, "description", metadata === null || metadata === "" ? undefined : metadata);
      return;
    case VIR_DOMAIN_METADATA_TITLE:
      setChild(root, "title", metadata === null || metadata === "" ? undefined : metadata);
      return;
    case VIR_DOMAIN_METADATA_ELEMENT: {
      const element = metadata === null ? undefined : intoNamespace(metadata, key!, uri!);
      const before = child(root, "metadata");
      if (before !== undefined) removeAll(before, new Set(inNamespace(root, uri!)));
      if (element !== undefined) append(ensure(root, "metadata"), root.ownerDocument!.importNode(element, true));
      return;
    }
    default:
      throw invalidArgument(`unknown metadata type '${type}'`);
  }
}
