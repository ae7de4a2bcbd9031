import { authFailed, type SaslClient, type SaslContext, type SaslStep } from "./mechanism.ts";
import { utf8 } from "./text.ts";

/** A mechanism that says one thing, and hears nothing but the verdict. */
export class OneMessageClient implements SaslClient {
  readonly layer = undefined;
  readonly #message: () => Promise<string>;

  constructor(message: () => Promise<string>) {
    this.#message = message;
  }

  async start(): Promise<SaslStep> {
    return { data: utf8(await this.#message()), complete: true };
  }

  async step(): Promise<SaslStep> {
    throw authFailed("the server goes on after the mechanism's only message");
  }
}

/** Shows the server name and password: for encrypted transports only. RFC 4616. */
export function plain({ credentials }: SaslContext): SaslClient {
  return new OneMessageClient(async () => {
    const { username, authname, password } = await credentials.login();
    const fields = [username, authname, password];
    if (authname === "" || fields.some((field) => field.includes("\0"))) {
      throw authFailed("PLAIN: the name is empty, or there is a NUL in it or in the password");
    }
    return fields.join("\0");
  });
}

/** The transport has proved who this is: RFC 4422 appendix A. libvirtd offers it nowhere; a gateway in front may. */
export function external({ credentials }: SaslContext): SaslClient {
  return new OneMessageClient(() => credentials.username());
}

/** Says nothing about who this is: RFC 4505. */
export function anonymous(): SaslClient {
  return new OneMessageClient(async () => "anonymous");
}
