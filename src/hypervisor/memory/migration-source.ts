import {
  VirDomainJobType,
  VirDomainMigrateFlags,
  VirDomainPausedReason,
  VirDomainRunningReason,
  VirDomainShutoffReason,
  VirErrorNumber,
} from "../../generated/libvirt/index.ts";
import { VirtError } from "../../rpc/index.ts";
import type { Session } from "../../server/index.ts";
import { sockets, type Transport } from "../../transport/index.ts";
import { Bandwidth } from "./bandwidth.ts";
import { onClientGone } from "./client-gone.ts";
import { type Domain, UNLIMITED_SPEED } from "./domain.ts";
import { checkAbiStability, type DomainDefinition, parseDomainXml } from "./domain-xml.ts";
import { driverError, invalidArgument, notRunning, operationFailed, operationInvalid } from "./driver-errors.ts";
import type { Guest } from "./guest.ts";
import type { Host } from "./host.ts";
import { finishedJob, JOB_MIGRATION_OUT, MemoryJob } from "./job.ts";
import { MemoryChannelError, within } from "./memory-channel.ts";
import { sendMemory } from "./memory-sender.ts";
import { readCookie, writeCookie } from "./migration-cookie.ts";
import type { MigrationRequest } from "./migration-request.ts";
import { parseMigrationUri } from "./migration-uri.ts";

const F = VirDomainMigrateFlags;

/**
 * - `begun`: Begin with change protection; the guest runs on, no other migration of it may start.
 * - `performing`: memory goes out. The guest runs on until the last of it, when it is held still; without
 *   VIR_MIGRATE_LIVE it is held from the start.
 * - `performed`: the destination has everything. The guest is held: from here on it may run there.
 * - `over`.
 */
type Phase = "begun" | "performing" | "performed" | "over";

/**
 * - `abandon`: Confirm(cancelled) before Perform. `takeBack`: Confirm(cancelled) after it.
 * - `leave`: the client's connection is gone.
 */
type PhaseEvent = "perform" | "fail" | "complete" | "confirm" | "abandon" | "takeBack" | "leave" | "destroy";

/**
 * Where each event takes a migration, and what becomes of the guest here: the whole of why it never runs on both
 * sides. `goOn` undoes what the migration did to it; `stayPaused` leaves it still, because nobody knows whether it
 * runs on the destination.
 */
const moves = {
  begun: {
    perform: { to: "performing", guest: "untouched" },
    fail: { to: "over", guest: "goOn" },
    abandon: { to: "over", guest: "goOn" },
    leave: { to: "over", guest: "goOn" },
    destroy: { to: "over", guest: "untouched" },
  },
  performing: {
    complete: { to: "performed", guest: "untouched" },
    fail: { to: "over", guest: "goOn" },
    destroy: { to: "over", guest: "untouched" },
  },
  performed: {
    confirm: { to: "over", guest: "stop" },
    takeBack: { to: "over", guest: "goOn" },
    leave: { to: "over", guest: "stayPaused" },
    destroy: { to: "over", guest: "untouched" },
  },
  over: {},
} as const satisfies Record<
  Phase,
  Partial<Record<PhaseEvent, { to: Phase; guest: "untouched" | "goOn" | "stop" | "stayPaused" }>>
>;
type Move = { readonly to: Phase; readonly guest: "untouched" | "goOn" | "stop" | "stayPaused" };

/** A migration away from this host, from Begin (with change protection) or Perform until Confirm. */
export class OutgoingMigration {
  readonly job: MemoryJob;
  readonly guest: Guest;
  readonly bandwidth: Bandwidth;
  readonly #host: Host;
  readonly #domain: Domain;
  readonly #cancelled = new AbortController();
  readonly #forgetClient: () => void;
  readonly #onGone = () => this.move("destroy");
  #phase: Phase;
  /** Whether the guest was paused before this migration held it. */
  #wasPaused = false;
  /** What was sent. */
  digest: Uint8Array | undefined;

  constructor(host: Host, domain: Domain, phase: "begun" | "performing", session: Session) {
    this.#host = host;
    this.#domain = domain;
    this.guest = domain.active;
    this.#phase = phase;
    this.job = new MemoryJob(JOB_MIGRATION_OUT, this.guest.memory.size, host.clock);
    this.bandwidth = new Bandwidth(host.clock, 0n);
    domain.outgoing = this;
    this.#forgetClient = onClientGone(session, () => this.#left());
    this.guest.gone.addEventListener("abort", this.#onGone);
    if (session.signal.aborted) this.#left();
  }

  get phase(): Phase {
    return this.#phase;
  }

  get wasPaused(): boolean {
    return this.#wasPaused;
  }

  /** Aborted when Perform has to give up, with the error to give up with. */
  get cancelled(): AbortSignal {
    return this.#cancelled.signal;
  }

  /** VIR_DOMAIN_JOB_NONE while there is nothing to tell. */
  get jobType(): number {
    return this.#phase === "begun" ? VirDomainJobType.VIR_DOMAIN_JOB_NONE : VirDomainJobType.VIR_DOMAIN_JOB_UNBOUNDED;
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID where the event does not fit the phase. */
  move(event: PhaseEvent): void {
    const move = (moves[this.#phase] as Partial<Record<PhaseEvent, Move>>)[event];
    if (move === undefined) {
      throw operationInvalid(`migration of domain '${this.#domain.name}' is ${this.#phase}: it cannot ${event}`);
    }
    this.#phase = move.to;
    if (move.to === "over") this.#release();
    switch (move.guest) {
      case "goOn":
        this.#letGo();
        break;
      case "stop":
        this.#host.stop(this.#domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_MIGRATED);
        break;
      case "stayPaused":
        this.guest.move("pause", VirDomainPausedReason.VIR_DOMAIN_PAUSED_MIGRATION);
        break;
    }
  }

  /** Stops the guest's processor for as long as this migration lasts. */
  hold(): void {
    if (this.guest.state === "held") return;
    this.#wasPaused = this.guest.state === "paused";
    this.guest.move("hold");
    this.job.held();
  }

  /** VIR_DOMAIN_ABORT_JOB. @throws {VirtError} when it is too late. */
  abort(): void {
    if (this.#phase === "performed") {
      throw operationInvalid("migration has completed: only its Confirm step ends it");
    }
    const detail = "job 'migration out' canceled by client";
    this.#cancelled.abort(driverError(VirErrorNumber.VIR_ERR_OPERATION_ABORTED, detail));
  }

  #left(): void {
    if (this.#phase === "performing") {
      const detail = "job 'migration out' canceled: client disconnected";
      this.#cancelled.abort(driverError(VirErrorNumber.VIR_ERR_OPERATION_ABORTED, detail));
    } else if (this.#phase !== "over") {
      this.move("leave");
    }
  }

  #letGo(): void {
    if (this.guest.state !== "held") return;
    if (this.#wasPaused) this.guest.move("pause", VirDomainPausedReason.VIR_DOMAIN_PAUSED_USER);
    else this.guest.move("run", VirDomainRunningReason.VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
  }

  #release(): void {
    if (this.guest.gone.aborted) this.#cancelled.abort(notRunning());
    this.#forgetClient();
    this.guest.gone.removeEventListener("abort", this.#onGone);
    if (this.#domain.outgoing === this) this.#domain.outgoing = undefined;
  }
}

/** Begin3: says what the guest is, and with change protection keeps it from changing. */
export function begin(host: Host, domain: Domain, request: MigrationRequest, session: Session) {
  const guest = migratable(domain);
  if (domain.outgoing !== undefined) throw busy(domain);
  if (request.persistentXml !== undefined) compatible(guest.definition, request.persistentXml);
  const definition = request.xml === undefined ? guest.definition : compatible(guest.definition, request.xml);
  if ((request.flags & F.VIR_MIGRATE_CHANGE_PROTECTION) !== 0) new OutgoingMigration(host, domain, "begun", session);
  const cookieOut = writeCookie("begin", domain.uuid, { host: host.uuid, memory: Number(guest.memory.total) });
  return { cookieOut, xml: definition.xml };
}

/**
 * Perform3: sends the memory. However it fails, the guest goes on as before and the migration is over; where it did
 * not come so far as to send anything, the job of Begin is the caller's to end.
 */
export async function perform(
  host: Host,
  domain: Domain,
  request: MigrationRequest,
  cookieIn: Uint8Array,
  session: Session,
): Promise<{ cookieOut: Uint8Array }> {
  const begun = domain.outgoing;
  if (begun !== undefined && begun.phase !== "begun") throw busy(domain);
  let migration: OutgoingMigration | undefined;
  try {
    const guest = migratable(domain);
    const { token } = readCookie("prepare", domain.uuid, cookieIn);
    const persistentXml = persistentDefinition(domain, guest, request);
    const address = parseMigrationUri(request.uri ?? "");
    if (address.port === undefined) throw invalidArgument(`missing port in migration URI '${request.uri}'`);
    begun?.move("perform");
    migration = begun ?? new OutgoingMigration(host, domain, "performing", session);
    const digest = await transfer(host, domain, migration, request, token, { ...address, port: address.port });
    migration.cancelled.throwIfAborted();
    migration.move("complete");
    const paused = migration.wasPaused;
    return { cookieOut: writeCookie("perform", domain.uuid, { digest, paused, persistentXml }) };
  } catch (error) {
    const failure = asVirtError(error, request.uri);
    if (migration?.phase === "performing") {
      domain.lastJob = finishedJob(migration.job, failedAs(failure));
      migration.move("fail");
    }
    throw failure;
  }
}

/** Confirm3: the guest is at home on the destination (0), or nowhere else (not 0). */
export function confirm(domain: Domain, request: MigrationRequest, cookieIn: Uint8Array, cancelled: number): void {
  const migration = domain.outgoing;
  if (migration === undefined || migration.phase === "performing") {
    throw operationInvalid(`domain '${domain.name}' is not processing outgoing migration`);
  }
  if (cancelled !== 0) {
    if (migration.phase === "performed") {
      const failure = { type: VirDomainJobType.VIR_DOMAIN_JOB_FAILED, message: "migration failed on the destination" };
      domain.lastJob = finishedJob(migration.job, failure);
    }
    migration.move(migration.phase === "performed" ? "takeBack" : "abandon");
    return;
  }
  if (migration.phase !== "performed") {
    throw operationInvalid(`domain '${domain.name}' is not processing outgoing migration`);
  }
  const { digest } = readCookie("finish", domain.uuid, cookieIn);
  if (Buffer.compare(digest, migration.digest!) !== 0) {
    throw operationFailed("migration cookie from the finish step is about other memory");
  }
  domain.lastJob = finishedJob(migration.job);
  if ((request.flags & F.VIR_MIGRATE_UNDEFINE_SOURCE) !== 0) domain.config = undefined;
  migration.move("confirm");
}

async function transfer(
  host: Host,
  domain: Domain,
  migration: OutgoingMigration,
  request: MigrationRequest,
  token: Uint8Array,
  { host: name, port }: { readonly host: string; readonly port: number },
): Promise<Uint8Array> {
  const { guest, job, bandwidth, cancelled } = migration;
  cancelled.throwIfAborted();
  if ((request.flags & F.VIR_MIGRATE_LIVE) === 0) migration.hold();
  bandwidth.limit(request.bandwidth !== 0n ? request.bandwidth : domain.maxSpeed);
  const transport = await connectTo(name, port, host.timeouts.connect, cancelled);
  migration.digest = await sendMemory(transport, {
    token,
    memory: guest.memory.bytes,
    bandwidth,
    stall: host.timeouts.stall,
    signal: cancelled,
    onMoved: (bytes) => job.moved(bytes),
    switchOver: () => migration.hold(),
  });
  return migration.digest;
}

async function connectTo(name: string, port: number, timeout: number, cancelled: AbortSignal): Promise<Transport> {
  const { dialTcp } = await sockets();
  const patience = new AbortController();
  const dialling = dialTcp(name, port, { signal: patience.signal });
  try {
    return await within(dialling, timeout, cancelled, `cannot connect to ${name} port ${port}`);
  } catch (error) {
    patience.abort(error);
    void dialling.then(
      (transport) => transport.close(new MemoryChannelError("not wanted any more")),
      () => {},
    );
    throw error;
  }
}

/** @throws {VirtError} where the guest is not one that can be sent away. */
function migratable(domain: Domain): Guest {
  const guest = domain.active;
  if (guest.state === "starting" || domain.incoming !== undefined) {
    throw operationInvalid(`domain '${domain.name}' is still ${guest.state}`);
  }
  if (domain.autoDestroy !== undefined) throw operationInvalid("domain is marked for auto destroy");
  if (domain.job !== undefined) throw busy(domain);
  return guest;
}

function busy(domain: Domain): VirtError {
  return operationInvalid(`another migration job is already running for domain '${domain.name}'`);
}

function compatible(source: DomainDefinition, xml: string): DomainDefinition {
  const target = parseDomainXml(xml);
  checkAbiStability(source, target);
  return target;
}

/** What the destination is to keep of the guest when it is shut off there: null for what arrives. */
function persistentDefinition(domain: Domain, guest: Guest, request: MigrationRequest): string | null {
  if ((request.flags & F.VIR_MIGRATE_PERSIST_DEST) === 0) return null;
  if (request.persistentXml !== undefined) return compatible(guest.definition, request.persistentXml).xml;
  return domain.config?.xml ?? null;
}

function asVirtError(error: unknown, uri: string | undefined): VirtError {
  if (error instanceof VirtError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return operationFailed(`cannot send guest memory to '${uri}': ${text}`);
}

function failedAs(error: VirtError) {
  const aborted = error.code === VirErrorNumber.VIR_ERR_OPERATION_ABORTED;
  const type = aborted ? VirDomainJobType.VIR_DOMAIN_JOB_CANCELLED : VirDomainJobType.VIR_DOMAIN_JOB_FAILED;
  return { type, message: error.message };
}

/** What SET_MAX_SPEED does: for the migration that runs, and those to come. */
export function setMaxSpeed(domain: Domain, mibPerSecond: bigint): void {
  domain.maxSpeed = mibPerSecond === 0n ? UNLIMITED_SPEED : mibPerSecond;
  domain.outgoing?.bandwidth.limit(domain.maxSpeed);
}
