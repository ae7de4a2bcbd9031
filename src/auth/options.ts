import type { VirConnectCredentialType } from "../generated/libvirt/index.ts";
import type { SecurityLayerTransport } from "./security-layer.ts";

/** Something that only the user knows: virConnectCredential. */
export interface CredentialRequest {
  /** What is asked for, VIR_CRED_AUTHNAME and so on. */
  readonly type: VirConnectCredentialType;
  /** What to show. */
  readonly prompt: string;
  /** What the server says about it: for a realm, those that it knows. */
  readonly challenge?: string;
  /** What an empty answer stands for. */
  readonly defaultResult?: string;
}

/**
 * Answers questions: all that are open at once, as virConnectAuth's callback gets them. Resolves with one answer for
 * each, in their order, undefined for the default; or with undefined altogether, which cancels the login.
 * `signal` says that nobody waits any more.
 */
export type CredentialCallback = (
  requests: readonly CredentialRequest[],
  signal: AbortSignal,
) => CredentialAnswers | Promise<CredentialAnswers>;
export type CredentialAnswers = readonly (string | undefined)[] | undefined;

/** Answers that are known beforehand. */
export interface FixedCredentials {
  /** Whose password it is. */
  readonly authname?: string;
  readonly password?: string;
  /** Where a DIGEST-MD5 server knows several. Default: its first. */
  readonly realm?: string;
  /** As whom to act, where that is somebody else. */
  readonly username?: string;
}

/** What auth.conf says: the value of a key in the credentials for a service at a host. */
export type AuthConfLookup = (
  service: string,
  host: string,
  key: string,
) => string | undefined | Promise<string | undefined>;

export interface AuthOptions {
  /** Gives up: rejects with an AbortError. The connection is then good for nothing but being closed. */
  readonly signal?: AbortSignal;
  /** The URI's parameter `auth`: `sasl`, `sasl.MECHANISM` or `polkit`. Default: what the daemon wants. */
  readonly auth?: string;
  /** The URI's host, `localhost` where it has none: part of what SASL proves, and the group in auth.conf. */
  readonly host?: string;
  /** Asked first. Default: nothing is known. */
  readonly authConf?: AuthConfLookup;
  /** Asked for what auth.conf does not know. Default: nobody, and SASL fails where something is missing. */
  readonly credentials?: FixedCredentials | CredentialCallback;
  /**
   * What the callback can answer; the rest is never asked for. Default all but VIR_CRED_USERNAME, as
   * virConnectAuthPtrDefault has it: a user name other than the login's wants a server that allows that.
   */
  readonly credentialTypes?: readonly VirConnectCredentialType[];
  /** SASL mechanisms that may be used. Default: all that libvirt's rules allow on this transport. */
  readonly mechanisms?: readonly string[];
  /**
   * The transport under the peer, which begins to encrypt when a mechanism agrees on that. Without it no mechanism
   * may: a transport that anybody can read along is then refused.
   */
  readonly layer?: SecurityLayerTransport;
}

/** How a login went. */
export interface AuthResult {
  readonly type: "none" | "sasl" | "polkit";
  /** The SASL mechanism. */
  readonly mechanism?: string;
  /** Bits of the security layer that SASL put on the connection: 0 for none. */
  readonly ssf: number;
}
