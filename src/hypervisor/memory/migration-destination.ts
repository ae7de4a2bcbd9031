import { randomBytes } from "node:crypto";
import {
  VirDomainJobType,
  VirDomainMigrateFlags,
  VirDomainPausedReason,
  VirDomainRunningReason,
  VirDomainShutoffReason,
  VirErrorNumber,
} from "../../generated/libvirt/index.ts";
import type { NonnullDomain } from "../../generated/remote/index.ts";
import { VirtError } from "../../rpc/index.ts";
import type { Session } from "../../server/index.ts";
import { onClientGone } from "./client-gone.ts";
import type { Domain } from "./domain.ts";
import { checkAbiStability, type DomainDefinition, parseDomainXml, renamed } from "./domain-xml.ts";
import { driverError, operationFailed, operationInvalid } from "./driver-errors.ts";
import type { Guest } from "./guest.ts";
import type { Host } from "./host.ts";
import { finishedJob, JOB_MIGRATION_IN, MemoryJob } from "./job.ts";
import { TOKEN_BYTES } from "./memory-channel.ts";
import { MemoryListener } from "./memory-listener.ts";
import { type Cookie, readCookie, writeCookie } from "./migration-cookie.ts";
import type { MigrationRequest } from "./migration-request.ts";
import { formatMigrationUri, parseMigrationUri } from "./migration-uri.ts";
import { dropManagedSave } from "./save/managed-save.ts";
import { formatUuid } from "./uuid.ts";

const F = VirDomainMigrateFlags;

/**
 * - `prepared`: listens for the source. `receiving`: the source is connected.
 * - `arrived`: all of the memory is here and verified. `failed`: it never will be.
 * - `over`.
 *
 * In all but the last, the guest is here and its processor stands still.
 */
type Phase = "prepared" | "receiving" | "arrived" | "failed" | "over";
/** `end`: Finish(cancelled), the client's connection gone, the guest destroyed, or anything wrong in Finish. */
type PhaseEvent = "connected" | "verified" | "broken" | "finish" | "end";

/** Where each event takes an incoming migration. `finish` lets the guest go on; `end` stops it. */
const moves = {
  prepared: { connected: "receiving", end: "over" },
  receiving: { verified: "arrived", broken: "failed", end: "over" },
  arrived: { finish: "over", end: "over" },
  failed: { end: "over" },
  over: {},
} as const satisfies Record<Phase, Partial<Record<PhaseEvent, Phase>>>;

/** A migration to this host, from Prepare until Finish. */
export class IncomingMigration {
  readonly guest: Guest;
  readonly job: MemoryJob;
  readonly token = Uint8Array.from(randomBytes(TOKEN_BYTES));
  readonly #host: Host;
  readonly #domain: Domain;
  readonly #listener: MemoryListener;
  readonly #onGone = () => this.#end();
  readonly #forgetClient: () => void;
  #phase: Phase = "prepared";
  /** Of the memory that arrived. */
  digest: Uint8Array | undefined;
  /** Why it did not. */
  failure: Error | undefined;

  constructor(host: Host, domain: Domain, definition: DomainDefinition, session: Session) {
    this.#host = host;
    this.#domain = domain;
    this.guest = host.attachGuest(domain, definition, "incoming");
    this.job = new MemoryJob(JOB_MIGRATION_IN, this.guest.memory.size, host.clock);
    domain.incoming = this;
    this.#listener = new MemoryListener({
      token: this.token,
      memory: this.guest.memory.bytes,
      ...host.timeouts,
      onConnected: () => this.#move("connected"),
      onMoved: (bytes) => this.job.moved(bytes),
      onArrived: (digest) => {
        this.digest = digest;
        this.#move("verified");
      },
      onFailed: (error) => {
        this.failure = error;
        this.#move("broken");
      },
    });
    this.#forgetClient = onClientGone(session, this.#onGone);
    this.guest.gone.addEventListener("abort", this.#onGone);
  }

  get phase(): Phase {
    return this.#phase;
  }

  get jobType(): number {
    return VirDomainJobType.VIR_DOMAIN_JOB_UNBOUNDED;
  }

  /** @returns the port. */
  async listen(address: string, port: number): Promise<number> {
    try {
      return await this.#listener.listen(address, port);
    } catch (error) {
      await this.close();
      throw operationFailed(`cannot listen for incoming migration on '${address}': ${(error as Error).message}`);
    }
  }

  /** Lets the guest go on here. @throws {VirtError} where it has not arrived. */
  finish(paused: boolean): void {
    this.#move("finish");
    this.#release();
    dropManagedSave(this.#domain);
    if (paused) this.guest.move("pause", VirDomainPausedReason.VIR_DOMAIN_PAUSED_USER);
    else this.guest.move("run", VirDomainRunningReason.VIR_DOMAIN_RUNNING_MIGRATED);
    void this.#listener.close();
  }

  /** Stops the guest and frees all that was held for it. */
  async close(): Promise<void> {
    this.#end();
    await this.#listener.close();
  }

  #end(): void {
    if (this.#phase === "over") return;
    this.#move("end");
    this.#release();
    void this.#listener.close();
    if (this.#domain.guest === this.guest) {
      this.#host.stop(this.#domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_FAILED);
    }
  }

  #move(event: PhaseEvent): void {
    const to = (moves[this.#phase] as Partial<Record<PhaseEvent, Phase>>)[event];
    if (to === undefined) {
      throw operationInvalid(`incoming migration of domain '${this.#domain.name}' is ${this.#phase}: cannot ${event}`);
    }
    this.#phase = to;
  }

  #release(): void {
    this.#forgetClient();
    this.guest.gone.removeEventListener("abort", this.#onGone);
    if (this.#domain.incoming === this) this.#domain.incoming = undefined;
  }
}

/** Prepare3: makes the guest, still, and listens for its memory. */
export async function prepare(
  host: Host,
  request: MigrationRequest,
  cookieIn: Uint8Array,
  session: Session,
): Promise<{ cookieOut: Uint8Array; uriOut: string | null }> {
  const sent = parseDomainXml(request.xml ?? "");
  const definition = request.dname === undefined ? sent : renamed(sent, request.dname);
  const begun = readCookie("begin", definition.uuid, cookieIn);
  if (Buffer.compare(begun.host, host.uuid) === 0) {
    const detail = `Attempt to migrate guest to the same host ${formatUuid(host.uuid)}`;
    throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
  }
  if (BigInt(begun.memory) !== definition.memoryKib * 1024n) {
    const detail = `guest has ${begun.memory} bytes of memory on the source, ${definition.memoryKib} KiB in its XML`;
    throw operationFailed(detail);
  }
  const asked = request.uri === undefined ? undefined : parseMigrationUri(request.uri);
  const target = asked?.host ?? host.migrationAddress;
  const domain = host.domains.claim(definition, "inactive");
  const incoming = new IncomingMigration(host, domain, definition, session);
  if (session.signal.aborted) await incoming.close();
  const port = await incoming.listen(request.listenAddress ?? host.migrationHost, asked?.port ?? 0);
  const cookieOut = writeCookie("prepare", domain.uuid, { token: incoming.token, memory: incoming.guest.memory.size });
  const uriOut = asked?.port === undefined ? formatMigrationUri(target, port) : null;
  return { cookieOut, uriOut };
}

/**
 * Finish3: lets the guest run here (0), or destroys it (not 0) and answers VIR_ERR_MIGRATE_FINISH_OK, never a domain.
 *
 * @param name of the guest on this host.
 */
export async function finish(
  host: Host,
  name: string,
  request: MigrationRequest,
  cookieIn: Uint8Array,
  cancelled: number,
): Promise<{ dom: NonnullDomain; cookieOut: Uint8Array }> {
  const domain = host.domains.byName(name);
  if (domain === undefined) {
    throw driverError(VirErrorNumber.VIR_ERR_NO_DOMAIN, `no domain with matching name '${name}'`);
  }
  const { incoming } = domain;
  if (incoming === undefined) throw operationInvalid(`domain '${name}' is not processing incoming migration`);
  if (cancelled !== 0) {
    domain.lastJob = failedJob(incoming, "migration was cancelled", VirDomainJobType.VIR_DOMAIN_JOB_CANCELLED);
    await incoming.close();
    throw driverError(VirErrorNumber.VIR_ERR_MIGRATE_FINISH_OK);
  }
  try {
    const performed = readCookie("perform", domain.uuid, cookieIn);
    if (incoming.phase !== "arrived") {
      const why = incoming.failure?.message ?? "its memory has not arrived";
      throw operationFailed(`incoming migration of domain '${name}' failed: ${why}`);
    }
    if (Buffer.compare(performed.digest, incoming.digest!) !== 0) {
      throw operationFailed("migration cookie from the perform step is about other memory");
    }
    if ((request.flags & F.VIR_MIGRATE_PERSIST_DEST) !== 0) persist(host, domain, performed);
    domain.lastJob = finishedJob(incoming.job);
    incoming.finish(performed.paused || (request.flags & F.VIR_MIGRATE_PAUSED) !== 0);
    return { dom: domain.reference, cookieOut: writeCookie("finish", domain.uuid, { digest: performed.digest }) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    domain.lastJob = failedJob(incoming, message, VirDomainJobType.VIR_DOMAIN_JOB_FAILED);
    await incoming.close();
    throw error;
  }
}

function failedJob(incoming: IncomingMigration, message: string, type: number) {
  return finishedJob(incoming.job, { type, message });
}

function persist(host: Host, domain: Domain, performed: Cookie<"perform">): void {
  const isNew = domain.config === undefined;
  domain.config = persistent(domain.active, performed);
  host.events.defined(domain.reference, isNew);
}

/** The definition to keep, under the name that the guest has here. */
function persistent(guest: Guest, { persistentXml }: Cookie<"perform">): DomainDefinition {
  if (persistentXml === null) return guest.definition;
  try {
    const sent = parseDomainXml(persistentXml);
    const definition = sent.name === guest.definition.name ? sent : renamed(sent, guest.definition.name);
    checkAbiStability(guest.definition, definition);
    return definition;
  } catch (error) {
    if (!(error instanceof VirtError)) throw error;
    throw driverError(VirErrorNumber.VIR_ERR_MIGRATE_PERSIST_FAILED, error.message);
  }
}
