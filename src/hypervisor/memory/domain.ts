import { VirDomainModificationImpact, VirDomainShutoffReason, VirDomainState } from "../../generated/libvirt/index.ts";
import type { NonnullDomain } from "../../generated/remote/index.ts";
import type { Checkpoint } from "./checkpoint/checkpoint.ts";
import { changed, type DomainDefinition } from "./domain-xml.ts";
import { badArgument, notRunning, operationInvalid } from "./driver-errors.ts";
import type { Guest } from "./guest.ts";
import type { GuestJob } from "./guest-job.ts";
import type { FinishedJob } from "./job.ts";
import type { IncomingMigration } from "./migration-destination.ts";
import type { OutgoingMigration } from "./migration-source.ts";
import { MomentList } from "./moment/moment-list.ts";
import type { SavedGuest } from "./save/saved-guest.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";
import { formatUuid } from "./uuid.ts";
import type { Element } from "./xml.ts";

/** 8796093022207 MiB/s: what libvirt's QEMU driver has for "as fast as possible". */
export const UNLIMITED_SPEED = 8796093022207n;

const { VIR_DOMAIN_AFFECT_LIVE: LIVE, VIR_DOMAIN_AFFECT_CONFIG: CONFIG } = VirDomainModificationImpact;
/** VIR_DOMAIN_AFFECT_LIVE and VIR_DOMAIN_AFFECT_CONFIG. */
export const AFFECT = LIVE | CONFIG;

/** The guest's definition, or that of the next start. */
export type Which = "live" | "config";

/** A domain: a definition that stays (persistent), a guest (active), or both. */
export class Domain {
  readonly uuid: Uint8Array;
  /** What the next start uses. Absent for a transient domain. */
  config: DomainDefinition | undefined;
  autostart = false;
  /** MiB/s, for migrations that bring no bandwidth of their own. */
  maxSpeed = UNLIMITED_SPEED;
  /** Milliseconds. */
  maxDowntime = 300n;
  outgoing: OutgoingMigration | undefined;
  incoming: IncomingMigration | undefined;
  /** Takes back VIR_DOMAIN_START_AUTODESTROY: no longer stop the guest when the connection that started it closes. */
  autoDestroy: (() => void) | undefined;
  readonly snapshots = new MomentList<Snapshot>();
  readonly checkpoints = new MomentList<Checkpoint>();
  /** What managed save kept of the guest: the next start goes on from it. */
  managedSave: SavedGuest | undefined;
  /** What is being done with the guest, other than migrating it. */
  job: GuestJob | undefined;
  /** The last job that came to an end here. */
  lastJob: FinishedJob | undefined;
  #guest: Guest | undefined;
  /** What a transient domain was, for whoever still speaks of it. */
  #last: DomainDefinition | undefined;
  #shutoffReason: number = VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_UNKNOWN;

  constructor(uuid: Uint8Array) {
    this.uuid = uuid;
  }

  get guest(): Guest | undefined {
    return this.#guest;
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID, `domain is not running`. */
  get active(): Guest {
    if (this.#guest === undefined) throw notRunning();
    return this.#guest;
  }

  /** What holds now: the guest's definition, or that of the next start. */
  get definition(): DomainDefinition {
    return (this.#guest?.definition ?? this.config ?? this.#last)!;
  }

  /**
   * Which definitions a change is for by its VIR_DOMAIN_AFFECT_ flags; neither means the guest's, or that of the next
   * start where there is no guest.
   *
   * @throws {VirtError} VIR_ERR_OPERATION_INVALID where there is no such definition.
   * @source virDomainObjUpdateModificationImpact, libvirt src/conf/domain_conf.c.
   */
  affected(flags: number): Which[] {
    if ((flags & AFFECT) === 0) return [this.#guest === undefined ? "config" : "live"];
    if ((flags & LIVE) !== 0 && this.#guest === undefined) throw notRunning();
    if ((flags & CONFIG) !== 0 && this.config === undefined) {
      throw operationInvalid("transient domains do not have any persistent config");
    }
    return [...((flags & LIVE) === 0 ? [] : ["live" as const]), ...((flags & CONFIG) === 0 ? [] : ["config" as const])];
  }

  /** As {@link affected}, for calls that are about one definition only. @source virDomainObjGetOneDefState */
  oneAffected(flags: number): Which {
    if ((flags & AFFECT) === AFFECT) {
      const message = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive";
      throw badArgument("virDomainObjGetOneDefState", "flags", message);
    }
    return this.affected(flags)[0]!;
  }

  /** @throws {VirtError} where there is none. */
  definitionOf(which: Which): DomainDefinition {
    return which === "live" ? this.active.definition : this.config!;
  }

  /**
   * Changes the XML of definitions: all of them, or none where one cannot be changed.
   *
   * @throws {VirtError} VIR_ERR_OPERATION_INVALID while the guest is on its way from or to another host.
   */
  change(which: readonly Which[], change: (root: Element, which: Which) => void): void {
    if (this.outgoing !== undefined || this.incoming !== undefined) {
      throw operationInvalid(`domain '${this.name}' is being migrated`);
    }
    const changes = which.map(
      (each) => [each, changed(this.definitionOf(each), (root) => change(root, each))] as const,
    );
    for (const [each, definition] of changes) {
      if (each === "live") this.active.definition = definition;
      else this.config = definition;
    }
  }

  get name(): string {
    return this.definition.name;
  }

  get uuidText(): string {
    return formatUuid(this.uuid);
  }

  get shown(): readonly [state: number, reason: number] {
    return this.#guest?.shown ?? [VirDomainState.VIR_DOMAIN_SHUTOFF, this.#shutoffReason];
  }

  /** How the domain is named on the wire. */
  get reference(): NonnullDomain {
    return { name: this.name, uuid: this.uuid, id: this.#guest?.id ?? -1 };
  }

  attach(guest: Guest): void {
    this.#guest = guest;
  }

  /** Takes the guest off, once it has stopped. */
  detach(shutoffReason: number): void {
    this.#last = this.#guest?.definition;
    this.#guest = undefined;
    this.#shutoffReason = shutoffReason;
  }
}
