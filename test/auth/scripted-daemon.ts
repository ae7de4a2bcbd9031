import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { SecurityLayerTransport } from "../../src/auth/security-layer.ts";
import { type AuthSaslStepRet, remoteDescription } from "../../src/generated/remote/index.ts";
import { type AnyHandler, Dispatcher, Peer } from "../../src/rpc/index.ts";
import { type PeerIdentity, pair, type Transport } from "../../src/transport/index.ts";

export type SaslRet = AuthSaslStepRet;

/** What a daemon says in AUTH_SASL_START and AUTH_SASL_STEP. */
export function says(data: string | Uint8Array | null, complete = false): SaslRet {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : (data ?? new Uint8Array(0));
  return { complete: complete ? 1 : 0, nil: data === null ? 1 : 0, data: bytes };
}

export function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** The other end of a transport, which claims to be something else. */
export function disguised(transport: Transport, peer: Partial<PeerIdentity>): Transport {
  return {
    peer: { ...transport.peer, ...peer },
    start: (sink) => transport.start(sink),
    pause: () => transport.pause(),
    resume: () => transport.resume(),
    write: (parts) => transport.write(parts),
    drained: () => transport.drained(),
    close: (reason) => transport.close(reason),
  };
}

export interface Connected {
  readonly client: Peer;
  readonly daemon: Peer;
  /** Under each. */
  readonly layer: SecurityLayerTransport;
  readonly daemonLayer: SecurityLayerTransport;
}

/** A client, and a daemon that answers with `handlers` and nothing else. */
export function connectedPair(handlers: Record<string, AnyHandler<undefined>>, secure = true): Connected {
  const [a, b] = pair();
  const layer = new SecurityLayerTransport(disguised(a, { secure }));
  const daemonLayer = new SecurityLayerTransport(b);
  const dispatcher = new Dispatcher([{ description: remoteDescription, handlers }]);
  const client = new Peer(layer);
  const answer = (
    ...[header, payload]: Parameters<NonNullable<ConstructorParameters<typeof Peer>[1]>["answer"] & {}>
  ) => dispatcher.answer(header, payload, () => undefined);
  return { client, daemon: new Peer(daemonLayer, { answer }), layer, daemonLayer };
}

/** SCRAM's server, written down from RFC 5802 with another library than ours. */
export class ScramServer {
  readonly #hash: string;
  readonly #password: string;
  readonly #iterations: number;
  #clientFirst = "";
  #serverFirst = "";

  constructor(hash: "sha1" | "sha256" | "sha512", password: string, iterations = 4096) {
    this.#hash = hash;
    this.#password = password;
    this.#iterations = iterations;
  }

  first(message: string): string {
    this.#clientFirst = message.replace(/^n,(a=[^,]*)?,/, "");
    const nonce = /r=(.*)/.exec(message)?.[1] ?? "";
    this.#serverFirst = `r=${nonce}srv,s=${Buffer.from("salt").toString("base64")},i=${this.#iterations}`;
    return this.#serverFirst;
  }

  /** The verdict, or undefined where the proof is wrong. */
  final(message: string): string | undefined {
    const [, bare = "", proof = ""] = /^(.*),p=(.*)$/.exec(message) ?? [];
    const mac = (key: Buffer, text: string) => createHmac(this.#hash, key).update(text).digest();
    const length = { sha1: 20, sha256: 32, sha512: 64 }[this.#hash] ?? 0;
    const salted = pbkdf2Sync(this.#password, "salt", this.#iterations, length, this.#hash);
    const clientKey = mac(salted, "Client Key");
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const all = `${this.#clientFirst},${this.#serverFirst},${bare}`;
    const signature = mac(storedKey, all);
    const expected = clientKey.map((byte, i) => byte ^ (signature[i] as number));
    if (Buffer.from(expected).toString("base64") !== proof) return undefined;
    return `v=${mac(mac(salted, "Server Key"), all).toString("base64")}`;
  }
}

/** DIGEST-MD5's proofs, written down from RFC 2831 another way than ours. */
export function digestProofs(
  fields: Record<string, string>,
  password: string,
): { response: string; rspauth: string; ha1: Buffer } {
  const h = (data: string | Buffer) => createHash("md5").update(data).digest();
  const { username = "", realm = "", nonce = "", cnonce = "", nc = "", qop = "", authzid } = fields;
  const uri = fields["digest-uri"] ?? "";
  const tail = `:${nonce}:${cnonce}${authzid === undefined ? "" : `:${authzid}`}`;
  const ha1 = h(Buffer.concat([h(`${username}:${realm}:${password}`), Buffer.from(tail)]));
  const end = qop === "auth" ? "" : ":00000000000000000000000000000000";
  const of = (a2: string) =>
    h([ha1.toString("hex"), nonce, nc, cnonce, qop, h(a2).toString("hex")].join(":")).toString("hex");
  return { response: of(`AUTHENTICATE:${uri}${end}`), rspauth: of(`:${uri}${end}`), ha1 };
}

/** The fields of a message without commas in its values. */
export function fieldsOf(message: string): Record<string, string> {
  return Object.fromEntries(
    message.split(",").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at), part.slice(at + 1).replace(/^"|"$/g, "")];
    }),
  );
}
