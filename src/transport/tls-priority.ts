import type { SecureContextOptions } from "node:tls";
import { TransportError } from "./errors.ts";

/**
 * GnuTLS' priority strings in OpenSSL's terms, as far as they have some.
 *
 * A keyword (NORMAL, PERFORMANCE, PFS, SECURE128, SECURE192, SECURE256, NONE), then `:` and words with `+` to add and
 * `-` or `!` to take away: versions, ciphers, key exchanges, MACs and groups. Anything else is refused by name, for a
 * word that is passed over may be the one that somebody's safety depends on.
 * Stricter than GnuTLS in one thing: the keywords have TLS 1.2 and 1.3 only, older versions have to be added.
 * @source gnutls_priority_init, and `gnutls-cli --list --priority` of GnuTLS 3.7.9 for what the keywords contain
 */
export function tlsPriority(priority: string): SecureContextOptions {
  const words = priority.split(":").filter((word) => word !== "");
  const [first = ""] = words;
  const start = keywords[first.toUpperCase()];
  const chosen: Chosen = start ? { ...start } : { ...nothing };
  const changes = start ? words.slice(1) : words;
  if (start === undefined && !/^[+!-]/.test(first)) throw unknown(priority, first);
  for (const word of changes) change(chosen, word, priority);
  return secureOptions(chosen, priority);
}

const versions = ["VERS-TLS1.0", "VERS-TLS1.1", "VERS-TLS1.2", "VERS-TLS1.3"] as const;
const protocols = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;

/** OpenSSL's names of GnuTLS' groups. */
const groups: Readonly<Record<string, string>> = {
  "GROUP-SECP256R1": "P-256",
  "GROUP-SECP384R1": "P-384",
  "GROUP-SECP521R1": "P-521",
  "GROUP-X25519": "X25519",
  "GROUP-X448": "X448",
  "GROUP-FFDHE2048": "ffdhe2048",
  "GROUP-FFDHE3072": "ffdhe3072",
  "GROUP-FFDHE4096": "ffdhe4096",
  "GROUP-FFDHE6144": "ffdhe6144",
  "GROUP-FFDHE8192": "ffdhe8192",
};

const exchanges = ["ECDHE-ECDSA", "ECDHE-RSA", "RSA", "DHE-RSA"] as const;
const macs = ["AEAD", "SHA256", "SHA384", "SHA1"] as const;
const ciphers = [
  "AES-256-GCM",
  "CHACHA20-POLY1305",
  "AES-256-CCM",
  "AES-256-CBC",
  "AES-128-GCM",
  "AES-128-CCM",
  "AES-128-CBC",
] as const;

/** TLS 1.3: OpenSSL's suite for a cipher. */
const suites13: Readonly<Record<string, string>> = {
  "AES-256-GCM": "TLS_AES_256_GCM_SHA384",
  "CHACHA20-POLY1305": "TLS_CHACHA20_POLY1305_SHA256",
  "AES-128-GCM": "TLS_AES_128_GCM_SHA256",
  "AES-128-CCM": "TLS_AES_128_CCM_SHA256",
};

/** Up to TLS 1.2: how OpenSSL's names of suites end, by cipher and MAC. Not every key exchange has each. */
const suites12: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "AES-256-GCM": { AEAD: "AES256-GCM-SHA384" },
  "CHACHA20-POLY1305": { AEAD: "CHACHA20-POLY1305" },
  "AES-256-CCM": { AEAD: "AES256-CCM" },
  "AES-256-CBC": { SHA1: "AES256-SHA", SHA256: "AES256-SHA256", SHA384: "AES256-SHA384" },
  "AES-128-GCM": { AEAD: "AES128-GCM-SHA256" },
  "AES-128-CCM": { AEAD: "AES128-CCM" },
  "AES-128-CBC": { SHA1: "AES128-SHA", SHA256: "AES128-SHA256" },
};

/** What is chosen of each kind, in order of preference. */
interface Chosen {
  versions: readonly string[];
  ciphers: readonly string[];
  exchanges: readonly string[];
  macs: readonly string[];
  groups: readonly string[];
  /** OpenSSL's names of signatures; none: those that it takes anyway. No word changes them. */
  signatures: readonly string[];
}

const normal: Chosen = {
  versions: versions.slice(2),
  ciphers,
  exchanges,
  macs: ["SHA1", "AEAD"],
  groups: Object.keys(groups),
  signatures: [],
};
const nothing: Chosen = { versions: [], ciphers: [], exchanges: [], macs: [], groups: [], signatures: [] };
const secureCiphers = [
  "AES-256-GCM",
  "CHACHA20-POLY1305",
  "AES-256-CBC",
  "AES-256-CCM",
  "AES-128-GCM",
  "AES-128-CBC",
  "AES-128-CCM",
];
const secure192: Chosen = {
  ...normal,
  ciphers: secureCiphers.slice(0, 4),
  macs: ["AEAD"],
  groups: ["GROUP-SECP384R1", "GROUP-SECP521R1", "GROUP-FFDHE8192"],
  signatures: [384, 512].flatMap((bits) => [
    `RSA+SHA${bits}`,
    `rsa_pss_pss_sha${bits}`,
    `rsa_pss_rsae_sha${bits}`,
    `ECDSA+SHA${bits}`,
    ...(bits === 384 ? ["ed448"] : []),
  ]),
};
const keywords: Readonly<Record<string, Chosen>> = {
  NORMAL: normal,
  PERFORMANCE: {
    ...normal,
    ciphers: [
      ...["AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CCM", "AES-256-CCM"],
      ...["AES-128-CBC", "AES-256-CBC"],
    ],
    exchanges: ["RSA", "ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"],
  },
  PFS: { ...normal, exchanges: exchanges.filter((name) => name !== "RSA") },
  SECURE128: { ...normal, ciphers: secureCiphers },
  SECURE192: secure192,
  SECURE256: secure192,
  NONE: nothing,
};

/** Words for a whole kind. */
const all: Readonly<Record<string, Partial<Chosen>>> = {
  "VERS-ALL": { versions },
  "VERS-TLS-ALL": { versions },
  "CIPHER-ALL": { ciphers },
  "KX-ALL": { exchanges },
  "MAC-ALL": { macs },
  "GROUP-ALL": { groups: Object.keys(groups) },
  "CURVE-ALL": { groups: Object.keys(groups) },
};

/** What OpenSSL does anyway. It cannot be taken away. */
const always = new Set(["COMP-NULL", "CTYPE-ALL", "CTYPE-X509", "SIGN-ALL"]);

function change(chosen: Chosen, word: string, priority: string): void {
  const [, sign, upper = ""] = /^([+!-])(.+)$/.exec(word.toUpperCase()) ?? [];
  if (sign === undefined || (always.has(upper) && sign !== "+")) throw unknown(priority, word);
  if (always.has(upper)) return;
  const name = upper.replace(/^CURVE-/, "GROUP-");
  const whole = all[upper] ?? all[name];
  const kind = whole ? (Object.keys(whole)[0] as keyof Chosen) : kindOf(name);
  if (kind === undefined) throw unknown(priority, word);
  const named = whole?.[kind] ?? [name];
  const others = chosen[kind].filter((item) => !named.includes(item));
  // What is there keeps its place; what is added comes last.
  chosen[kind] = sign === "+" ? [...chosen[kind], ...named.filter((item) => !chosen[kind].includes(item))] : others;
}

function kindOf(name: string): keyof Chosen | undefined {
  const has = (list: readonly string[]) => list.includes(name);
  if (has(versions)) return "versions";
  if (has(ciphers)) return "ciphers";
  if (has(exchanges)) return "exchanges";
  if (has(macs)) return "macs";
  return name in groups ? "groups" : undefined;
}

function secureOptions(chosen: Chosen, priority: string): SecureContextOptions {
  const wanted = versions.map((version) => chosen.versions.includes(version));
  const least = wanted.indexOf(true);
  const most = wanted.lastIndexOf(true);
  if (least < 0) throw refused(priority, "it leaves no version of TLS");
  if (wanted.slice(least, most).includes(false))
    throw refused(priority, "OpenSSL cannot leave out a version between two");
  const suites = [
    ...(most === 3 ? chosen.ciphers.flatMap((cipher) => suites13[cipher] ?? []) : []),
    ...(least < 3 ? olderSuites(chosen) : []),
  ];
  if (suites.length === 0) throw refused(priority, "it leaves no cipher suite that OpenSSL has");
  if (chosen.groups.length === 0) throw refused(priority, "it leaves no group that OpenSSL has");
  return {
    minVersion: protocols[least] as (typeof protocols)[number],
    maxVersion: protocols[most] as (typeof protocols)[number],
    // What is older than TLS 1.2 signs with SHA-1, which OpenSSL's default level refuses.
    ciphers: [...suites, ...(least < 2 ? ["@SECLEVEL=0"] : [])].join(":"),
    ecdhCurve: chosen.groups.map((name) => groups[name]).join(":"),
    ...(chosen.signatures.length === 0 ? {} : { sigalgs: chosen.signatures.join(":") }),
  };
}

function olderSuites(chosen: Chosen): string[] {
  return chosen.exchanges.flatMap((exchange) =>
    chosen.ciphers.flatMap((cipher) =>
      chosen.macs.flatMap((mac) => {
        const suite = suites12[cipher]?.[mac];
        if (suite === undefined) return [];
        return exchange === "RSA" ? suite : `${exchange}-${suite}`;
      }),
    ),
  );
}

function unknown(priority: string, word: string): TransportError {
  return refused(priority, `"${word}" has no counterpart in OpenSSL here`);
}

function refused(priority: string, why: string): TransportError {
  return new TransportError("option", `tls_priority ${priority}: ${why}`);
}
