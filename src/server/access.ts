import type { ClientIdentity } from "./session.ts";

/**
 * The object that a call is about, as the daemon knows it, not as the client describes it. Empty for the connection as
 * such, and where nobody can tell beforehand, such as what a saved image holds.
 */
export interface AccessTarget {
  readonly name?: string;
  /** `6695eb01-f6a4-8304-79aa-97f2502e193f` */
  readonly uuid?: string;
  /** Of a volume: its pool's name. */
  readonly pool?: string;
  /** Of a volume. */
  readonly key?: string;
  /** Of a network's port: its network's name and UUID; `uuid` is the port's own. */
  readonly network?: string;
  readonly networkUuid?: string;
  /** Of an interface. */
  readonly mac?: string;
  /** Of a secret: virSecretUsageType, and what it is for. */
  readonly usageType?: number;
  readonly usageId?: string;
  /** Of a filter's binding: the filter's name. `name` is the port's device. */
  readonly filter?: string;
}

/** A question to a policy: may this client do that with this object? */
export interface AccessRequest {
  readonly client: ClientIdentity;
  /** Set for a client at a unix socket of whom the kernel's word could not be had: it may be anybody. */
  readonly unidentified?: boolean;
  /** What the driver is called. */
  readonly driver: string;
  /** `connect`, `domain`, `storage_vol` and so on; for programs whose procedures name no rights, the program. */
  readonly object: string;
  /** `getattr`, `read`, `write` and so on; likewise the procedure. */
  readonly permission: string;
  readonly target: AccessTarget;
  /** Aborted when the client goes. */
  readonly signal: AbortSignal;
}

/** Decides what clients may do, beyond whether they may log in. */
export interface AccessPolicy {
  /**
   * Answers at once where it can: a promise makes every call take longer. Whatever it throws or rejects with is a no.
   * A right that it does not know must be refused.
   */
  allows(request: AccessRequest): boolean | Promise<boolean>;
}

/** What a server does without a policy, said aloud. */
export const allowAll: AccessPolicy = { allows: () => true };
