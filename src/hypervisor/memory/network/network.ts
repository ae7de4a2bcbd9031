import type { NonnullNetwork } from "../../../generated/remote/index.ts";
import type { NetworkPort } from "./network-port.ts";
import type { NetworkDefinition } from "./network-xml.ts";

/** A network: a definition that stays (persistent), one that holds while it is active, or both. */
export class Network {
  readonly name: string;
  readonly uuid: Uint8Array;
  /** What the next start uses. Absent for a transient network. */
  config: NetworkDefinition | undefined;
  autostart = false;
  /** By UUID, as text. */
  readonly ports = new Map<string, NetworkPort>();
  #live: NetworkDefinition | undefined;
  /** What it was last: for who still speaks of a transient network that has stopped. */
  #last: NetworkDefinition;

  constructor(definition: NetworkDefinition) {
    this.name = definition.name;
    this.uuid = definition.uuid;
    this.#last = definition;
  }

  /** What holds while it is active. */
  get live(): NetworkDefinition | undefined {
    return this.#live;
  }

  /** What holds now. */
  get definition(): NetworkDefinition {
    return this.#live ?? this.config ?? this.#last;
  }

  get active(): boolean {
    return this.#live !== undefined;
  }

  get persistent(): boolean {
    return this.config !== undefined;
  }

  /** How it is named on the wire. */
  get reference(): NonnullNetwork {
    return { name: this.name, uuid: this.uuid };
  }

  /** Starts it, or changes what holds while it is active. */
  run(definition: NetworkDefinition): void {
    this.#live = definition;
    this.#last = definition;
  }

  stop(): void {
    this.#live = undefined;
    this.ports.clear();
  }
}
