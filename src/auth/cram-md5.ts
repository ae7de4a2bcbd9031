import { hexOf, hmacMd5 } from "./md5.ts";
import { authFailed, type SaslClient, type SaslContext, type SaslStep } from "./mechanism.ts";
import { utf8 } from "./text.ts";

/** Proves the password without showing it, and nothing else: the server proves nothing. RFC 2195. */
export class CramMd5Client implements SaslClient {
  readonly layer = undefined;
  readonly #context: SaslContext;
  #done = false;

  constructor(context: SaslContext) {
    this.#context = context;
  }

  async start(): Promise<SaslStep> {
    return { data: null, complete: false };
  }

  async step(challenge: Uint8Array | null): Promise<SaslStep> {
    if (this.#done || challenge === null) throw authFailed("CRAM-MD5: the server says nothing, or too much");
    this.#done = true;
    const { authname, password } = await this.#context.credentials.login();
    return { data: utf8(`${authname} ${hexOf(hmacMd5(utf8(password), challenge))}`), complete: true };
  }
}
