import { Buffer } from "node:buffer";
import { VirtError } from "../rpc/index.ts";
import { authFailed, authUnavailable, type SaslClient, type SaslContext, type SaslStep } from "./mechanism.ts";

/** What we use of the npm package `kerberos` 7. Bytes travel as base64. */
export interface Kerberos {
  readonly GSS_MECH_OID_KRB5: number;
  /** @param service `libvirt@host` */
  initializeClient(service: string, options: { readonly mechOID: number }): Promise<KerberosClient>;
}

export interface KerberosClient {
  readonly contextComplete: boolean;
  step(challenge: string): Promise<string>;
  /**
   * Wraps the answer to the server's offer of security layers: that there is to be none, and the user's name. It never
   * wraps what it is given, whatever its documentation says.
   */
  wrap(offer: string, options: { readonly user: string }): Promise<string>;
  unwrap(wrapped: string): Promise<string>;
}

/** The bit of RFC 4752 section 3.1 that offers to go without a security layer. */
const NO_LAYER = 1;
/** The package reads eight bytes of an offer, which has four, and uses its size for the answer, where none belongs. */
const ANY_OFFER = forPackage(new Uint8Array(8));

/**
 * GSSAPI, which is Kerberos V5: RFC 4752. The tickets are the system's; no password is asked for.
 *
 * Without a security layer, so on transports that encrypt: the package cannot wrap the messages of a connection.
 */
export class GssapiClient implements SaslClient {
  readonly layer = undefined;
  readonly #context: SaslContext;
  readonly #kerberos: Kerberos;
  #client: KerberosClient | undefined;
  #done = false;

  constructor(context: SaslContext, kerberos: Kerberos) {
    this.#context = context;
    this.#kerberos = kerberos;
  }

  async start(): Promise<SaslStep> {
    const { service, host } = this.#context;
    const { GSS_MECH_OID_KRB5: mechOID } = this.#kerberos;
    try {
      // Its default flags are what is needed: mutual authentication, tokens in sequence.
      this.#client = await this.#kerberos.initializeClient(`${service}@${host}`, { mechOID });
      return { data: fromPackage(await this.#client.step("")), complete: false };
    } catch (cause) {
      throw authUnavailable(`GSSAPI: ${wordsOf(cause)}`, { cause }); // such as that there is no ticket
    }
  }

  async step(challenge: Uint8Array | null): Promise<SaslStep> {
    const client = this.#client;
    if (client === undefined || this.#done || challenge === null) {
      throw authFailed("GSSAPI: the server says nothing, or too much");
    }
    try {
      if (!client.contextComplete) {
        return { data: fromPackage(await client.step(forPackage(challenge))), complete: false };
      }
      const offer = fromPackage(await client.unwrap(forPackage(challenge)));
      if (offer.byteLength !== 4) throw new Error("the server's offer of security layers is malformed");
      if (((offer[0] as number) & NO_LAYER) === 0) throw new Error("the server insists on a security layer");
      this.#done = true;
      const user = await this.#context.credentials.username();
      return { data: fromPackage(await client.wrap(ANY_OFFER, { user })), complete: true };
    } catch (cause) {
      if (cause instanceof VirtError) throw cause; // the user cancelled
      throw authFailed(`GSSAPI: ${wordsOf(cause)}`, { cause });
    }
  }
}

/** Loads the package `kerberos`, which is not one of our dependencies. */
export async function loadKerberos(): Promise<Kerberos> {
  const name: string = "kerberos"; // not a literal: neither compiler nor bundler has to find it
  let loaded: { readonly default?: Kerberos } & Kerberos;
  try {
    loaded = await import(name);
  } catch (cause) {
    throw authUnavailable("GSSAPI needs the npm package kerberos, which is not installed", { cause });
  }
  return loaded.default ?? loaded;
}

function forPackage(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Where there are no bytes, the package may say nothing at all. */
function fromPackage(text: string | null | undefined): Uint8Array {
  return Uint8Array.from(Buffer.from(text ?? "", "base64"));
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
