import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { TransportErrorCode } from "./errors.ts";

// What libvirt looks at in a certificate besides the chain of signatures, which OpenSSL checks.
// Source of the rules: virNetTLSCertCheck and virNetTLSCertValidate, libvirt src/rpc/virnettlscert.c.

export type Role = "ca" | "server" | "client";

/** What is wrong with a certificate: its field comes first in `detail`. */
export interface CertificateFault {
  readonly code: TransportErrorCode;
  readonly detail: string;
}

/**
 * Whether a certificate is in its time and made for its role. As in libvirt, a key usage or purpose that does not fit
 * counts only where its extension is critical.
 *
 * Left out: keyEncipherment, which libvirt wants besides where the extension is critical, of every certificate up to
 * 11.3.0 and since then of those without an elliptic curve. Only exchanges of keys without forward secrecy use it.
 * @param now milliseconds since 1970
 */
export function certificateFault(cert: X509Certificate, role: Role, now: number): CertificateFault | undefined {
  return timeFault(cert, now) ?? usageFault(cert, role);
}

export function timeFault(cert: X509Certificate, now: number): CertificateFault | undefined {
  if (Date.parse(cert.validTo) < now) {
    return { code: "certificate-expired", detail: `notAfter: it expired on ${cert.validTo}` };
  }
  if (Date.parse(cert.validFrom) > now) {
    return { code: "certificate-not-yet-valid", detail: `notBefore: it is valid from ${cert.validFrom} on` };
  }
  return undefined;
}

const BASIC_CONSTRAINTS = "551d13";
const KEY_USAGE = "551d0f";
const EXTENDED_KEY_USAGE = "551d25";
const SERVER_AUTH = "2b06010505070301";
const CLIENT_AUTH = "2b06010505070302";
const ANY_PURPOSE = "551d2500";
/** Bits of the first byte of keyUsage. */
const DIGITAL_SIGNATURE = 0x80;
const KEY_CERT_SIGN = 0x04;

function usageFault(cert: X509Certificate, role: Role): CertificateFault | undefined {
  const found = extensions(cert.raw);
  const fault = (detail: string): CertificateFault => ({ code: "certificate-usage", detail });

  const constraints = found.get(BASIC_CONSTRAINTS);
  // SEQUENCE { cA BOOLEAN DEFAULT FALSE, … }
  const cA = constraints && children(content(constraints.value, 0x30))[0];
  const isCa = cA?.tag === 0x01 && cA.body[0] !== 0;
  if (role === "ca" && constraints === undefined) return fault("basicConstraints: missing, so it is no CA");
  if (role === "ca" && !isCa) return fault("basicConstraints: it is no CA");
  if (role !== "ca" && isCa) return fault(`basicConstraints: it is a CA, where a ${role}'s is wanted`);

  const usage = found.get(KEY_USAGE);
  if (usage?.critical) {
    const [, bits = 0] = content(usage.value, 0x03); // the first byte counts the unused bits of the last
    if (role === "ca" && (bits & KEY_CERT_SIGN) === 0) return fault("keyUsage: it may not sign certificates");
    if (role !== "ca" && (bits & DIGITAL_SIGNATURE) === 0) return fault("keyUsage: it may not sign");
  }

  const purpose = found.get(EXTENDED_KEY_USAGE);
  if (role !== "ca" && purpose?.critical) {
    const wanted = role === "server" ? SERVER_AUTH : CLIENT_AUTH;
    const other = role === "server" ? CLIENT_AUTH : SERVER_AUTH;
    const ids = children(content(purpose.value, 0x30)).map(({ body }) => hex(body));
    // libvirt takes any purpose it does not know for both roles, and "any" for none.
    if (!ids.some((id) => id === wanted || (id !== other && id !== ANY_PURPOSE))) {
      return fault(`extendedKeyUsage: it is not for a ${role}`);
    }
  }
  return undefined;
}

/**
 * Whether a certificate is for that host, a name or an address: by subjectAltName, and by the subject's common name
 * where that has neither names nor addresses.
 * @source gnutls_x509_crt_check_hostname2, which also takes an address written as a name
 */
export function isForHost(cert: X509Certificate, host: string): boolean {
  const subject = /(^|, )IP Address:/.test(cert.subjectAltName ?? "") ? "never" : "default";
  const options = { subject, partialWildcards: false, multiLabelWildcards: false } as const;
  if (isIP(host) === 0) return cert.checkHost(host, options) !== undefined;
  return cert.checkIP(host) !== undefined || cert.checkHost(host, { ...options, wildcards: false }) !== undefined;
}

/** `CN=host, O=example`. Node has undefined for a name without parts, whatever the declaration says. */
export function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}

// ---- DER, as far as extensions need it ----

interface Element {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** The extensions of a certificate by their identifier in hexadecimal. */
function extensions(certificate: Uint8Array): Map<string, { critical: boolean; value: Uint8Array }> {
  const found = new Map<string, { critical: boolean; value: Uint8Array }>();
  const [toBeSigned] = children(content(certificate, 0x30));
  const tagged = children(toBeSigned?.body ?? new Uint8Array()).find(({ tag }) => tag === 0xa3);
  if (tagged === undefined) return found;
  for (const { body } of children(content(tagged.body, 0x30))) {
    const parts = children(body); // identifier, critical (left out where false), value
    const [identifier, second] = parts;
    const value = parts.at(-1);
    if (identifier === undefined || second === undefined || value === undefined) continue;
    found.set(hex(identifier.body), { critical: second.tag === 0x01 && second.body[0] !== 0, value: value.body });
  }
  return found;
}

/** The body of the one element in `der`; empty where it is of another kind. */
function content(der: Uint8Array, tag: number): Uint8Array {
  const [element] = children(der);
  return element?.tag === tag ? element.body : new Uint8Array();
}

/** The elements in `der`, one after the other; what is cut short is left out. */
function children(der: Uint8Array): Element[] {
  const found: Element[] = [];
  let at = 0;
  while (at + 2 <= der.byteLength) {
    const tag = der[at] as number;
    let length = der[at + 1] as number;
    at += 2;
    if (length >= 0x80) {
      const bytes = length - 0x80;
      if (bytes > 4 || at + bytes > der.byteLength) return found;
      length = 0;
      for (const end = at + bytes; at < end; at++) length = length * 256 + (der[at] as number);
    }
    if (at + length > der.byteLength) return found;
    found.push({ tag, body: der.subarray(at, at + length) });
    at += length;
  }
  return found;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
