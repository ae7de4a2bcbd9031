import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../../rpc/index.ts";
import { alignDisks, type DomainDisk } from "../moment/disks.ts";
import {
  checkElements,
  domainLines,
  line,
  type MomentXml,
  parentLines,
  readMoment,
  SNAPSHOT,
} from "../moment/moment-xml.ts";
import { attribute, child, children, type Element, escapeXml, invalidAttribute, parseXml, textOf } from "../xml.ts";
import { type Location, type Snapshot, type SnapshotDisk, type SnapshotState, STATES } from "./snapshot.ts";

const LOCATIONS: readonly Location[] = ["no", "internal", "external", "manual"];
const SCHEMA = [
  "name",
  "description",
  "state",
  "creationTime",
  "memory",
  "disks",
  "active",
  "domain",
  "inactiveDomain",
  "parent",
  "cookie",
];
/** virStorageType, and the two that no snapshot can be put on. */
const DISK_TYPES = ["file", "block", "network", "nvme", "vhostuser", "vhostvdpa", "dir", "volume"];

type Code = (typeof VirErrorNumber)[keyof typeof VirErrorNumber];
const snapshotError = (code: Code, detail: string): VirtError =>
  virtError(code, VirErrorDomain.VIR_FROM_DOMAIN_SNAPSHOT, detail);
const xmlError = (detail: string) => snapshotError(VirErrorNumber.VIR_ERR_XML_ERROR, detail);
const unsupported = (detail: string) => snapshotError(VirErrorNumber.VIR_ERR_CONFIG_UNSUPPORTED, detail);

/** A snapshot's XML as it was sent. */
export interface SnapshotXml extends MomentXml {
  /** In a snapshot that is redefined. */
  readonly state: SnapshotState | undefined;
  readonly memory: Location;
  readonly memoryFile: string | undefined;
  readonly disks: readonly SnapshotDisk[];
}

/**
 * @param redefine the XML describes a snapshot that was made earlier.
 * @throws {VirtError} in libvirt's words.
 * @source virDomainSnapshotDefParse, libvirt src/conf/snapshot_conf.c.
 */
export function parseSnapshotXml(xml: string, redefine: boolean, validate: boolean): SnapshotXml {
  const root = parseXml(xml, "domain_snapshot", "domainsnapshot");
  if (validate) checkElements(root, SCHEMA);
  const moment = readMoment(root, SNAPSHOT, redefine);
  const state = redefine ? stateOf(root) : undefined;
  const offline = state === "shutoff" || state === "disk-snapshot";

  const memoryElement = child(root, "memory");
  const memoryFile = memoryElement && attribute(memoryElement, "file");
  let memory = memoryElement === undefined ? "default" : locationOf(memoryElement);
  if (memory === "manual") throw xmlError("'manual' memory snapshot mode not supported");
  if (memory === "default") {
    if (memoryFile !== undefined) memory = "external";
    else if (redefine) memory = offline ? "no" : "internal";
  }
  if (memoryFile !== undefined && memory !== "external") {
    throw xmlError(`memory filename '${memoryFile}' requires external snapshot`);
  }
  if (memoryFile === undefined && memory === "external") {
    throw xmlError("external memory snapshots require a filename");
  }
  if (offline && memory !== "no" && memory !== "default") {
    throw xmlError("memory state cannot be saved with offline or disk-only snapshot");
  }
  if (memoryFile !== undefined && !memoryFile.startsWith("/")) {
    throw xmlError(`memory snapshot file path (${memoryFile}) must be absolute`);
  }
  const list = child(root, "disks");
  const disks = list === undefined ? [] : children(list).map(readDisk);
  return { ...moment, state, memory, memoryFile, disks };
}

function stateOf(root: Element): SnapshotState {
  const text = textOf(root, "state") || undefined;
  if (text === undefined) throw xmlError("missing state from existing snapshot");
  const state = STATES.find((each) => each === text);
  if (state === undefined || state === "nostate") throw unsupported(`Invalid state '${text}' in domain snapshot XML`);
  return state;
}

function locationOf(element: Element): Location {
  const text = attribute(element, "snapshot");
  if (text === undefined) return "default";
  const location = LOCATIONS.find((each) => each === text);
  if (location === undefined) throw invalidAttribute(element, "snapshot");
  return location;
}

function readDisk(element: Element): SnapshotDisk {
  const name = attribute(element, "name");
  if (name === undefined) {
    throw snapshotError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, "missing name from disk snapshot element");
  }
  const location = locationOf(element);
  const type = attribute(element, "type") ?? "file";
  if (!DISK_TYPES.includes(type)) throw invalidAttribute(element, "type");
  if (type === "dir" || type === "volume") throw xmlError(`unsupported disk snapshot type '${type}'`);
  const source = child(element, "source");
  const file = (source && (attribute(source, "file") ?? attribute(source, "dev"))) || undefined;
  if (file !== undefined && !file.startsWith("/")) {
    throw xmlError(`disk snapshot image path '${file}' must be absolute`);
  }
  const driverElement = child(element, "driver");
  const driver = (driverElement && attribute(driverElement, "type")) || undefined;
  const snapshot = location === "default" && (file !== undefined || driver !== undefined) ? "external" : location;
  return { name, snapshot, type, file, driver };
}

/**
 * What is done about each of the domain's disks.
 *
 * @param location for disks of which nobody says anything.
 * @throws {VirtError} VIR_ERR_CONFIG_UNSUPPORTED.
 * @source virDomainSnapshotAlignDisks, libvirt src/conf/snapshot_conf.c: internal snapshots are of all disks or none.
 */
export function snapshotDisks(
  disks: readonly DomainDisk[],
  requests: readonly SnapshotDisk[],
  location: "internal" | "external",
): SnapshotDisk[] {
  const uniform = location === "internal";
  const result = alignDisks(disks, requests, "snapshot", VirErrorDomain.VIR_FROM_DOMAIN_SNAPSHOT).map(
    ([disk, request]): SnapshotDisk => {
      const wish = disk.snapshot as Location | undefined;
      if (request === undefined) {
        const snapshot = disk.empty ? "no" : (wish ?? location);
        return { name: disk.target, snapshot, type: "file", file: undefined, driver: undefined };
      }
      let { snapshot } = request;
      if (snapshot === "default") {
        snapshot = wish !== undefined && (!uniform || wish === "no") ? wish : location;
      } else if (uniform && snapshot !== location && !(snapshot === "no" && wish === "no")) {
        throw unsupported(`disk '${request.name}' must use snapshot mode '${location}'`);
      }
      if (request.file !== undefined && snapshot !== "external") {
        const detail = `file '${request.file}' for disk '${request.name}' requires use of external snapshot mode`;
        throw unsupported(detail);
      }
      return { ...request, name: disk.target, snapshot };
    },
  );
  const nameless = result.find(({ snapshot, file }) => snapshot === "external" && file === undefined);
  if (nameless !== undefined) {
    // libvirt makes a name of the path of a disk whose file it finds; a disk in memory has no file.
    throw unsupported(
      `source for disk '${nameless.name}' is not a regular file; refusing to generate external snapshot name`,
    );
  }
  return result;
}

/** @source virDomainSnapshotDefFormatInternal, libvirt src/conf/snapshot_conf.c. */
export function formatSnapshotXml(snapshot: Snapshot, uuid: string): string {
  const { name, description, state, parentName, creationTime, memory, memoryFile, disks, definition } = snapshot;
  const file = memoryFile === undefined ? "" : ` file='${escapeXml(memoryFile)}'`;
  return [
    "<domainsnapshot>\n",
    line("name", name),
    line("description", description),
    line("state", state),
    parentLines(parentName),
    creationTime === 0n ? "" : line("creationTime", creationTime),
    memory === "default" ? "" : `  <memory snapshot='${memory}'${file}/>\n`,
    disks.length === 0 ? "" : `  <disks>\n${disks.map(formatDisk).join("")}  </disks>\n`,
    definition === undefined ? `  <domain>\n    <uuid>${uuid}</uuid>\n  </domain>\n` : domainLines(definition),
    "</domainsnapshot>\n",
  ].join("");
}

function formatDisk({ name, snapshot, type, file, driver }: SnapshotDisk): string {
  const mode = snapshot === "default" ? "" : ` snapshot='${snapshot}'`;
  const open = `    <disk name='${escapeXml(name)}'${mode}`;
  if (file === undefined && driver === undefined) return `${open}/>\n`;
  const format = driver === undefined ? "" : `      <driver type='${escapeXml(driver)}'/>\n`;
  const attribute = type === "block" ? "dev" : "file";
  const source = file === undefined ? "" : `      <source ${attribute}='${escapeXml(file)}'/>\n`;
  return `${open} type='${type}'>\n${format}${source}    </disk>\n`;
}
