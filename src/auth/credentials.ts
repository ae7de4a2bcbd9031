import { VirConnectCredentialType, VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../rpc/index.ts";
import type {
  AuthOptions,
  CredentialAnswers,
  CredentialCallback,
  CredentialRequest,
  FixedCredentials,
} from "./options.ts";

const { VIR_CRED_USERNAME, VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE, VIR_CRED_REALM } = VirConnectCredentialType;

/** What auth.conf calls the answers. */
const confKeys: Readonly<Record<number, keyof FixedCredentials>> = {
  [VIR_CRED_USERNAME]: "username",
  [VIR_CRED_AUTHNAME]: "authname",
  [VIR_CRED_PASSPHRASE]: "password",
  [VIR_CRED_REALM]: "realm",
};

/** virConnectAuthPtrDefault's, libvirt src/libvirt.c. */
const defaultTypes: readonly number[] = [
  VIR_CRED_AUTHNAME,
  VirConnectCredentialType.VIR_CRED_ECHOPROMPT,
  VIR_CRED_REALM,
  VIR_CRED_PASSPHRASE,
  VirConnectCredentialType.VIR_CRED_NOECHOPROMPT,
  VirConnectCredentialType.VIR_CRED_EXTERNAL,
];

const usernameRequest: CredentialRequest = { type: VIR_CRED_USERNAME, prompt: "Name to act as", defaultResult: "" };
const loginRequests: readonly CredentialRequest[] = [
  usernameRequest,
  { type: VIR_CRED_AUTHNAME, prompt: "Login name" },
  { type: VIR_CRED_PASSPHRASE, prompt: "Password" },
];

export interface Login {
  /** As whom to act; empty: as who logs in. */
  readonly username: string;
  readonly authname: string;
  readonly password: string;
  /** The one chosen, the only one, or empty where there are none. */
  readonly realm: string;
}

/**
 * Finds out what only the user knows: from auth.conf, then from the caller, who gets all open questions at once.
 * @source remoteAuthInteract, libvirt src/remote/remote_driver.c
 */
export class Credentials {
  readonly #options: AuthOptions;
  readonly #signal: AbortSignal;

  /** @param signal says that nobody waits for answers any more */
  constructor(options: AuthOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Names and password, and the realm where the server knows more than one. */
  async login(realms: readonly string[] = []): Promise<Login> {
    const [first = ""] = realms;
    const requests = realms.length > 1 ? [...loginRequests, realmRequest(realms, first)] : loginRequests;
    const [username = "", authname = "", password = "", realm = first] = await this.#collect(requests);
    return { username, authname, password, realm };
  }

  /** As whom to act, where that has to be asked. */
  async username(): Promise<string> {
    return (await this.#collect([usernameRequest]))[0] ?? "";
  }

  /** The answers in the order of the questions. */
  async #collect(requests: readonly CredentialRequest[]): Promise<readonly (string | undefined)[]> {
    const { authConf, host = "localhost", credentials, credentialTypes = defaultTypes } = this.#options;
    const [fixed, callback] = typeof credentials === "function" ? [undefined, credentials] : [credentials, undefined];
    const answers = new Map<CredentialRequest, string | undefined>();
    const open: CredentialRequest[] = [];
    for (const request of requests) {
      const { type, defaultResult } = request;
      const key = confKeys[type] as keyof FixedCredentials;
      // Without a wish to act as somebody else, auth.conf's user names are for other services.
      if (key === "username" && fixed?.username === undefined && !credentialTypes.includes(type)) continue;
      const known = (await authConf?.("libvirt", host, key)) ?? fixed?.[key];
      const askable = callback !== undefined && credentialTypes.includes(type);
      if (known !== undefined || (defaultResult !== undefined && !askable))
        answers.set(request, known ?? defaultResult);
      else open.push(request);
    }
    if (open.length > 0) {
      if (callback === undefined) throw failed("No authentication callback available");
      if (!open.every(({ type }) => credentialTypes.includes(type))) throw failed("Failed to make auth credentials");
      const given = await this.#ask(callback, open);
      for (const [i, request] of open.entries()) {
        const answer = given[i] || (request.defaultResult ?? given[i]);
        if (answer === undefined) throw failed("Failed to collect auth credentials");
        answers.set(request, answer);
      }
    }
    return requests.map((request) => answers.get(request));
  }

  async #ask(
    callback: CredentialCallback,
    open: readonly CredentialRequest[],
  ): Promise<readonly (string | undefined)[]> {
    let given: CredentialAnswers;
    try {
      given = await callback(open, this.#signal);
    } catch (cause) {
      throw failed("Failed to collect auth credentials", { cause });
    }
    if (given !== undefined) return given;
    const detail = "no credentials were given";
    throw virtError(VirErrorNumber.VIR_ERR_AUTH_CANCELLED, VirErrorDomain.VIR_FROM_REMOTE, detail);
  }
}

function realmRequest(realms: readonly string[], first: string): CredentialRequest {
  const challenge = `Choose one of: ${realms.map((realm) => `{${realm}}`).join(", ")}`;
  return { type: VIR_CRED_REALM, prompt: "Realm", challenge, defaultResult: first };
}

function failed(detail: string, options?: ErrorOptions): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_AUTH_FAILED, VirErrorDomain.VIR_FROM_REMOTE, detail, options);
}
