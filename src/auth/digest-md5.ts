import { DIGEST_MAXBUF, type DigestCipher, DigestLayer, digestCiphers } from "./digest-layer.ts";
import { hexOf, md5 } from "./md5.ts";
import { authFailed, type SaslClient, type SaslContext, type SaslStep } from "./mechanism.ts";
import type { SecurityLayer } from "./security-layer.ts";
import { fromUtf8, randomNonce, sameBytes, utf8 } from "./text.ts";

export type DigestQop = "auth" | "auth-int" | "auth-conf";

/** What a server says first. */
export interface DigestChallenge {
  readonly realms: readonly string[];
  readonly nonce: string;
  readonly qops: readonly string[];
  readonly ciphers: readonly string[];
  /** Bytes in the longest token that the server takes. */
  readonly maxbuf: number;
  /** Whether names travel as UTF-8; otherwise as ISO 8859-1. */
  readonly utf8: boolean;
}

/**
 * DIGEST-MD5: proves the password without showing it, has the server prove it too, and can protect the connection
 * afterwards. Obsolete (RFC 6331), but the only mechanism with a password that libvirtd lets in over plain TCP.
 * @source RFC 2831; plugins/digestmd5.c of Cyrus SASL
 */
export class DigestMd5Client implements SaslClient {
  layer: SecurityLayer | undefined;
  readonly #context: SaslContext;
  readonly #cnonce: string;
  #rspauth: string | undefined;
  #next: "challenge" | "rspauth" | "none" = "challenge";

  constructor(context: SaslContext) {
    this.#context = context;
    this.#cnonce = context.nonce ?? randomNonce();
  }

  async start(): Promise<SaslStep> {
    return { data: null, complete: false };
  }

  async step(message: Uint8Array | null): Promise<SaslStep> {
    const next = this.#next;
    this.#next = next === "challenge" ? "rspauth" : "none";
    if (next === "none") throw authFailed("DIGEST-MD5: the server goes on after its last message");
    const text = message === null ? "" : (fromUtf8(message) ?? fromLatin1(message));
    return next === "challenge" ? this.#respond(parseChallenge(text)) : this.#verify(text);
  }

  async #respond(challenge: DigestChallenge): Promise<SaslStep> {
    const { credentials, service, host, minSsf, maxSsf } = this.#context;
    const { qop, cipher } = chooseProtection(challenge, minSsf, maxSsf);
    const { username: authzid, authname, password, realm: chosen } = await credentials.login(challenge.realms);
    // Where the server names no realm, Cyrus SASL takes its name.
    const realm = challenge.realms.length === 0 ? host : chosen;
    const digest = digestResponse({
      authname,
      realm,
      password,
      authzid,
      nonce: challenge.nonce,
      cnonce: this.#cnonce,
      qop,
      uri: `${service}/${host}`,
    });
    this.#rspauth = digest.rspauth;
    const fields = [
      challenge.utf8 && "charset=utf-8",
      `username=${quoted(authname)}`,
      `realm=${quoted(realm)}`,
      authzid !== "" && `authzid=${quoted(authzid)}`,
      `nonce=${quoted(challenge.nonce)}`,
      `cnonce=${quoted(this.#cnonce)}`,
      "nc=00000001",
      `qop=${qop}`,
      cipher !== undefined && `cipher=${cipher}`,
      qop !== "auth" && `maxbuf=${DIGEST_MAXBUF}`,
      `digest-uri=${quoted(`${service}/${host}`)}`,
      `response=${digest.response}`,
    ];
    if (qop !== "auth") this.layer = new DigestLayer(digest.ha1, cipher, "client", challenge.maxbuf);
    const response = fields.filter((field) => field !== false).join(",");
    const data = challenge.utf8 ? utf8(response) : latin1(response);
    if (data === undefined) throw authFailed("DIGEST-MD5: the server does not take names beyond ISO 8859-1");
    return { data, complete: false };
  }

  #verify(text: string): SaslStep {
    const given = parseDirectives(text).get("rspauth")?.[0] ?? "";
    if (this.#rspauth === undefined || !sameBytes(utf8(given), utf8(this.#rspauth))) {
      throw authFailed("DIGEST-MD5: the server does not prove that it knows the password");
    }
    return { data: null, complete: true };
  }
}

export interface DigestInput {
  readonly authname: string;
  readonly realm: string;
  readonly password: string;
  /** Empty where nobody else is meant. */
  readonly authzid: string;
  readonly nonce: string;
  readonly cnonce: string;
  readonly qop: DigestQop;
  /** `service/host` */
  readonly uri: string;
}

/** What the client proves, what the server has to, and H(A1), which keys come from. */
export function digestResponse(input: DigestInput): { response: string; rspauth: string; ha1: Uint8Array } {
  const { authname, realm, password, authzid, nonce, cnonce, qop, uri } = input;
  const secret = md5(narrow(authname), ":", narrow(realm), ":", narrow(password));
  const ha1 = md5(secret, utf8(`:${nonce}:${cnonce}${authzid === "" ? "" : `:${authzid}`}`));
  const noBody = qop === "auth" ? "" : `:${"0".repeat(32)}`;
  const proof = (method: string) => {
    const ha2 = hexOf(md5(utf8(`${method}:${uri}${noBody}`)));
    return hexOf(md5(utf8(`${hexOf(ha1)}:${nonce}:00000001:${cnonce}:${qop}:${ha2}`)));
  };
  return { response: proof("AUTHENTICATE"), rspauth: proof(""), ha1 };
}

function chooseProtection(
  { qops, ciphers }: DigestChallenge,
  minSsf: number,
  maxSsf: number,
): { readonly qop: DigestQop; readonly cipher?: DigestCipher } {
  if (qops.includes("auth-conf")) {
    for (const [name, { ssf }] of Object.entries(digestCiphers)) {
      if (ssf >= minSsf && ssf <= maxSsf && ciphers.includes(name)) {
        return { qop: "auth-conf", cipher: name as DigestCipher };
      }
    }
  }
  if (minSsf <= 1 && maxSsf >= 1 && qops.includes("auth-int")) return { qop: "auth-int" };
  if (minSsf === 0 && qops.includes("auth")) return { qop: "auth" };
  throw authFailed(`DIGEST-MD5: the server offers no protection of ${minSsf} to ${maxSsf} bits`);
}

/** @throws {VirtError} VIR_ERR_AUTH_FAILED where RFC 2831 has the client give up */
function parseChallenge(text: string): DigestChallenge {
  const directives = parseDirectives(text);
  const once = (name: string): string | undefined => {
    const [value, ...more] = directives.get(name) ?? [];
    if (more.length > 0) throw authFailed(`DIGEST-MD5: the server says ${name} twice`);
    return value;
  };
  const list = (name: string) =>
    once(name)
      ?.toLowerCase()
      .split(/[\s,]+/);
  const nonce = once("nonce");
  if (!nonce) throw authFailed("DIGEST-MD5: the server's challenge has no nonce");
  if (once("algorithm")?.toLowerCase() !== "md5-sess") throw authFailed("DIGEST-MD5: the algorithm is not md5-sess");
  const charset = once("charset")?.toLowerCase();
  if (charset !== undefined && charset !== "utf-8") throw authFailed("DIGEST-MD5: the charset is not utf-8");
  const maxbufText = once("maxbuf") ?? "65536";
  const maxbuf = /^\d{1,9}$/.test(maxbufText) ? Number(maxbufText) : 0;
  if (maxbuf <= 32 || maxbuf > 0xffffff) throw authFailed("DIGEST-MD5: the server's maxbuf is too small or too large");
  const realms = directives.get("realm") ?? [];
  return {
    realms,
    nonce,
    qops: list("qop") ?? ["auth"],
    ciphers: list("cipher") ?? [],
    maxbuf,
    utf8: charset !== undefined,
  };
}

/** `name=value, name="quoted value"`: each name in lower case, with its values in order. */
export function parseDirectives(text: string): Map<string, string[]> {
  const all = new Map<string, string[]>();
  const directive = /[\s,]*(?:([^\s,="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?=,|$)|$)/sy;
  while (directive.lastIndex < text.length) {
    const match = directive.exec(text);
    if (match === null) throw authFailed("DIGEST-MD5: the other side's message is malformed");
    const [, name, quotedValue, token] = match;
    if (name === undefined) break;
    const value = quotedValue?.replace(/\\(.)/gs, "$1") ?? token ?? "";
    const key = name.toLowerCase();
    const values = all.get(key);
    if (values === undefined) all.set(key, [value]);
    else values.push(value);
  }
  return all;
}

export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** A name or password as it is hashed: in ISO 8859-1 where that can be. */
function narrow(text: string): Uint8Array {
  return latin1(text) ?? utf8(text);
}

/** Undefined where the text has characters beyond ISO 8859-1. */
function latin1(text: string): Uint8Array | undefined {
  const codes = Array.from(text, (char) => char.codePointAt(0) ?? 0);
  return codes.every((code) => code <= 0xff) ? Uint8Array.from(codes) : undefined;
}

export function fromLatin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
