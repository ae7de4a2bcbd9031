import { randomBytes } from "node:crypto";
import { hostname, totalmem } from "node:os";
import {
  VirDomainEventStartedDetailType,
  VirDomainEventType,
  VirDomainShutoffReason,
  VirErrorNumber,
} from "../../generated/libvirt/index.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { ScreenshotFormat } from "./console/screenshot.ts";
import type { Domain } from "./domain.ts";
import { DomainEvents } from "./domain-events.ts";
import { DomainList } from "./domain-list.ts";
import type { DomainDefinition } from "./domain-xml.ts";
import { driverError, notRunning } from "./driver-errors.ts";
import { Guest, type GuestOptions } from "./guest.ts";
import { MemoryBudget } from "./guest-memory.ts";
import { Interfaces } from "./interface/interfaces.ts";
import { isMigrationHost } from "./migration-uri.ts";
import { Networks } from "./network/networks.ts";
import { type Node, testMachine, thisMachine } from "./node.ts";
import { NodeDevices } from "./node-device/node-devices.ts";
import { Nwfilters } from "./nwfilter/nwfilters.ts";
import { dropManagedSave } from "./save/managed-save.ts";
import { Secrets } from "./secret/secrets.ts";
import { BOOTED, type StartCause } from "./start-cause.ts";
import { Storage } from "./storage/storage.ts";

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
  /**
   * Bytes that all volumes may hold together; each place of a volume that was written takes some. They are in this
   * process's memory. Default: a quarter of the machine's.
   */
  readonly maxStorage?: number;
  /** What a client may call this host: the schemes of connection URIs. Default: `virtwire`, `qemu`, `test`. */
  readonly schemes?: readonly string[];
  readonly timeouts?: Partial<MigrationTimeouts>;
  readonly clock?: Clock;
  /**
   * A folder that keeps what the host has when the process ends, however it ends: domains, networks, storage with the
   * bytes in it, interfaces, secrets, filters. A call that changes something is answered when the disk has it. One
   * hypervisor per folder. What a client may read in it is the owner's only. A folder that another has, or of which
   * something cannot be read, is an error when the hypervisor is made, and stays as it is. Default: nothing is kept.
   */
  readonly stateDir?: string;
  /**
   * Hears what goes wrong where no call could tell: a domain that does not start with its host, a state that cannot be
   * written when nobody has asked for anything yet. Default: nobody does.
   */
  readonly onError?: (error: Error) => void;
  /** What screenshots come as. Default: `png`. */
  readonly screenshotFormat?: ScreenshotFormat;
  /**
   * What the host starts with: nothing, or what libvirt's `test:///default` has. With the latter it also says that it
   * is the same machine as that. Default: nothing.
   */
  readonly inventory?: "test";
  /**
   * Bytes of each guest's memory that are really there, from its start on: so much of it has something in it, is saved
   * and migrates. The rest reads as zeros. Two hosts between which guests migrate must have it alike.
   * Default: all of it; 16 MiB with an inventory.
   */
  readonly residentMemory?: number;
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
  readonly networks = new Networks();
  readonly interfaces = new Interfaces();
  readonly storage: Storage;
  readonly nodeDevices = new NodeDevices();
  readonly secrets = new Secrets();
  readonly nwfilters = new Nwfilters();
  readonly memory: MemoryBudget;
  readonly node: Node;
  readonly clock: Clock;
  readonly timeouts: MigrationTimeouts;
  readonly screenshotFormat: ScreenshotFormat;
  #lastId = 0;

  constructor(options: MemoryHypervisorOptions) {
    this.hostname = options.hostname ?? hostname();
    this.migrationHost = options.migrationHost ?? "127.0.0.1";
    if (!isMigrationHost(this.migrationHost)) {
      throw new TypeError(`migration host '${this.migrationHost}' is neither a name nor an address`);
    }
    const { inventory, maxMemory = Math.floor(totalmem() / 2) } = options;
    const residentMemory = options.residentMemory ?? (inventory === undefined ? Number.POSITIVE_INFINITY : 16 << 20);
    this.memory = new MemoryBudget(maxMemory, residentMemory);
    this.storage = new Storage(options.maxStorage ?? Math.floor(totalmem() / 4));
    this.node = inventory === "test" ? testMachine : thisMachine();
    this.clock = options.clock ?? systemClock;
    this.screenshotFormat = options.screenshotFormat ?? "png";
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
  attachGuest(
    domain: Domain,
    definition: DomainDefinition,
    state: "starting" | "incoming",
    cause: StartCause = BOOTED,
  ): Guest {
    const memory = this.memory.allocate(definition.memoryKib * 1024n);
    const onMove: GuestOptions["onMove"] = (from, to) => this.events.moved(domain.reference, from, to, cause);
    const guest = new Guest({ id: ++this.#lastId, definition, memory, state, clock: this.clock, onMove });
    domain.attach(guest);
    if (state === "starting") dropManagedSave(domain); // one that arrives may yet fail to
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
   * @param fill puts into its memory what it starts from; without it, what booting leaves there.
   * @throws {VirtError} when there is no memory for it, or when it was destroyed meanwhile.
   */
  async boot(
    domain: Domain,
    definition: DomainDefinition,
    paused: boolean,
    cause: StartCause = BOOTED,
    fill?: (guest: Guest) => Promise<void>,
  ): Promise<void> {
    const guest = this.attachGuest(domain, definition, "starting", cause);
    await (fill?.(guest) ?? guest.memory.fill(domain.uuid, guest.gone));
    if (guest.gone.aborted) throw notRunning();
    if (paused) guest.move("pause", cause.paused);
    else guest.move("run", cause.running);
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
    for (const pool of this.storage.pools) pool.clear();
    for (const secret of this.secrets) secret.value = undefined;
  }
}
