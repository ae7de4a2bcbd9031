import { authFailed, authUnavailable, type SaslClient, type SaslContext, type SaslStep } from "./mechanism.ts";
import { base64, fromBase64, fromUtf8, randomNonce, sameBytes, utf8 } from "./text.ts";

export type ScramHash = "SHA-1" | "SHA-256" | "SHA-512";

/** What the password is worth less than, RFC 7677 section 4; Cyrus SASL refuses fewer too. */
const MIN_ITERATIONS = 4096;
/** Some seconds of work. A server that wants more is after our processor. */
const MAX_ITERATIONS = 10_000_000;

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * SCRAM without channel binding. Proves the password without showing it, and that the server knows it too.
 *
 * Names and passwords go in as they are, without SASLprep: Cyrus SASL, which every libvirtd uses, prepares none when it
 * stores them, and a prepared one would not match. What differs is text outside ASCII that is not in composed form.
 * @source RFC 5802, RFC 7677; plugins/scram.c of Cyrus SASL
 */
export class ScramClient implements SaslClient {
  readonly layer = undefined;
  readonly #hash: ScramHash;
  readonly #context: SaslContext;
  readonly #nonce: string;
  #password = "";
  #header = "";
  #clientFirst = "";
  #serverSignature: Bytes | undefined;
  #next: "first" | "final" | "none" = "first";

  constructor(hash: ScramHash, context: SaslContext) {
    this.#hash = hash;
    this.#context = context;
    this.#nonce = context.nonce ?? randomNonce();
  }

  async start(): Promise<SaslStep> {
    const { username, authname, password } = await this.#context.credentials.login();
    this.#password = password;
    this.#header = `n,${username === "" ? "" : `a=${saslName(username)}`},`;
    this.#clientFirst = `n=${saslName(authname)},r=${this.#nonce}`;
    return { data: utf8(this.#header + this.#clientFirst), complete: false };
  }

  async step(challenge: Uint8Array | null): Promise<SaslStep> {
    const text = challenge === null ? undefined : fromUtf8(challenge);
    if (text === undefined) throw authFailed("SCRAM: the server's message is missing or not text");
    const next = this.#next;
    this.#next = next === "first" ? "final" : "none";
    if (next === "none") throw authFailed("SCRAM: the server goes on after its last message");
    return next === "first" ? this.#final(text) : this.#verify(text);
  }

  async #final(serverFirst: string): Promise<SaslStep> {
    const { nonce, salt, iterations } = parseServerFirst(serverFirst);
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) {
      throw authFailed("SCRAM: the server's nonce does not continue ours");
    }
    const withoutProof = `c=${base64(utf8(this.#header))},r=${nonce}`;
    const message = utf8(`${this.#clientFirst},${serverFirst},${withoutProof}`);
    const keys = await scramKeys(this.#hash, this.#password, salt, iterations);
    this.#password = "";
    const signature = await hmac(this.#hash, keys.storedKey, message);
    this.#serverSignature = await hmac(this.#hash, keys.serverKey, message);
    const proof = keys.clientKey.map((byte, i) => byte ^ (signature[i] as number));
    return { data: utf8(`${withoutProof},p=${base64(proof)}`), complete: false };
  }

  #verify(serverFinal: string): SaslStep {
    const [verdict = ""] = serverFinal.split(",", 1);
    if (verdict.startsWith("e=")) throw authFailed(`SCRAM: the server says ${verdict.slice(2, 100)}`);
    const given = verdict.startsWith("v=") ? fromBase64(verdict.slice(2)) : undefined;
    const expected = this.#serverSignature;
    if (given === undefined || expected === undefined || !sameBytes(given, expected)) {
      throw authFailed("SCRAM: the server does not prove that it knows the password");
    }
    return { data: null, complete: true };
  }
}

/** What a server stores of a password, and the client's own key. */
export async function scramKeys(
  hash: ScramHash,
  password: string,
  salt: Bytes,
  iterations: number,
): Promise<{ readonly clientKey: Bytes; readonly storedKey: Bytes; readonly serverKey: Bytes }> {
  const { subtle } = webCrypto();
  const bits = { "SHA-1": 160, "SHA-256": 256, "SHA-512": 512 }[hash];
  const key = await subtle.importKey("raw", utf8(password), "PBKDF2", false, ["deriveBits"]);
  // The threads of Node's pool do this, not the one that the program runs on.
  const salted = new Uint8Array(await subtle.deriveBits({ name: "PBKDF2", hash, salt, iterations }, key, bits));
  const clientKey = await hmac(hash, salted, utf8("Client Key"));
  const serverKey = await hmac(hash, salted, utf8("Server Key"));
  return { clientKey, storedKey: await hashOf(hash, clientKey), serverKey };
}

/** `r=nonce,s=salt,i=count`, and extensions that mean nothing to us. */
function parseServerFirst(text: string): { nonce: string; salt: Bytes; iterations: number } {
  if (text.startsWith("m=")) throw authFailed("SCRAM: the server wants an extension that does not exist here");
  const [, nonce, saltText, count] = /^r=([\x21-\x2b\x2d-\x7e]+),s=([^,]+),i=(\d{1,15})(?:,|$)/.exec(text) ?? [];
  const salt = saltText === undefined ? undefined : fromBase64(saltText);
  if (nonce === undefined || salt === undefined) throw authFailed("SCRAM: the server's first message is malformed");
  const iterations = Number(count);
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw authFailed(`SCRAM: ${iterations} iterations are outside ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`);
  }
  return { nonce, salt, iterations };
}

/** A name in a message: commas and equals signs separate its parts. */
function saslName(name: string): string {
  if (name === "" || name.includes("\0")) throw authFailed("SCRAM: the name is empty or has a NUL in it");
  return name.replaceAll("=", "=3D").replaceAll(",", "=2C");
}

/** HMAC with a hash of SCRAM's. */
export async function hmac(hash: ScramHash, key: Bytes, message: Bytes): Promise<Bytes> {
  const { subtle } = webCrypto();
  const imported = await subtle.importKey("raw", key, { name: "HMAC", hash }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", imported, message));
}

/** A hash of SCRAM's. */
export async function hashOf(hash: ScramHash, bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await webCrypto().subtle.digest(hash, bytes));
}

function webCrypto(): typeof crypto {
  // Browsers offer it to pages that came over https alone.
  if (globalThis.crypto?.subtle === undefined) throw authUnavailable("SCRAM needs the platform's Web Crypto");
  return globalThis.crypto;
}
