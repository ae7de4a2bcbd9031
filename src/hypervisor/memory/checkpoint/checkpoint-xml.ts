import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { virtError } from "../../../rpc/index.ts";
import { alignDisks, type DomainDisk } from "../moment/disks.ts";
import {
  CHECKPOINT,
  checkElements,
  domainLines,
  line,
  type MomentXml,
  parentLines,
  readMoment,
} from "../moment/moment-xml.ts";
import { attribute, child, children, type Element, escapeXml, parseXml } from "../xml.ts";
import type { Checkpoint, CheckpointDisk } from "./checkpoint.ts";

const SCHEMA = ["name", "description", "creationTime", "disks", "domain", "parent"];

const invalid = (detail: string) =>
  virtError(VirErrorNumber.VIR_ERR_XML_INVALID_SCHEMA, VirErrorDomain.VIR_FROM_XML, detail);
const unsupported = (detail: string) =>
  virtError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, VirErrorDomain.VIR_FROM_DOMAIN_CHECKPOINT, detail);

/** A checkpoint's XML as it was sent. */
export interface CheckpointXml extends MomentXml {
  readonly disks: readonly CheckpointDisk[];
}

/**
 * @throws {VirtError} in libvirt's words.
 * @source virDomainCheckpointDefParse, libvirt src/conf/checkpoint_conf.c: it always checks by the schema.
 */
export function parseCheckpointXml(xml: string, redefine: boolean): CheckpointXml {
  const root = parseXml(xml, "domain_checkpoint", "domaincheckpoint");
  checkElements(root, SCHEMA);
  const list = child(root, "disks");
  const disks = list === undefined ? [] : children(list).map(readDisk);
  return { ...readMoment(root, CHECKPOINT, redefine), disks };
}

function readDisk(element: Element): CheckpointDisk {
  const name = attribute(element, "name") ?? "";
  if (element.nodeName !== "disk" || name === "") throw invalid(`Invalid element ${element.nodeName} in disks`);
  const checkpoint = attribute(element, "checkpoint") ?? "bitmap";
  if (checkpoint !== "no" && checkpoint !== "bitmap") {
    throw invalid(`Invalid attribute checkpoint for element ${element.nodeName}`);
  }
  return { name, checkpoint, bitmap: attribute(element, "bitmap") || undefined };
}

/**
 * What is done about each of the domain's disks.
 *
 * @param name the checkpoint's, by which bitmaps go that have no name.
 * @throws {VirtError} VIR_ERR_CONFIG_UNSUPPORTED.
 * @source virDomainCheckpointAlignDisks, libvirt src/conf/checkpoint_conf.c.
 */
export function checkpointDisks(
  disks: readonly DomainDisk[],
  requests: readonly CheckpointDisk[],
  name: string,
): CheckpointDisk[] {
  if (disks.length === 0 && requests.length === 0) {
    throw unsupported("domain must have at least one disk to perform checkpoints");
  }
  const aligned = alignDisks(disks, requests, "checkpoint", VirErrorDomain.VIR_FROM_DOMAIN_CHECKPOINT);
  const rest = requests.length === 0 ? "bitmap" : "no";
  const whole = aligned.map(([disk, request]): CheckpointDisk => {
    const still = disk.empty || disk.readonly;
    if (request === undefined) return { name: disk.target, checkpoint: still ? "no" : rest, bitmap: undefined };
    if (still && request.checkpoint !== "no") throw unsupported(`disk '${request.name}' is empty or readonly`);
    return { ...request, name: disk.target };
  });
  return nameBitmaps(whole, name);
}

export function nameBitmaps(disks: readonly CheckpointDisk[], name: string): CheckpointDisk[] {
  return disks.map((disk) => (disk.checkpoint === "bitmap" ? { ...disk, bitmap: disk.bitmap ?? name } : disk));
}

/** @source virDomainCheckpointDefFormatInternal, libvirt src/conf/checkpoint_conf.c. */
export function formatCheckpointXml(checkpoint: Checkpoint, withDomain: boolean): string {
  const { name, description, parentName, creationTime, disks, definition } = checkpoint;
  return [
    "<domaincheckpoint>\n",
    line("name", name),
    line("description", description),
    parentLines(parentName),
    creationTime === 0n ? "" : line("creationTime", creationTime),
    disks.length === 0 ? "" : `  <disks>\n${disks.map(formatDisk).join("")}  </disks>\n`,
    definition === undefined || !withDomain ? "" : domainLines(definition),
    "</domaincheckpoint>\n",
  ].join("");
}

function formatDisk({ name, checkpoint, bitmap }: CheckpointDisk): string {
  const book = bitmap === undefined ? "" : ` bitmap='${escapeXml(bitmap)}'`;
  return `    <disk name='${escapeXml(name)}' checkpoint='${checkpoint}'${book}/>\n`;
}
