import { authFailed, type SaslStep } from "./mechanism.ts";
import type { SaslServer, SaslServerContext } from "./sasl-server.ts";
import { isPassword } from "./scram-server.ts";
import { fromUtf8 } from "./text.ts";

/** Nothing more to say. */
const done: SaslStep = { data: null, complete: true };

/** Checks a password that the client shows: for encrypted transports only. RFC 4616. */
export class PlainServer implements SaslServer {
  readonly layer = undefined;
  user: string | undefined;
  readonly #context: SaslServerContext;

  constructor(context: SaslServerContext) {
    this.#context = context;
  }

  async step(message: Uint8Array | null): Promise<SaslStep> {
    const fields = (message === null ? undefined : fromUtf8(message))?.split("\0");
    const [authzid, user, password] = fields ?? [];
    if (fields?.length !== 3 || !user || password === undefined) throw authFailed("PLAIN: the message is malformed");
    this.user = user;
    if (authzid !== "" && authzid !== user) throw authFailed("PLAIN: the client wants to act as another");
    const { users, signal } = this.#context;
    if (!(await isPassword(users, user, password, signal))) throw authFailed("no such user, or the password is wrong");
    return done;
  }
}

/** Takes the TLS certificate for the login: RFC 4422 appendix A. */
export class ExternalServer implements SaslServer {
  readonly layer = undefined;
  readonly user: string | undefined;

  constructor({ external }: SaslServerContext) {
    this.user = external;
  }

  async step(message: Uint8Array | null): Promise<SaslStep> {
    const authzid = message === null ? "" : fromUtf8(message);
    if (this.user === undefined) throw authFailed("EXTERNAL: the transport has not proved who it is");
    if (authzid !== "" && authzid !== this.user) throw authFailed("EXTERNAL: the client wants to act as another");
    return done;
  }
}

/** Lets everyone in: RFC 4505. What the client says about itself means nothing. */
export class AnonymousServer implements SaslServer {
  readonly layer = undefined;
  readonly user = "anonymous";

  async step(): Promise<SaslStep> {
    return done;
  }
}
