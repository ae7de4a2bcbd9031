import type { DomainDefinition } from "../domain-xml.ts";
import type { GuestMemory } from "../guest-memory.ts";

/** A guest that is not there now, but can go on from what it was. */
export interface SavedGuest {
  readonly definition: DomainDefinition;
  /** Whether it goes on running. */
  readonly running: boolean;
  /** Counts as the host's while it is kept. */
  readonly memory: GuestMemory;
  /** Another number for each memory that was saved. */
  readonly version: number;
}
