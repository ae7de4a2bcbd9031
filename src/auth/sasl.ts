import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { authSaslInit, authSaslStart, authSaslStep, REMOTE_AUTH_SASL_DATA_MAX } from "../generated/remote/index.ts";
import { AbortError, type Peer, TransportError, VirtError, virtError } from "../rpc/index.ts";
import { type Procedure, XdrError } from "../xdr/index.ts";
import { Credentials } from "./credentials.ts";
import { authFailed, type SaslClient, type SaslContext, type SaslStep } from "./mechanism.ts";
import { type Mechanism, mechanisms } from "./mechanisms.ts";
import type { AuthOptions, AuthResult } from "./options.ts";

/** What a transport without encryption needs: DES was thought good enough. libvirt's number. */
const MIN_SSF = 56;
const MAX_SSF = 100_000;
const NOTHING = new Uint8Array(0);

/** What a server says in AUTH_SASL_START and AUTH_SASL_STEP. */
interface ServerStep {
  readonly complete: number;
  readonly nil: number;
  readonly data: Uint8Array;
}

/**
 * Logs in by SASL. After a refusal of its own the daemon takes another AUTH_SASL_INIT.
 *
 * @param wanted the mechanism that the URI names
 * @source remoteAuthSASL, libvirt src/remote/remote_driver.c
 */
export async function authenticateSasl(
  peer: Peer,
  wanted: string | undefined,
  options: AuthOptions,
): Promise<AuthResult> {
  const over = new AbortController();
  const onAbort = () => over.abort(new AbortError(options.signal?.reason));
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  const forget = peer.onClose((reason) =>
    over.abort(reason ?? new TransportError("closed", "the connection was closed")),
  );
  try {
    return await orOver(exchange(peer, wanted, options, over.signal), over.signal);
  } finally {
    forget();
    options.signal?.removeEventListener("abort", onAbort);
    over.abort(new AbortError("the login is over")); // what the callback may still be waiting for
  }
}

/** The work, or the reason why nobody waits for it: a callback may take as long as a person does. */
function orOver<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, (error) => reject(signal.aborted ? signal.reason : error));
  });
}

async function exchange(
  peer: Peer,
  wanted: string | undefined,
  options: AuthOptions,
  signal: AbortSignal,
): Promise<AuthResult> {
  const { secure } = peer.identity;
  const ask = async <Args, Ret>(procedure: Procedure<Args, Ret>, args: Args): Promise<Ret> => {
    try {
      return await peer.call(procedure, args, { signal });
    } catch (error) {
      if (!(error instanceof XdrError)) throw error;
      throw authFailed(`the server's SASL message cannot be read: ${error.message}`, { cause: error });
    }
  };
  const { mechlist } = await ask(authSaslInit, undefined);
  const context: SaslContext = {
    credentials: new Credentials(options, signal),
    service: "libvirt",
    host: options.host ?? "localhost",
    minSsf: secure ? 0 : MIN_SSF,
    maxSsf: secure ? 0 : MAX_SSF,
  };
  const { mechanism, client, first } = await begin(candidates(mechlist, wanted, options, secure), context);
  let ours = first;
  let theirs: ServerStep = await ask(authSaslStart, { mech: mechanism.name, ...ours.message });
  // Even where the server is content, the client is asked once more, unless it has nothing left to check.
  while (!(isComplete(theirs) && ours.complete)) {
    ours = outgoing(await client.step(theirs.nil === 0 ? theirs.data : null));
    if (isComplete(theirs)) {
      if (ours.complete) return finish(client, mechanism, options, secure);
      throw authFailed("the server ends the login before the mechanism does");
    }
    theirs = await ask(authSaslStep, ours.message);
  }
  if (theirs.nil === 0 && theirs.data.byteLength > 0) throw authFailed("the server says more than the mechanism has");
  return finish(client, mechanism, options, secure);
}

function isComplete({ complete }: ServerStep): boolean {
  return complete !== 0;
}

function finish({ layer }: SaslClient, { name }: Mechanism, options: AuthOptions, secure: boolean): AuthResult {
  const ssf = layer?.ssf ?? 0;
  if (!secure && ssf < MIN_SSF) throw refused(`negotiation SSF ${ssf} was not strong enough`);
  if (layer !== undefined) {
    if (options.layer === undefined) throw authFailed("there is no transport that could take the security layer");
    options.layer.secure(layer);
  }
  return { type: "sasl", mechanism: name, ssf };
}

/** None and an empty message differ to the server. */
function outgoing({ data, complete }: SaslStep): { complete: boolean; message: { nil: number; data: Uint8Array } } {
  const bytes = data ?? NOTHING;
  if (bytes.byteLength > REMOTE_AUTH_SASL_DATA_MAX) {
    throw refused(`SASL negotiation data too long: ${bytes.byteLength} bytes`);
  }
  return { complete, message: { nil: data === null ? 1 : 0, data: bytes } };
}

/** Begins with the first mechanism that this machine can do: it may lack a package, or a ticket. */
async function begin(able: readonly Mechanism[], context: SaslContext) {
  let missing: unknown;
  for (const mechanism of able) {
    try {
      const client = await mechanism.client(context);
      return { mechanism, client, first: outgoing(await client.start()) };
    } catch (error) {
      if (!(error instanceof VirtError) || error.code !== VirErrorNumber.VIR_ERR_AUTH_UNAVAILABLE) throw error;
      missing ??= error;
    }
  }
  throw missing;
}

/** The mechanisms that the server offers, the caller wants and the transport allows, at least one. */
function candidates(
  mechlist: string,
  wanted: string | undefined,
  options: AuthOptions,
  secure: boolean,
): readonly Mechanism[] {
  const offered = new Set(mechlist.toUpperCase().split(/[\s,]+/));
  if (wanted !== undefined && !offered.has(wanted.toUpperCase())) {
    throw refused(`SASL mechanism ${wanted} not supported by server`);
  }
  const only = wanted === undefined ? options.mechanisms : [wanted];
  const named = only?.map((name) => name.toUpperCase());
  const usable = (mechanism: Mechanism) => secure || (mechanism.layer && options.layer !== undefined);
  const found = mechanisms.filter(
    (mechanism) =>
      offered.has(mechanism.name) &&
      (named === undefined ? !mechanism.byName : named.includes(mechanism.name)) &&
      usable(mechanism),
  );
  if (found.length > 0) return found;
  const ours = mechanisms.filter(usable).map(({ name }) => name);
  const where = secure ? "" : " on a transport that does not encrypt";
  throw authFailed(
    `no SASL mechanism in common: the server offers ${mechlist.slice(0, 200) || "none"}, ` +
      `${named === undefined ? "" : `${named.join(",")} may be used, `}we know ${ours.join(",") || "none"}${where}`,
  );
}

function refused(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_REMOTE, detail);
}
