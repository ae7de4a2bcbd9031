import type { DomainDefinition } from "../domain-xml.ts";
import type { Moment } from "../moment/moment-list.ts";

export interface CheckpointDisk {
  /** The disk's target, once it has been found. */
  readonly name: string;
  readonly checkpoint: "no" | "bitmap";
  /** What keeps book of the blocks that have changed since. */
  readonly bitmap: string | undefined;
}

/** A time since which the changed blocks of a domain's disks are known. */
export interface Checkpoint extends Moment {
  readonly description: string | undefined;
  /** Seconds since 1970. */
  readonly creationTime: bigint;
  readonly disks: readonly CheckpointDisk[];
  readonly definition: DomainDefinition | undefined;
}
