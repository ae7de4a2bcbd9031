import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../rpc/index.ts";
import type { Credentials } from "./credentials.ts";
import type { SecurityLayer } from "./security-layer.ts";

/** What one side says next. */
export interface SaslStep {
  /** null is no message at all, which is not the same as an empty one. */
  readonly data: Uint8Array | null;
  /** Whether this side is content: nothing more needs to come. */
  readonly complete: boolean;
}

/** The client's side of one login. Every method rejects with a VirtError where the server's message is not right. */
export interface SaslClient {
  /** The first message, where the mechanism lets the client speak first. */
  start(): Promise<SaslStep>;
  /** Answers the server. */
  step(challenge: Uint8Array | null): Promise<SaslStep>;
  /** What protects the connection from now on, once both sides are content. */
  readonly layer: SecurityLayer | undefined;
}

/** What a mechanism may know. */
export interface SaslContext {
  readonly credentials: Credentials;
  /** SASL's name of the service: `libvirt`. */
  readonly service: string;
  /** The server's name, as the client knows it. */
  readonly host: string;
  /** The least and most bits that the layer may have. Zero at most: there must be none. */
  readonly minSsf: number;
  readonly maxSsf: number;
  /** The client's part of what makes each login different. Default random; for tests with known answers. */
  readonly nonce?: string;
}

/** The login failed: what the server did is wrong, or proves nothing. */
export function authFailed(detail: string, options?: ErrorOptions): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_RPC, detail, options);
}

/** The login cannot be done here. */
export function authUnavailable(detail: string, options?: ErrorOptions): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_AUTH_UNAVAILABLE, VirErrorDomain.VIR_FROM_RPC, detail, options);
}
