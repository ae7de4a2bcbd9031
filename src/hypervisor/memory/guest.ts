import { VirDomainPausedReason, VirDomainRunningReason, VirDomainState } from "../../generated/libvirt/index.ts";
import type { Clock } from "./clock.ts";
import type { Polling } from "./domain/iothreads.ts";
import type { DomainDefinition } from "./domain-xml.ts";
import { operationInvalid } from "./driver-errors.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { GuestSystem } from "./guest-system.ts";

/**
 * - `starting`: its memory is being filled.
 * - `incoming`: its memory arrives from another host; its processor stands still.
 * - `running`, `paused`.
 * - `held`: a migration to another host keeps its processor still. It may run there from now on, so only the
 *   migration itself lets it go on here.
 * - `asleep`: suspended itself to memory or disk, as its owner asked it to.
 * - `gone`: stopped; memory freed.
 */
export type GuestState = "starting" | "incoming" | "running" | "paused" | "held" | "asleep" | "gone";
export type GuestEvent = "run" | "pause" | "hold" | "sleep" | "wake" | "stop";

/** Where each event takes a guest. A pair not listed is refused. */
const moves = {
  starting: { run: "running", pause: "paused", stop: "gone" },
  incoming: { run: "running", pause: "paused", stop: "gone" },
  running: { pause: "paused", hold: "held", sleep: "asleep", stop: "gone" },
  paused: { run: "running", hold: "held", stop: "gone" },
  held: { run: "running", pause: "paused", stop: "gone" },
  asleep: { wake: "running", stop: "gone" },
  gone: {},
} as const satisfies Record<GuestState, Partial<Record<GuestEvent, GuestState>>>;

/** What `DOMAIN_GET_STATE` says of each state, and why where nobody gave a reason. */
const shown = {
  starting: [VirDomainState.VIR_DOMAIN_PAUSED, VirDomainPausedReason.VIR_DOMAIN_PAUSED_STARTING_UP],
  incoming: [VirDomainState.VIR_DOMAIN_PAUSED, VirDomainPausedReason.VIR_DOMAIN_PAUSED_MIGRATION],
  running: [VirDomainState.VIR_DOMAIN_RUNNING, VirDomainRunningReason.VIR_DOMAIN_RUNNING_UNKNOWN],
  paused: [VirDomainState.VIR_DOMAIN_PAUSED, VirDomainPausedReason.VIR_DOMAIN_PAUSED_UNKNOWN],
  held: [VirDomainState.VIR_DOMAIN_PAUSED, VirDomainPausedReason.VIR_DOMAIN_PAUSED_MIGRATION],
  asleep: [VirDomainState.VIR_DOMAIN_PMSUSPENDED, 0],
  gone: [VirDomainState.VIR_DOMAIN_SHUTOFF, 0],
} as const satisfies Record<GuestState, readonly [number, number]>;

export interface GuestOptions {
  readonly id: number;
  readonly definition: DomainDefinition;
  readonly memory: GuestMemory;
  readonly state: "starting" | "incoming";
  readonly clock: Clock;
  /** Told of every change of state, once it has happened. */
  readonly onMove?: (from: GuestState, to: GuestState) => void;
}

/** A domain's active half: what exists from its start to its stop. */
export class Guest {
  /** Positive; no two guests of a host ever share one. */
  readonly id: number;
  definition: DomainDefinition;
  readonly memory: GuestMemory;
  /** Virtual processors that its system has taken off line. */
  readonly offlineVcpus = new Set<number>();
  /** How its I/O threads poll, where somebody has said so. */
  readonly polling = new Map<number, Polling>();
  /** What its system answers through an agent. */
  readonly system = new GuestSystem();
  readonly #clock: Clock;
  readonly #onMove: GuestOptions["onMove"];
  readonly #gone = new AbortController();
  #state: GuestState;
  #reason: number;
  /** Milliseconds that it ran before `#runningSince`. */
  #ran = 0;
  #runningSince: number | undefined;

  constructor({ id, definition, memory, state, clock, onMove }: GuestOptions) {
    this.id = id;
    this.definition = definition;
    this.memory = memory;
    this.#state = state;
    this.#reason = shown[state][1];
    this.#clock = clock;
    this.#onMove = onMove;
  }

  get state(): GuestState {
    return this.#state;
  }

  /** libvirt's state and reason. */
  get shown(): readonly [state: number, reason: number] {
    return [shown[this.#state][0], this.#reason];
  }

  /** It has booted again, without having stopped. */
  rebooted(): void {
    if (this.#state === "running") this.#reason = VirDomainRunningReason.VIR_DOMAIN_RUNNING_BOOTED;
  }

  /** Aborted when the guest stops. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Processor time, nanoseconds: the time that it has run here. */
  get cpuTime(): bigint {
    const running = this.#runningSince === undefined ? 0 : this.#clock.now() - this.#runningSince;
    return BigInt(Math.round((this.#ran + running) * 1e6));
  }

  can(event: GuestEvent): boolean {
    return event in moves[this.#state];
  }

  /**
   * @param reason libvirt's reason for the state that this leads to.
   * @throws {VirtError} VIR_ERR_OPERATION_INVALID where the event does not fit the state.
   */
  move(event: GuestEvent, reason?: number): void {
    const to = (moves[this.#state] as Partial<Record<GuestEvent, GuestState>>)[event];
    if (to === undefined) throw operationInvalid(`domain is ${this.#state}: it cannot ${event}`);
    if (this.#runningSince !== undefined) {
      this.#ran += this.#clock.now() - this.#runningSince;
      this.#runningSince = undefined;
    }
    const from = this.#state;
    this.#state = to;
    this.#reason = reason ?? shown[to][1];
    if (to === "running") this.#runningSince = this.#clock.now();
    if (to === "gone") {
      this.#gone.abort();
      this.memory.free();
    }
    this.#onMove?.(from, to);
  }
}
