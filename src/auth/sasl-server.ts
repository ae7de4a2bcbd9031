import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { VirtError, virtError } from "../rpc/index.ts";
import { matchesGlob } from "./glob.ts";
import { authFailed, type SaslStep } from "./mechanism.ts";
import type { SecurityLayer } from "./security-layer.ts";
import { serverMechanisms } from "./server-mechanisms.ts";
import type { UserStore } from "./users.ts";

/** What a server offers, in the order that it prefers. */
export type SaslMechanism =
  | "SCRAM-SHA-512"
  | "SCRAM-SHA-256"
  | "SCRAM-SHA-1"
  | "DIGEST-MD5"
  | "PLAIN"
  | "EXTERNAL"
  | "ANONYMOUS";

/** How clients log in by SASL. */
export interface SaslServerOptions {
  /** Who they may be. Needed by all mechanisms but EXTERNAL and ANONYMOUS. */
  readonly users?: UserStore;
  /**
   * What is offered, where the transport allows it: without encryption only what brings its own, which is DIGEST-MD5.
   * Default: all that `users` can do. EXTERNAL, which takes the TLS certificate for the login, and ANONYMOUS, which
   * lets everyone in, have to be named: a listener that wants certificate and password must not be content with one.
   */
  readonly mechanisms?: readonly SaslMechanism[];
  /** Globs (`*`, `?`) of users who are let in, libvirt's sasl_allowed_username_list. Default everyone in `users`. */
  readonly allowedUsers?: readonly string[];
  /** DIGEST-MD5's realm. Default this machine's name. */
  readonly realm?: string;
  /** Bits that a layer on plain TCP must have. Default 56, libvirt's tcp_min_ssf. */
  readonly minSsf?: number;
  /** Logins that may fail before the connection is closed. Default 5. libvirt never closes it. */
  readonly maxTries?: number;
}

/** The server's side of one mechanism's exchange. Rejects with a VirtError where it fails. */
export interface SaslServer {
  /** @param message null is none at all */
  step(message: Uint8Array | null): Promise<SaslStep>;
  /** Who the client says to be, once it has, whether that is true or not. */
  readonly user: string | undefined;
  /** What protects the connection from now on, once the exchange is complete. */
  readonly layer: SecurityLayer | undefined;
}

/** What a mechanism may know. */
export interface SaslServerContext {
  readonly users: UserStore;
  /** SASL's name of the service: `libvirt`. */
  readonly service: string;
  readonly realm: string;
  /** The least and most bits that the layer may have. */
  readonly minSsf: number;
  readonly maxSsf: number;
  /** Whom the transport has proved the client to be. */
  readonly external: string | undefined;
  readonly signal: AbortSignal;
  /** The server's part of what makes each login different. Default random; for tests with known answers. */
  readonly nonce?: string;
}

/** What the login knows of the connection. */
export interface SaslConnection {
  /** Whether nobody on the way can read along. */
  readonly secure: boolean;
  readonly external: string | undefined;
  readonly realm: string;
  readonly signal: AbortSignal;
}

/** Who has logged in. */
export interface SaslResult {
  readonly user: string;
  readonly mechanism: SaslMechanism;
  readonly layer: SecurityLayer | undefined;
}

export interface SaslAnswer extends SaslStep {
  /** Set with the last step. */
  readonly result?: SaslResult;
}

/** SSF of a layer at most: libvirt's arbitrary big number. */
const MAX_SSF = 100_000;
const MIN_SSF = 56;

/**
 * - `idle`: AUTH_SASL_INIT may come, for the first time or after a failure.
 * - `offered`: the client knows the mechanisms.
 * - `exchange`: a mechanism waits for the client.
 * - `busy`: it is at work.
 * - `done`
 */
type State = "idle" | "offered" | "exchange" | "busy" | "done";

/** One connection's login by SASL, as libvirtd does it: a failure ends the attempt, not the connection. */
export class SaslLogin {
  readonly #options: SaslServerOptions;
  readonly #connection: SaslConnection;
  #state: State = "idle";
  #mechanism: SaslMechanism | undefined;
  #server: SaslServer | undefined;

  constructor(options: SaslServerOptions, connection: SaslConnection) {
    this.#options = options;
    this.#connection = connection;
  }

  /** For logs: what the client chose, and who it said to be. */
  get attempt(): { readonly mechanism: string | undefined; readonly user: string | undefined } {
    return { mechanism: this.#mechanism, user: this.#server?.user };
  }

  /** The mechanisms on offer, comma separated. @throws {VirtError} where there are none, or it is not the time to ask */
  init(): string {
    if (this.#state !== "idle") throw authFailed("AUTH_SASL_INIT while a login is under way");
    const offered = this.#offered();
    if (offered.length === 0) throw authFailed("no mechanism is possible on this transport");
    this.#mechanism = undefined;
    this.#server = undefined;
    this.#state = "offered";
    return offered.join(",");
  }

  /** Begins with the mechanism that the client chose. Rejects where the login fails. */
  async start(name: string, message: Uint8Array | null): Promise<SaslAnswer> {
    return this.#at("offered", async () => {
      const mechanism = this.#offered().find((offered) => offered === name.toUpperCase());
      if (mechanism === undefined) throw authFailed("a mechanism that was not offered");
      this.#mechanism = mechanism;
      const { clientFirst, server } = serverMechanisms[mechanism];
      this.#server = await server(this.#context());
      // A client that has not spoken first is asked to, with nothing.
      if (clientFirst && message === null) return { data: new Uint8Array(0), complete: false };
      return this.#server.step(message);
    });
  }

  /** Goes on with what the client answers. Rejects where the login fails. */
  async step(message: Uint8Array | null): Promise<SaslAnswer> {
    return this.#at("exchange", async (server) => server.step(message));
  }

  async #at(state: State, work: (server: SaslServer) => Promise<SaslStep>): Promise<SaslAnswer> {
    if (this.#state !== state) {
      if (this.#state !== "busy" && this.#state !== "done") this.#state = "idle";
      throw authFailed("an AUTH_SASL procedure out of turn");
    }
    this.#state = "busy";
    try {
      const { data, complete } = await work(this.#server as SaslServer);
      if (!complete) {
        this.#state = "exchange";
        return { data, complete };
      }
      const result = this.#finish();
      this.#state = "done";
      return { data, complete, result };
    } catch (error) {
      this.#state = "idle";
      throw error instanceof VirtError ? error : authFailed("the login could not be done", { cause: error });
    }
  }

  #finish(): SaslResult {
    const { user, layer } = this.#server as SaslServer;
    const { minSsf = MIN_SSF, allowedUsers } = this.#options;
    if (!this.#connection.secure && (layer?.ssf ?? 0) < minSsf) throw authFailed("the layer is not strong enough");
    if (user === undefined) throw authFailed("the mechanism does not say who it was");
    if (allowedUsers !== undefined && !allowedUsers.some((glob) => matchesGlob(glob, user))) {
      throw authFailed("the user is not among those allowed");
    }
    return { user, layer, mechanism: this.#mechanism as SaslMechanism };
  }

  #offered(): readonly SaslMechanism[] {
    const { users, mechanisms } = this.#options;
    const { secure, external } = this.#connection;
    return Object.entries(serverMechanisms)
      .filter(([, { possible, named, layer }]) => {
        if (!(secure || layer)) return false;
        return (mechanisms !== undefined || !named) && possible(users ?? {}, external);
      })
      .map(([name]) => name as SaslMechanism)
      .filter((name) => mechanisms === undefined || mechanisms.includes(name));
  }

  #context(): SaslServerContext {
    const { users = {}, realm, minSsf = MIN_SSF } = this.#options;
    const { secure, external, signal } = this.#connection;
    return {
      users,
      service: "libvirt",
      realm: realm ?? this.#connection.realm,
      minSsf: secure ? 0 : minSsf,
      maxSsf: secure ? 0 : MAX_SSF,
      external,
      signal,
    };
  }
}

/** Checks what an administrator wrote. @throws {TypeError} */
export function checkSaslOptions({ users, mechanisms, minSsf, maxTries }: SaslServerOptions): void {
  for (const name of mechanisms ?? []) {
    const mechanism = Object.hasOwn(serverMechanisms, name) ? serverMechanisms[name] : undefined;
    if (mechanism === undefined) {
      throw new TypeError(`sasl.mechanisms: ${name} is none of ${Object.keys(serverMechanisms).join(", ")}`);
    }
    if (!mechanism.possible(users ?? {}, "somebody")) {
      throw new TypeError(
        `sasl.mechanisms: ${name} needs ${name === "DIGEST-MD5" ? "passwords of" : "keys or passwords of"} sasl.users`,
      );
    }
  }
  if (mechanisms === undefined && users?.scram === undefined && users?.password === undefined) {
    throw new TypeError("sasl.users: needed, unless sasl.mechanisms names EXTERNAL or ANONYMOUS alone");
  }
  if (minSsf !== undefined && !(Number.isInteger(minSsf) && minSsf >= MIN_SSF && minSsf <= MAX_SSF)) {
    throw new TypeError(`sasl.minSsf: ${minSsf} is not a number of bits from ${MIN_SSF}`);
  }
  if (maxTries !== undefined && !(Number.isInteger(maxTries) && maxTries >= 1)) {
    throw new TypeError(`sasl.maxTries: ${maxTries} is not a number from 1`);
  }
}

/** What every client hears of a login that failed, whatever was wrong. */
export function loginFailed(): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_RPC, "authentication failed");
}
