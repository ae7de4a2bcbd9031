import type { ScramHash } from "./scram.ts";

/** What a server keeps of a password for SCRAM: enough to check it, not enough to log in with. */
export interface ScramRecord {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/**
 * Who may log in. At least one of `scram` and `password` is there, and which of them says what the mechanisms can do:
 * SCRAM and PLAIN make do with keys, DIGEST-MD5 needs the password itself. Undefined stands for a user who does not
 * exist; the client is kept busy as long as for one who does, and hears the same.
 */
export interface UserStore {
  scram?(user: string, hash: ScramHash, signal: AbortSignal): Answer<ScramRecord>;
  /** What `scram` has keys for. Default SCRAM-SHA-256 alone. */
  readonly hashes?: readonly ScramHash[];
  password?(user: string, signal: AbortSignal): Answer<string>;
  /** The iterations that users without keys, and users who do not exist, seem to have. Default 4096. */
  readonly iterations?: number;
  /**
   * What the salts of the same come from: at least 32 random bytes, secret. Where they are others each time, users who
   * do not exist can be told by their salts. Default: random for each process.
   */
  readonly seed?: Uint8Array;
}

type Answer<T> = T | undefined | Promise<T | undefined>;
