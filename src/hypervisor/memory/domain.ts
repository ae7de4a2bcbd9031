import { VirDomainShutoffReason, VirDomainState } from "../../generated/libvirt/index.ts";
import type { NonnullDomain } from "../../generated/remote/index.ts";
import type { DomainDefinition } from "./domain-xml.ts";
import { notRunning } from "./driver-errors.ts";
import type { Guest } from "./guest.ts";
import type { FinishedJob } from "./job.ts";
import type { IncomingMigration } from "./migration-destination.ts";
import type { OutgoingMigration } from "./migration-source.ts";
import { formatUuid } from "./uuid.ts";

/** 8796093022207 MiB/s: what libvirt's QEMU driver has for "as fast as possible". */
export const UNLIMITED_SPEED = 8796093022207n;

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
  /** The last migration that came to an end here. */
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
