import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { AuthType, authList, authPolkit } from "../generated/remote/index.ts";
import { type Peer, VirtError, virtError } from "../rpc/index.ts";
import type { AuthOptions, AuthResult } from "./options.ts";

/**
 * Logs in: asks the daemon what it wants, and does that. It must be called on every connection, because the daemon
 * lets root in by answering the question. Afterwards everything on `options.layer` is protected if SASL agreed on it.
 *
 * Where the daemon wants polkit, it asks polkit itself, and polkit may ask the user, through an agent of the user's
 * session. None is started here: without one the daemon says VIR_ERR_AUTH_UNAVAILABLE, and names the action.
 *
 * Rejects with VirtError: VIR_ERR_AUTH_FAILED, VIR_ERR_AUTH_CANCELLED (by the callback, or in polkit's dialogue),
 * VIR_ERR_AUTH_UNAVAILABLE (polkit has no agent; this machine lacks what a mechanism needs). Where it was the daemon
 * that refused, the connection may try again. Where it was the caller or this function, the daemon still waits for the
 * rest of the exchange, and libvirtd begins no other: the connection is best closed.
 * Rejects with AbortError, TransportError, ProtocolError as any call does.
 * @source remoteAuthenticate, libvirt src/remote/remote_driver.c
 */
export async function authenticate(peer: Peer, options: AuthOptions = {}): Promise<AuthResult> {
  const call = options.signal === undefined ? {} : { signal: options.signal };
  let types: readonly number[];
  try {
    ({ types } = await peer.call(authList, undefined, call));
  } catch (error) {
    if (!(error instanceof VirtError) || error.code !== VirErrorNumber.VIR_ERR_NO_SUPPORT) throw error;
    types = []; // a daemon older than AUTH_LIST wants nothing
  }
  const type = chooseType(types, options.auth);
  switch (type) {
    case AuthType.REMOTE_AUTH_NONE:
      return none;
    case AuthType.REMOTE_AUTH_SASL:
      return (await import("./sasl.ts")).authenticateSasl(peer, wantedMechanism(options.auth), options);
    case AuthType.REMOTE_AUTH_POLKIT:
      if ((await peer.call(authPolkit, undefined, call)).complete === 0) throw refused("polkit has not decided yet");
      return { type: "polkit", ssf: 0 };
    default:
      throw refused(`unsupported authentication type ${type}`);
  }
}

const none: AuthResult = { type: "none", ssf: 0 };

/**
 * The first, or the one that the caller insists on. libvirt's client drops its wish where the list is empty; then
 * anybody on the way could have a login left out that would have proved who the daemon is.
 */
function chooseType(types: readonly number[], auth: string | undefined): number {
  const [first = AuthType.REMOTE_AUTH_NONE] = types;
  if (auth === undefined) return first;
  const wanted = /^sasl(\.|$)/i.test(auth)
    ? AuthType.REMOTE_AUTH_SASL
    : /^polkit$/i.test(auth)
      ? AuthType.REMOTE_AUTH_POLKIT
      : undefined;
  if (wanted === undefined) throw refused(`unknown authentication type ${auth}`);
  if (!types.includes(wanted)) throw refused(`requested authentication type ${auth} rejected`);
  return wanted;
}

function wantedMechanism(auth: string | undefined): string | undefined {
  return auth === undefined ? undefined : /^sasl\.(.*)$/is.exec(auth)?.[1];
}

function refused(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_REMOTE, detail);
}
