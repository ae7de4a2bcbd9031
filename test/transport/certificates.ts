/** A certificate authority for tests, whose certificates may be as wrong as a test needs. Nothing but node:crypto. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

const DAY = 86_400_000;

export interface CertificateOptions {
  /** Common name; empty for a name without parts. */
  readonly name: string;
  /** `DNS:host`, `IP:127.0.0.1`. */
  readonly altNames?: readonly string[];
  /** basicConstraints: true for a CA, false for none, undefined for no such extension. */
  readonly ca?: boolean;
  /** Bits of keyUsage, the first the highest: 0x80 digitalSignature, 0x04 keyCertSign, 0x02 cRLSign. */
  readonly keyUsage?: number;
  readonly purposes?: readonly ("server" | "client" | "any" | "code")[];
  /** Whether keyUsage and purposes are critical. */
  readonly critical?: boolean;
  /** Days from now. Default -1 and 30. */
  readonly from?: number;
  readonly to?: number;
}

export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly serial: number;
}

let serials = 1;

export class TestAuthority implements Issued {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
  readonly serial: number;

  constructor(options: Partial<CertificateOptions> = {}, issuer?: TestAuthority) {
    this.name = options.name ?? "test CA";
    const defaults = { name: this.name, ca: true, keyUsage: 0x06, critical: true };
    const issued = issue({ ...defaults, ...options }, issuer);
    this.cert = issued.cert;
    this.key = issued.key;
    this.serial = issued.serial;
  }

  issue(options: CertificateOptions): Issued {
    return issue({ ca: false, ...options }, this);
  }

  /** A list of revoked certificates, good for `to` days. */
  revoke(serials: readonly number[], to = 30): string {
    const revoked = serials.map((serial) => seq(integer(serial), time(-1)));
    const body = seq(
      integer(1),
      ECDSA_SHA256,
      distinguishedName(this.name),
      time(Math.min(-1, to - 1)),
      time(to),
      ...(revoked.length === 0 ? [] : [seq(...revoked)]),
    );
    return signed(body, createPrivateKey(this.key), "X509 CRL");
  }
}

function issue(options: CertificateOptions, issuer: TestAuthority | undefined): Issued {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const serial = serials++;
  const body = seq(
    tagged(0xa0, integer(2)), // version 3
    integer(serial),
    ECDSA_SHA256,
    distinguishedName(issuer?.name ?? options.name),
    seq(time(options.from ?? -1), time(options.to ?? 30)),
    distinguishedName(options.name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, seq(...extensions(options))),
  );
  const cert = signed(body, issuer === undefined ? privateKey : createPrivateKey(issuer.key), "CERTIFICATE");
  return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), serial };
}

function extensions({ ca, keyUsage, purposes, altNames, critical = false }: CertificateOptions): Buffer[] {
  const found: Buffer[] = [];
  if (ca !== undefined) found.push(extension("551d13", true, seq(...(ca ? [tagged(0x01, Buffer.from([0xff]))] : []))));
  if (keyUsage !== undefined) found.push(extension("551d0f", critical, tagged(0x03, Buffer.from([0, keyUsage]))));
  if (purposes !== undefined) {
    const ids = { server: "2b06010505070301", client: "2b06010505070302", any: "551d2500", code: "2b06010505070303" };
    found.push(extension("551d25", critical, seq(...purposes.map((purpose) => oid(ids[purpose])))));
  }
  if (altNames !== undefined) {
    const names = altNames.map((name) => {
      const [kind, value = ""] = name.split(/:(.*)/s);
      if (kind === "DNS") return tagged(0x82, Buffer.from(value));
      const bytes = value.includes(":") ? [...new Array(15).fill(0), 1] : value.split(".").map(Number); // ::1 alone
      return tagged(0x87, Buffer.from(bytes));
    });
    found.push(extension("551d11", false, seq(...names)));
  }
  return found;
}

// ---- DER ----

function tagged(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const seq = (...parts: Uint8Array[]): Buffer => tagged(0x30, ...parts);
const oid = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, "hex"));
const integer = (value: number): Buffer =>
  tagged(0x02, Buffer.from([value >> 8, value & 0xff]).subarray(value < 128 ? 1 : 0));
const ECDSA_SHA256 = seq(oid("2a8648ce3d040302"));

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return seq(oid(id), ...(critical ? [tagged(0x01, Buffer.from([0xff]))] : []), tagged(0x04, value));
}

function distinguishedName(name: string): Buffer {
  return name === "" ? seq() : seq(tagged(0x31, seq(oid("550403"), tagged(0x0c, Buffer.from(name)))));
}

function time(days: number): Buffer {
  const text = new Date(Date.now() + days * DAY).toISOString().replace(/[-:T]|\.\d+/g, ""); // 20260131120000Z
  return tagged(0x17, Buffer.from(text.slice(2)));
}

function signed(body: Buffer, key: KeyObject, label: string): string {
  const signature = sign("sha256", body, key);
  const der = seq(body, ECDSA_SHA256, tagged(0x03, Buffer.from([0]), signature));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
