import { createCipheriv, createDecipheriv } from "node:crypto";
import { TransportError } from "../transport/index.ts";
import { hmacMd5, md5 } from "./md5.ts";
import { authUnavailable } from "./mechanism.ts";
import { Rc4 } from "./rc4.ts";
import type { SecurityLayer } from "./security-layer.ts";
import { sameBytes, utf8 } from "./text.ts";

export type DigestCipher = "rc4" | "3des" | "rc4-56" | "des" | "rc4-40";

/** Strongest first, as Cyrus SASL counts bits. All are weak by today's measure. `keyBytes` of H(A1) make the keys. */
export const digestCiphers = {
  rc4: { ssf: 128, keyBytes: 16, block: false },
  "3des": { ssf: 112, keyBytes: 16, block: true },
  "rc4-56": { ssf: 56, keyBytes: 7, block: false },
  des: { ssf: 55, keyBytes: 16, block: true },
  "rc4-40": { ssf: 40, keyBytes: 5, block: false },
} as const satisfies Record<DigestCipher, { ssf: number; keyBytes: number; block: boolean }>;

/** The longest token that we take, and say so. libvirt's number. */
export const DIGEST_MAXBUF = 65_536;
/** MAC, padding, type and number of a token. Cyrus SASL leaves out as much. */
const OVERHEAD = 25;
const MAC = 10;
const TYPE_AND_NUMBER = 6;
const BLOCK = 8;

/** Encrypts or decrypts whole blocks in place, or not: what comes back is the result. */
type Crypt = (bytes: Uint8Array) => Uint8Array;

interface Direction {
  readonly macKey: Uint8Array;
  readonly crypt: Crypt;
  /** Of the next token. */
  number: number;
}

/**
 * DIGEST-MD5's protection of the connection: qop auth-int, or auth-conf with a cipher. Keys, numbers and the ciphers'
 * state belong to one direction and go on from token to token.
 * @source RFC 2831 sections 2.3 and 2.4
 */
export class DigestLayer implements SecurityLayer {
  readonly ssf: number;
  readonly maxPlain: number;
  readonly maxToken = DIGEST_MAXBUF;
  readonly #block: boolean;
  readonly #out: Direction;
  readonly #in: Direction;

  /**
   * @param ha1 H(A1) of the login
   * @param cipher undefined for auth-int
   * @param role which side this is
   * @param maxbuf bytes in the longest token that the other side takes
   */
  constructor(ha1: Uint8Array, cipher: DigestCipher | undefined, role: "client" | "server", maxbuf: number) {
    this.ssf = cipher === undefined ? 1 : digestCiphers[cipher].ssf;
    this.maxPlain = maxbuf - OVERHEAD;
    this.#block = cipher !== undefined && digestCiphers[cipher].block;
    const toServer = direction(ha1, cipher, "client-to-server", role === "client");
    const toClient = direction(ha1, cipher, "server-to-client", role === "server");
    [this.#out, this.#in] = role === "client" ? [toServer, toClient] : [toClient, toServer];
  }

  encode(plain: Uint8Array): Uint8Array {
    const { macKey, crypt } = this.#out;
    const tail = this.#tail(this.#out);
    const padding = this.#block ? BLOCK - ((plain.byteLength + MAC) % BLOCK) : 0;
    const sealed = new Uint8Array(plain.byteLength + padding + MAC);
    sealed.set(plain);
    sealed.fill(padding, plain.byteLength, plain.byteLength + padding);
    sealed.set(mac(macKey, tail, plain), plain.byteLength + padding);
    const token = new Uint8Array(sealed.byteLength + TYPE_AND_NUMBER);
    token.set(crypt(sealed));
    token.set(tail, sealed.byteLength);
    return token;
  }

  decode(token: Uint8Array): Uint8Array {
    const { macKey, crypt } = this.#in;
    const tail = this.#tail(this.#in);
    const length = token.byteLength - TYPE_AND_NUMBER;
    if (length < MAC || (this.#block && length % BLOCK !== 0) || !sameBytes(token.subarray(length), tail)) broken();
    const opened = crypt(token.subarray(0, length));
    const end = length - MAC;
    const padding = this.#block ? (opened[end - 1] as number) : 0;
    const plain = opened.subarray(0, Math.max(0, end - padding));
    // Padding that cannot be is as wrong as a MAC, and is answered alike.
    const padded = !this.#block || (padding >= 1 && padding <= BLOCK && padding <= end);
    if (!sameBytes(opened.subarray(end), mac(macKey, tail, plain)) || !padded) broken();
    return plain;
  }

  /** Type and number of the next token, which every token ends with. */
  #tail(direction: Direction): Uint8Array {
    const tail = new Uint8Array(TYPE_AND_NUMBER);
    const view = new DataView(tail.buffer);
    view.setUint16(0, 1);
    view.setUint32(2, direction.number);
    direction.number = (direction.number + 1) >>> 0;
    return tail;
  }
}

function broken(): never {
  throw new TransportError("io", "a SASL token that the other side did not make, or not now");
}

function mac(key: Uint8Array, tail: Uint8Array, plain: Uint8Array): Uint8Array {
  return hmacMd5(key, tail.subarray(2), plain).subarray(0, MAC);
}

function direction(ha1: Uint8Array, cipher: DigestCipher | undefined, way: string, encrypts: boolean): Direction {
  const macKey = md5(ha1, utf8(`Digest session key to ${way} signing key magic constant`));
  if (cipher === undefined) return { macKey, crypt: (bytes) => bytes, number: 0 };
  const { keyBytes, block } = digestCiphers[cipher];
  const key = md5(ha1.subarray(0, keyBytes), utf8(`Digest H(A1) to ${way} sealing key magic constant`));
  return { macKey, crypt: block ? desCrypt(key, cipher === "3des", encrypts) : rc4Crypt(key), number: 0 };
}

function rc4Crypt(key: Uint8Array): Crypt {
  const rc4 = new Rc4(key);
  return (bytes) => {
    rc4.apply(bytes);
    return bytes;
  };
}

/** CBC whose chain goes on from token to token. Triple DES with one key three times over is DES. */
function desCrypt(key: Uint8Array, triple: boolean, encrypts: boolean): Crypt {
  const first = desKey(key.subarray(0, 7));
  const second = triple ? desKey(key.subarray(7, 14)) : first;
  const keys = Uint8Array.from([...first, ...second, ...first]);
  const create = encrypts ? createCipheriv : createDecipheriv;
  try {
    const stream = create("des-ede3-cbc", keys, key.subarray(8, 16)).setAutoPadding(false);
    return (bytes) => {
      const { buffer, byteOffset, byteLength } = stream.update(bytes);
      return new Uint8Array(buffer, byteOffset, byteLength);
    };
  } catch (cause) {
    throw authUnavailable("this machine's OpenSSL does not allow DES", { cause });
  }
}

/** 56 bits as DES takes them: seven in each of eight bytes, then a bit of parity, which nobody looks at. */
function desKey(bits: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: 8 }, (_, i) => (((bits[i - 1] ?? 0) << (8 - i)) | ((bits[i] ?? 0) >> i)) & 0xfe);
}
