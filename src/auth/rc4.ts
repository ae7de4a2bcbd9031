/**
 * The RC4 stream cipher, which OpenSSL 3 keeps in a provider that Node does not load. It is weak (RFC 7465): it is here
 * because it is what libvirt's own client and daemon agree on with DIGEST-MD5 over plain TCP.
 */
export class Rc4 {
  readonly #state = Uint8Array.from({ length: 256 }, (_, i) => i);
  #i = 0;
  #j = 0;

  constructor(key: Uint8Array) {
    const s = this.#state;
    for (let i = 0, j = 0; i < 256; i++) {
      j = (j + (s[i] as number) + (key[i % key.byteLength] as number)) & 0xff;
      [s[i], s[j]] = [s[j] as number, s[i] as number];
    }
  }

  /** Encrypts or decrypts, in place: the same thing. Goes on where the last call stopped. */
  apply(bytes: Uint8Array): void {
    const s = this.#state;
    let i = this.#i;
    let j = this.#j;
    for (let at = 0; at < bytes.byteLength; at++) {
      i = (i + 1) & 0xff;
      const a = s[i] as number;
      j = (j + a) & 0xff;
      const b = s[j] as number;
      s[i] = b;
      s[j] = a;
      bytes[at] = (bytes[at] as number) ^ (s[(a + b) & 0xff] as number);
    }
    this.#i = i;
    this.#j = j;
  }
}
