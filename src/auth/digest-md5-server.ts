import { DIGEST_MAXBUF, type DigestCipher, DigestLayer, digestCiphers } from "./digest-layer.ts";
import { type DigestQop, digestResponse, fromLatin1, parseDirectives, quoted } from "./digest-md5.ts";
import { authFailed, type SaslStep } from "./mechanism.ts";
import type { SaslServer, SaslServerContext } from "./sasl-server.ts";
import type { SecurityLayer } from "./security-layer.ts";
import { fromUtf8, randomNonce, sameBytes, utf8 } from "./text.ts";

/**
 * DIGEST-MD5, the server's side: for libvirt's clients over plain TCP, which take nothing else that has a password.
 * Without "reauth" and subsequent authentication, which libvirt's clients do not use.
 * @source RFC 2831; plugins/digestmd5.c of Cyrus SASL
 */
export class DigestMd5Server implements SaslServer {
  layer: SecurityLayer | undefined;
  user: string | undefined;
  readonly #context: SaslServerContext;
  readonly #nonce: string;
  readonly #qop: DigestQop;
  readonly #ciphers: readonly DigestCipher[];
  #next: "challenge" | "response" | "none" = "challenge";

  constructor(context: SaslServerContext) {
    this.#context = context;
    this.#nonce = context.nonce ?? randomNonce();
    const { minSsf, maxSsf } = context;
    this.#qop = maxSsf === 0 ? "auth" : "auth-conf";
    this.#ciphers = (Object.keys(digestCiphers) as DigestCipher[]).filter(
      (name) => digestCiphers[name].ssf >= minSsf && digestCiphers[name].ssf <= maxSsf,
    );
  }

  async step(message: Uint8Array | null): Promise<SaslStep> {
    const next = this.#next;
    this.#next = next === "challenge" ? "response" : "none";
    if (next === "challenge") return this.#challenge(message);
    if (next === "none" || message === null) throw authFailed("DIGEST-MD5: the client says nothing, or too much");
    return this.#verify(fromUtf8(message) ?? fromLatin1(message));
  }

  #challenge(message: Uint8Array | null): SaslStep {
    if (message !== null && message.byteLength > 0) throw authFailed("DIGEST-MD5: the client speaks first");
    const fields = [
      `nonce=${quoted(this.#nonce)}`,
      `realm=${quoted(this.#context.realm)}`,
      `qop=${quoted(this.#qop)}`,
      this.#qop === "auth-conf" && `cipher=${quoted(this.#ciphers.join(","))}`,
      `maxbuf=${DIGEST_MAXBUF}`,
      "charset=utf-8",
      "algorithm=md5-sess",
    ];
    return { data: utf8(fields.filter((field) => field !== false).join(",")), complete: false };
  }

  async #verify(text: string): Promise<SaslStep> {
    const directives = parseDirectives(text);
    const once = (name: string): string | undefined => {
      const [value, ...more] = directives.get(name) ?? [];
      if (more.length > 0) throw authFailed(`DIGEST-MD5: the client says ${name} twice`);
      return value;
    };
    const { users, realm, service, signal } = this.#context;
    const authname = once("username");
    const cnonce = once("cnonce");
    const uri = once("digest-uri");
    const response = once("response");
    if (!authname || !cnonce || uri === undefined || response === undefined) {
      throw authFailed("DIGEST-MD5: the client's response lacks something");
    }
    this.user = authname;
    const authzid = once("authzid") ?? "";
    if (authzid !== "" && authzid !== authname) throw authFailed("DIGEST-MD5: the client wants to act as another");
    if (once("nonce") !== this.#nonce || once("nc") !== "00000001") {
      throw authFailed("DIGEST-MD5: the response belongs to another login");
    }
    if ((once("realm") ?? "") !== realm) throw authFailed("DIGEST-MD5: another realm than ours");
    if (!uri.toLowerCase().startsWith(`${service}/`)) throw authFailed("DIGEST-MD5: it is for another service");
    if ((once("qop") ?? "auth") !== this.#qop) throw authFailed("DIGEST-MD5: a protection that was not offered");
    const password = await users.password?.(authname, signal);
    const secret = password ?? randomNonce();
    const input = { authname, realm, password: secret, authzid, nonce: this.#nonce, cnonce, qop: this.#qop, uri };
    const digest = digestResponse(input);
    if (!sameBytes(utf8(response), utf8(digest.response)) || password === undefined) {
      throw authFailed(password === undefined ? "there is no such user" : "the password is wrong");
    }
    if (this.#qop !== "auth") this.layer = this.#layer(digest.ha1, once("cipher"), once("maxbuf"));
    return { data: utf8(`rspauth=${digest.rspauth}`), complete: true };
  }

  #layer(ha1: Uint8Array, name: string | undefined, maxbufText = "65536"): SecurityLayer {
    const cipher = this.#ciphers.find((offered) => offered === name?.toLowerCase());
    if (cipher === undefined) throw authFailed("DIGEST-MD5: a cipher that was not offered");
    const maxbuf = /^\d{1,9}$/.test(maxbufText) ? Number(maxbufText) : 0;
    if (maxbuf <= 32 || maxbuf > 0xffffff)
      throw authFailed("DIGEST-MD5: the client's maxbuf is too small or too large");
    return new DigestLayer(ha1, cipher, "server", maxbuf);
  }
}
