import { hostname } from "node:os";
import {
  checkSaslOptions,
  loginFailed,
  SaslLogin,
  type SaslServerOptions,
  type SecurityLayer,
  SecurityLayerTransport,
} from "../auth/server.ts";
import { VirErrorDomain, VirErrorLevel, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type AuthListRet, type AuthSaslStepRet, AuthType } from "../generated/remote/index.ts";
import { AbortError, TimeoutError, VirtError, virtError } from "../rpc/index.ts";
import type { Transport } from "../transport/index.ts";
import { type AuditEvent, type AuditOptions, aboutClient, audit } from "./audit.ts";
import { checkPolkit, type PolkitOptions } from "./polkit.ts";
import type { ClientIdentity, Session } from "./session.ts";
import { unixCredentials } from "./unix-credentials.ts";

/**
 * How clients of a listener log in.
 * - `none`: everybody who can connect is in.
 * - `polkit`: polkit decides, and may ask the user; root needs no leave. On unix sockets only, and for servers that run
 *   as root: polkit tells nobody else about others.
 * - `sasl`: by name and password, or by TLS certificate.
 */
export type AuthPolicy = "none" | "polkit" | { readonly polkit: PolkitOptions } | { readonly sasl: SaslServerOptions };

const POLKIT_MANAGE = "org.libvirt.unix.manage";
const POLKIT_MONITOR = "org.libvirt.unix.monitor";
const MAX_TRIES = 5;
const NOTHING = new Uint8Array(0);

/** Checks what an administrator wrote. @throws {TypeError} */
export function checkAuthPolicy(policy: AuthPolicy): void {
  authKind(policy);
}

/** What is left of it without its settings. @throws {TypeError} */
function authKind(policy: AuthPolicy = "none"): "none" | "polkit" | "sasl" {
  if (policy === "none" || policy === "polkit") return policy;
  if (typeof policy === "object" && policy !== null) {
    if ("polkit" in policy) return "polkit";
    if ("sasl" in policy) {
      checkSaslOptions(policy.sasl);
      return "sasl";
    }
  }
  throw new TypeError(`auth: ${JSON.stringify(policy)} is none of "none", "polkit", { polkit }, { sasl }`);
}

/** Whether clients of a listener are in without having logged in. */
export function needsNoLogin(policy: AuthPolicy | undefined): boolean {
  return policy === undefined || policy === "none";
}

/** The transport to serve a client on: one that SASL can begin to encrypt, where it has to. */
export function loginTransport(transport: Transport, policy: AuthPolicy | undefined): Transport {
  const maySecure = typeof policy === "object" && "sasl" in policy && !transport.peer.secure;
  return maySecure ? new SecurityLayerTransport(transport, true) : transport;
}

/** What a login is made from, by the server. */
export interface LoginOptions {
  /** The client's, as the listener made it. */
  readonly transport: Transport;
  /** What `loginTransport` made of that. */
  readonly served: Transport;
  readonly policy: AuthPolicy | undefined;
  readonly audit: AuditOptions;
}

const logins = new WeakMap<Session, Login>();

/** Gives a new session its login. */
export function beginLogin(session: Session, options: LoginOptions): void {
  logins.set(session, new Login(session, options));
}

/** The login of a session. */
export function loginOf(session: Session): Login {
  const login = logins.get(session);
  if (login === undefined) throw new TypeError("a session without a login");
  return login;
}

/** One connection's way in: what the procedures 66 to 70 of the REMOTE program do. */
export class Login {
  readonly #session: Session;
  readonly #options: LoginOptions;
  readonly #kind: "none" | "polkit" | "sasl";
  #sasl: SaslLogin | undefined;
  #failures = 0;
  #asking = false;
  #asked: Promise<ClientIdentity> | undefined;
  #identified: ClientIdentity | undefined;

  constructor(session: Session, options: LoginOptions) {
    this.#session = session;
    this.#options = options;
    this.#kind = authKind(options.policy);
  }

  /**
   * Who the client is, with all that can be found out: for a unix socket that takes the kernel's word. Never rejects; what
   * cannot be found out is missing.
   */
  identify(): Promise<ClientIdentity> {
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  /** The same, once it has been found out. */
  get identified(): ClientIdentity | undefined {
    return this.#identified;
  }

  async #ask(): Promise<ClientIdentity> {
    const { client } = this.#session;
    if (this.#session.identity.transport === "unix") {
      Object.assign(client, await unixCredentials(this.#options.transport, this.#session.signal).catch(() => ({})));
    }
    this.#identified = client;
    return client;
  }

  /** AUTH_LIST. Where polkit decides, root is let in by it, without polkit. */
  list(): AuthListRet | Promise<AuthListRet> {
    if (this.#session.authenticated) return { types: [AuthType.REMOTE_AUTH_NONE] };
    return this.#kind === "sasl" ? { types: [AuthType.REMOTE_AUTH_SASL] } : this.#unlessRoot();
  }

  async #unlessRoot(): Promise<AuthListRet> {
    const { unixUserId } = await this.identify();
    if (unixUserId !== 0) return { types: [AuthType.REMOTE_AUTH_POLKIT] };
    this.#succeed("none");
    return { types: [AuthType.REMOTE_AUTH_NONE] };
  }

  /** AUTH_POLKIT. */
  async polkit(signal: AbortSignal): Promise<{ readonly complete: number }> {
    if (this.#kind !== "polkit" || this.#session.authenticated || this.#asking) throw wrongProcedure();
    const action = this.#session.readOnly ? POLKIT_MONITOR : POLKIT_MANAGE;
    const { policy } = this.#options;
    const options = typeof policy === "object" && "polkit" in policy ? policy.polkit : {};
    this.#asking = true;
    try {
      await checkPolkit({ action, client: await this.identify(), interactive: true, signal }, options);
    } catch (error) {
      this.#fail("polkit", undefined, error);
      if (!(error instanceof TimeoutError || error instanceof AbortError)) throw error;
      throw virtError(VirErrorNumber.VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_POLKIT, "polkit did not answer");
    } finally {
      this.#asking = false;
    }
    this.#succeed("polkit");
    return { complete: 1 };
  }

  /** AUTH_SASL_INIT. */
  async saslInit(): Promise<{ readonly mechlist: string }> {
    try {
      return { mechlist: this.#saslLogin().init() };
    } catch (error) {
      throw this.#fail("sasl", undefined, error);
    }
  }

  /** AUTH_SASL_START. */
  saslStart(mechanism: string, nil: number, data: Uint8Array): Promise<AuthSaslStepRet> {
    return this.#exchange((sasl) => sasl.start(mechanism, nil === 0 ? data : null));
  }

  /** AUTH_SASL_STEP. */
  saslStep(nil: number, data: Uint8Array): Promise<AuthSaslStepRet> {
    return this.#exchange((sasl) => sasl.step(nil === 0 ? data : null));
  }

  #saslLogin(): SaslLogin {
    const { policy } = this.#options;
    const session = this.#session;
    if (typeof policy !== "object" || !("sasl" in policy) || session.authenticated) throw loginFailed();
    this.#sasl ??= new SaslLogin(policy.sasl, {
      secure: this.#options.transport.peer.secure,
      external: session.client.tlsDistinguishedName,
      realm: hostname(),
      signal: session.signal,
    });
    return this.#sasl;
  }

  async #exchange(step: (sasl: SaslLogin) => ReturnType<SaslLogin["step"]>): Promise<AuthSaslStepRet> {
    try {
      const { data, complete, result } = await step(this.#saslLogin());
      if (result !== undefined) {
        if (result.layer !== undefined) this.#secure(result.layer);
        this.#session.client.saslUserName = result.user;
        this.#succeed(result.mechanism);
      }
      return { complete: complete ? 1 : 0, nil: data === null ? 1 : 0, data: data ?? NOTHING };
    } catch (error) {
      const { mechanism = "sasl", user } = this.#sasl?.attempt ?? {};
      throw this.#fail(mechanism, user, error);
    }
  }

  /** The reply that says so still goes out in the clear, and is the last that does. */
  #secure(layer: SecurityLayer): void {
    const { served } = this.#options;
    if (!(served instanceof SecurityLayerTransport)) throw new TypeError("no transport that takes a security layer");
    served.secureAfterReply(layer);
  }

  #succeed(mechanism: string): void {
    // A client that went before it was in is counted out already.
    if (this.#session.authenticated || this.#session.closed) return;
    this.#session.authenticated = true;
    this.#audit({ type: "login", mechanism, ...aboutClient(this.#session) });
  }

  /** @returns what the client hears, which is the same whatever was wrong with a SASL login */
  #fail(mechanism: string, user: string | undefined, error: unknown): VirtError {
    const reason = wordsOf(error);
    const claimed = user === undefined ? {} : { user: user.slice(0, 256) };
    this.#audit({ type: "login-failed", mechanism, ...claimed, reason, ...aboutClient(this.#session) });
    const { policy } = this.#options;
    const { maxTries = MAX_TRIES } = typeof policy === "object" && "sasl" in policy ? policy.sasl : {};
    if (++this.#failures >= maxTries && !this.#session.authenticated) {
      this.#audit({ type: "disconnect", by: "login", ...aboutClient(this.#session) });
      this.#session.closeAfterReply();
    }
    return loginFailed();
  }

  #audit(event: AuditEvent): void {
    audit(this.#options.audit, event);
  }
}

/** An error and what it came from, in a line. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${wordsOf(error.cause)}`;
}

/** libvirtd's answer to a step of a way to log in that the socket does not offer. */
function wrongProcedure(): VirtError {
  const message = "Library function returned error but did not set virError";
  const { VIR_ERR_INTERNAL_ERROR } = VirErrorNumber;
  const extra = { int1: 0, int2: 0 };
  return new VirtError(
    message,
    VIR_ERR_INTERNAL_ERROR,
    VirErrorDomain.VIR_FROM_RPC,
    VirErrorLevel.VIR_ERR_ERROR,
    extra,
  );
}
