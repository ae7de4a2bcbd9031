import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../../rpc/index.ts";
import { findDisk } from "../device-xml.ts";
import type { DomainDefinition } from "../domain-xml.ts";
import { attribute, child, children, descendant, parseXml } from "../xml.ts";

/** A disk of a domain, as far as snapshots and checkpoints care. */
export interface DomainDisk {
  /** `vda` */
  readonly target: string;
  /** A path or another name of where its bytes are. */
  readonly source: string | undefined;
  readonly empty: boolean;
  readonly readonly: boolean;
  /** Its own wish: `internal`, `external`, `no`, `manual`. */
  readonly snapshot: string | undefined;
}

const SOURCES = ["file", "dev", "dir", "name", "volume"];

export function disksOf(definition: DomainDefinition): DomainDisk[] {
  const devices = descendant(parseXml(definition.xml, "domain_definition", "domain"), "devices");
  return (devices === undefined ? [] : children(devices, "disk")).flatMap((disk) => {
    const element = child(disk, "target");
    const target = element && attribute(element, "dev");
    if (target === undefined) return [];
    const sourceElement = child(disk, "source");
    const source = sourceElement && SOURCES.map((name) => attribute(sourceElement, name)).find((value) => !!value);
    const readonly = child(disk, "readonly") !== undefined || attribute(disk, "device") === "cdrom";
    const snapshot = attribute(disk, "snapshot") ?? (readonly ? "no" : undefined);
    const empty = source === undefined && (sourceElement === undefined || sourceElement.attributes.length === 0);
    return [{ target, source, empty, readonly, snapshot }];
  });
}

/**
 * Puts what was asked for some disks beside each disk of the domain.
 *
 * @param what as in `too many disk snapshot requests for domain`.
 * @param domain a virErrorDomain.
 * @throws {VirtError} VIR_ERR_CONFIG_UNSUPPORTED for a disk that does not exist or that is named twice.
 * @source virDomainSnapshotAlignDisks and virDomainCheckpointAlignDisks, libvirt src/conf.
 */
export function alignDisks<Request extends { readonly name: string }>(
  disks: readonly DomainDisk[],
  requests: readonly Request[],
  what: string,
  domain: number,
): [disk: DomainDisk, request: Request | undefined][] {
  const refuse = (detail: string): VirtError => virtError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, domain, detail);
  if (requests.length > disks.length) throw refuse(`too many disk ${what} requests for domain`);
  const asked = new Map<DomainDisk, Request>();
  for (const request of requests) {
    const disk = findDisk(disks, request.name, "none");
    if (disk === undefined) throw refuse(`no disk named '${request.name}'`);
    if (asked.has(disk)) throw refuse(`disk '${request.name}' specified twice`);
    asked.set(disk, request);
  }
  return disks.map((disk) => [disk, asked.get(disk)]);
}
