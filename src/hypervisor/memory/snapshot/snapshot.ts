import type { DomainDefinition } from "../domain-xml.ts";
import type { Moment } from "../moment/moment-list.ts";

/** A virDomainSnapshotLocation, as its XML says it. */
export type Location = "default" | "no" | "internal" | "external" | "manual";

/** What its XML says of a domain that a snapshot is taken of. @source virDomainSnapshotState, libvirt src/conf */
export const STATES = [
  "nostate",
  "running",
  "blocked",
  "paused",
  "shutdown",
  "shutoff",
  "crashed",
  "pmsuspended",
  "disk-snapshot",
] as const;
export type SnapshotState = (typeof STATES)[number];

export interface SnapshotDisk {
  /** The disk's target, once it has been found. */
  readonly name: string;
  readonly snapshot: Location;
  /** `file`, `block`, … */
  readonly type: string;
  /** Where it was put. */
  readonly file: string | undefined;
  /** The format that it was put in: `qcow2`. */
  readonly driver: string | undefined;
}

/** A domain as it was at some time: what a revert goes back to. */
export interface Snapshot extends Moment {
  readonly description: string | undefined;
  /** Seconds since 1970. */
  readonly creationTime: bigint;
  readonly state: SnapshotState;
  readonly memory: Location;
  readonly memoryFile: string | undefined;
  readonly disks: readonly SnapshotDisk[];
  /** Absent where a snapshot was redefined without. */
  readonly definition: DomainDefinition | undefined;
}

/** Whether the guest was there, so that reverting gives it back. */
export function isOnline({ state }: Snapshot): boolean {
  return state === "running" || state === "paused";
}

export function isExternal({ memory, disks }: Snapshot): boolean {
  return memory === "external" || disks.some((disk) => disk.snapshot === "external");
}
