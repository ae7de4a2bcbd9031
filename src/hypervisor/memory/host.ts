import { randomBytes } from "node:crypto";
import { hostname, totalmem } from "node:os";
import {
  VirDomainEventStartedDetailType,
  VirDomainEventType,
  VirDomainPausedReason,
  VirDomainRunningReason,
  VirDomainShutoffReason,
  VirErrorNumber,
} from "../../generated/libvirt/index.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Domain } from "./domain.ts";
import { DomainEvents } from "./domain-events.ts";
import { DomainList } from "./domain-list.ts";
import type { DomainDefinition } from "./domain-xml.ts";
import { driverError, notRunning } from "./driver-errors.ts";
import { Guest, type GuestOptions } from "./guest.ts";
import { MemoryBudget } from "./guest-memory.ts";
import { isMigrationHost } from "./migration-uri.ts";

export interface MemoryHypervisorOptions {
  /** What CONNECT_GET_HOSTNAME answers. Default: the machine's own name. */
  readonly hostname?: string;
  /**
   * Where incoming migrations are received: the address that is listened on and that is told to the source. A name or
   * an address, IPv6 without brackets. `0.0.0.0` and `::` listen everywhere, and the source is told `hostname`.
   * Default: `127.0.0.1`, which serves migrations within one machine.
   */
  readonly migrationHost?: string;
  /** Bytes that all guests may have together. Default: half of the machine's memory. */
  readonly maxMemory?: number;
  /** What a client may call this host: the schemes of connection URIs. Default: `virtwire`, `qemu`, `test`. */
  readonly schemes?: readonly string[];
  readonly timeouts?: Partial<MigrationTimeouts>;
  readonly clock?: Clock;
}

/** Milliseconds. */
export interface MigrationTimeouts {
  /** For connecting to the destination. Default: 10 s. */
  readonly connect: number;
  /** For the source to name its token once it has connected. Default: 10 s. */
  readonly hello: number;
  /** Without a byte moving, after which the other side is taken for dead. Default: 30 s. */
  readonly stall: number;
}

/** The machine that the guests of one in-memory hypervisor live on. */
export class Host {
  readonly hostname: string;
  readonly migrationHost: string;
  /** Tells hosts apart, so that a guest isn't migrated onto the host that it is on. */
  readonly uuid = Uint8Array.from(randomBytes(16));
  readonly domains = new DomainList();
  readonly events = new DomainEvents();
  readonly memory: MemoryBudget;
  readonly clock: Clock;
  readonly timeouts: MigrationTimeouts;
  #lastId = 0;

  constructor(options: MemoryHypervisorOptions) {
    this.hostname = options.hostname ?? hostname();
    this.migrationHost = options.migrationHost ?? "127.0.0.1";
    if (!isMigrationHost(this.migrationHost)) {
      throw new TypeError(`migration host '${this.migrationHost}' is neither a name nor an address`);
    }
    this.memory = new MemoryBudget(options.maxMemory ?? Math.floor(totalmem() / 2));
    this.clock = options.clock ?? systemClock;
    this.timeouts = { connect: 10_000, hello: 10_000, stall: 30_000, ...options.timeouts };
  }

  /**
   * What a source on another machine is told to connect to.
   *
   * @throws {VirtError} where it would end up at itself.
   * @source qemuMigrationDstPrepareDirect, libvirt src/qemu/qemu_migration.c.
   */
  get migrationAddress(): string {
    if (!/^(0\.0\.0\.0|::)$/.test(this.migrationHost)) return this.migrationHost;
    if (!this.hostname.startsWith("localhost")) return this.hostname;
    const detail = "hostname on destination resolved to localhost, but migration requires an FQDN";
    throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
  }

  /** Gives a domain a guest with memory, and lists it. The guest is not yet running. */
  attachGuest(domain: Domain, definition: DomainDefinition, state: "starting" | "incoming"): Guest {
    const memory = this.memory.allocate(definition.memoryKib * 1024n);
    const onMove: GuestOptions["onMove"] = (from, to) => this.events.moved(domain.reference, from, to);
    const guest = new Guest({ id: ++this.#lastId, definition, memory, state, clock: this.clock, onMove });
    domain.attach(guest);
    this.domains.add(domain);
    if (state === "incoming") {
      const { VIR_DOMAIN_EVENT_STARTED_MIGRATED } = VirDomainEventStartedDetailType;
      this.events.lifecycle(
        domain.reference,
        VirDomainEventType.VIR_DOMAIN_EVENT_STARTED,
        VIR_DOMAIN_EVENT_STARTED_MIGRATED,
      );
    }
    return guest;
  }

  /**
   * Boots a guest.
   *
   * @throws {VirtError} when there is no memory for it, or when it was destroyed meanwhile.
   */
  async boot(domain: Domain, definition: DomainDefinition, paused: boolean): Promise<void> {
    const guest = this.attachGuest(domain, definition, "starting");
    await guest.memory.fill(domain.uuid, guest.gone);
    if (guest.gone.aborted) throw notRunning();
    if (paused) guest.move("pause", VirDomainPausedReason.VIR_DOMAIN_PAUSED_USER);
    else guest.move("run", VirDomainRunningReason.VIR_DOMAIN_RUNNING_BOOTED);
  }

  /** Stops a guest and frees its memory. A transient domain is no more after that. */
  stop(domain: Domain, shutoffReason: number): void {
    const { guest, name } = domain;
    if (guest === undefined) return;
    const started = guest.state !== "starting"; // else nobody has heard of it
    domain.autoDestroy?.();
    domain.detach(shutoffReason);
    if (domain.config === undefined) this.domains.remove(domain, name);
    guest.move("stop"); // migrations of it hear of this, and end
    if (started) this.events.stopped(domain.reference, shutoffReason);
  }

  /** Ends whatever is going on and frees all memory. */
  async close(): Promise<void> {
    const domains = [...this.domains];
    await Promise.all(domains.map((domain) => domain.incoming?.close()));
    for (const domain of domains) this.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_DAEMON);
  }
}
