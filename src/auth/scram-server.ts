import { authFailed, type SaslStep } from "./mechanism.ts";
import type { SaslServer, SaslServerContext } from "./sasl-server.ts";
import { hashOf, hmac, type ScramHash, scramKeys } from "./scram.ts";
import { hashesOf } from "./server-mechanisms.ts";
import { base64, fromBase64, fromUtf8, randomNonce, sameBytes, utf8 } from "./text.ts";
import type { ScramRecord, UserStore } from "./users.ts";

/** SCRAM without channel binding, the server's side. Names and passwords as they are, without SASLprep: see the client. */
export class ScramServer implements SaslServer {
  readonly layer = undefined;
  user: string | undefined;
  readonly #hash: ScramHash;
  readonly #context: SaslServerContext;
  #next: "first" | "final" | "none" = "first";
  #header = "";
  #clientFirst = "";
  #serverFirst = "";
  #nonce = "";
  #record: ScramRecord | undefined;
  #known = false;

  constructor(hash: ScramHash, context: SaslServerContext) {
    this.#hash = hash;
    this.#context = context;
  }

  async step(message: Uint8Array | null): Promise<SaslStep> {
    const text = message === null ? undefined : fromUtf8(message);
    if (text === undefined) throw authFailed("SCRAM: the client's message is missing or not text");
    const next = this.#next;
    this.#next = next === "first" ? "final" : "none";
    if (next === "none") throw authFailed("SCRAM: the client goes on after its last message");
    return next === "first" ? this.#first(text) : this.#final(text);
  }

  async #first(text: string): Promise<SaslStep> {
    // y: the client could bind to a TLS channel and believes that we cannot, which is true.
    const [, header, authzid, bare] = /^([ny],(?:a=([^,]+))?,)(.*)$/s.exec(text) ?? [];
    const [, name, nonce] = /^n=([^,]+),r=([\x21-\x2b\x2d-\x7e]{1,512})(?:,|$)/.exec(bare ?? "") ?? [];
    const user = nameOf(name);
    if (header === undefined || bare === undefined || nonce === undefined || user === undefined) {
      throw authFailed("SCRAM: the client's first message is malformed, or wants channel binding");
    }
    this.user = user;
    if (authzid !== undefined && nameOf(authzid) !== user)
      throw authFailed("SCRAM: the client wants to act as another");
    this.#header = header;
    this.#clientFirst = bare;
    this.#nonce = nonce + (this.#context.nonce ?? randomNonce());
    const { users, signal } = this.#context;
    const { record, known } = await scramRecord(users, user, this.#hash, signal);
    this.#record = record;
    this.#known = known;
    this.#serverFirst = `r=${this.#nonce},s=${base64(record.salt)},i=${record.iterations}`;
    return { data: utf8(this.#serverFirst), complete: false };
  }

  async #final(text: string): Promise<SaslStep> {
    const [, withoutProof, binding, nonce, proofText] =
      /^(c=([^,]+),r=([^,]+)(?:,[A-Za-z]=[^,]*)*),p=([^,]+)$/.exec(text) ?? [];
    const proof = fromBase64(proofText ?? "");
    const record = this.#record as ScramRecord;
    if (withoutProof === undefined || proof?.byteLength !== record.storedKey.byteLength) {
      throw authFailed("SCRAM: the client's last message is malformed");
    }
    if (binding !== base64(utf8(this.#header)) || nonce !== this.#nonce) {
      throw authFailed("SCRAM: the client's last message belongs to another login");
    }
    const message = utf8(`${this.#clientFirst},${this.#serverFirst},${withoutProof}`);
    const signature = await hmac(this.#hash, Uint8Array.from(record.storedKey), message);
    const clientKey = proof.map((byte, i) => byte ^ (signature[i] as number));
    const same = sameBytes(await hashOf(this.#hash, clientKey), record.storedKey);
    const verdict = await hmac(this.#hash, Uint8Array.from(record.serverKey), message);
    if (!same || !this.#known) throw authFailed(this.#known ? "the password is wrong" : "there is no such user");
    return { data: utf8(`v=${base64(verdict)}`), complete: true };
  }
}

/** A name in a message: commas and equals signs are escaped in it. */
function nameOf(text: string | undefined): string | undefined {
  if (text === undefined || /=(?!2C|3D)|\0/i.test(text)) return undefined;
  return text.replace(/=2C/gi, ",").replace(/=3D/gi, "=");
}

/** What users who do not exist, and passwords without keys, get their salts from. */
const processSeed = crypto.getRandomValues(new Uint8Array(32));
const SALT_BYTES = 16;

/**
 * The keys of a user, or keys that look like some and fit no password. Which work this takes depends on the store, never
 * on whether there is such a user.
 */
export async function scramRecord(
  users: UserStore,
  user: string,
  hash: ScramHash,
  signal: AbortSignal,
): Promise<{ readonly record: ScramRecord; readonly known: boolean }> {
  const found = await users.scram?.(user, hash, signal);
  const { iterations = 4096, seed = processSeed } = users; // a store of a file knows only now
  const decoy = await hmac("SHA-256", Uint8Array.from(seed), utf8(`${hash}\0${user}`));
  const salt = decoy.slice(0, SALT_BYTES);
  if (users.scram !== undefined) {
    // What nobody knows, as long as keys are.
    const nothing = { storedKey: await hashOf(hash, decoy), serverKey: await hashOf(hash, salt) };
    return { record: found ?? { salt, iterations, ...nothing }, known: found !== undefined };
  }
  const password = await users.password?.(user, signal);
  const keys = await scramKeys(hash, password ?? randomNonce(), salt, iterations);
  return { record: { salt, iterations, ...keys }, known: password !== undefined };
}

/** Whether a password is the user's, in a time that does not tell why not. */
export async function isPassword(
  users: UserStore,
  user: string,
  password: string,
  signal: AbortSignal,
): Promise<boolean> {
  const hash = users.scram === undefined ? "SHA-256" : (hashesOf(users)[0] ?? "SHA-256");
  const { record, known } = await scramRecord(users, user, hash, signal);
  const { storedKey } = await scramKeys(hash, password, Uint8Array.from(record.salt), record.iterations);
  return sameBytes(storedKey, record.storedKey) && known;
}
