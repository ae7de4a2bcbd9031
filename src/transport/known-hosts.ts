import { createHash, createHmac } from "node:crypto";

/** What a file of known hosts says about a host's key. */
export interface HostKeyFinding {
  /** Known with this key, with other keys only, not at all, or with this key as one that must not be used. */
  readonly state: "known" | "changed" | "unknown" | "revoked";
  /** The line that decided, from 1. */
  readonly line?: number;
}

/**
 * Looks a host's key up, in the format that sshd(8) describes: patterns, hashed names, `@revoked`. Other marks say
 * nothing about a host's key: `@cert-authority` is for certificates, which nobody here asks a host for.
 * @param key as it came over the wire
 */
export function findHostKey(file: string, host: string, port: number, key: Uint8Array): HostKeyFinding {
  const encoded = Buffer.from(key).toString("base64");
  let finding: HostKeyFinding = { state: "unknown" };
  for (const entry of entriesOf(file, host, port)) {
    const same = entry.key === encoded;
    if (entry.marker === "@revoked") {
      if (same) return { state: "revoked", line: entry.line };
    } else if (same) finding = { state: "known", line: entry.line };
    else if (finding.state === "unknown") finding = { state: "changed", line: entry.line };
  }
  return finding;
}

/** The types of the keys that a host is known by: what to ask it for first. */
export function knownTypes(file: string, host: string, port: number): string[] {
  return [...entriesOf(file, host, port)].filter(({ marker }) => marker === "").map(({ type }) => type);
}

/** A line for a key that has been accepted. */
export function knownHostLine(host: string, port: number, key: Uint8Array): string {
  return `${nameOf(host, port)} ${keyType(key)} ${Buffer.from(key).toString("base64")}\n`;
}

/** `SHA256:` and base64, as `ssh-keygen -l` prints it. */
export function keyFingerprint(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** The type that a key names at its start: `ssh-ed25519`. */
export function keyType(key: Uint8Array): string {
  const length = key.byteLength < 4 ? 0 : new DataView(key.buffer, key.byteOffset).getUint32(0);
  return Buffer.from(key.subarray(4, 4 + Math.min(length, 64))).toString("latin1");
}

interface Entry {
  readonly line: number;
  readonly marker: string;
  readonly type: string;
  readonly key: string;
}

function* entriesOf(file: string, host: string, port: number): Generator<Entry> {
  const name = nameOf(host, port);
  for (const [index, text] of file.split("\n").entries()) {
    const fields = text.trim().split(/[ \t]+/);
    if (fields[0] === "" || fields[0]?.startsWith("#")) continue;
    const marker = fields[0]?.startsWith("@") ? (fields.shift() as string) : "";
    const [hosts = "", type = "", key = ""] = fields;
    if (key === "" || (marker !== "" && marker !== "@revoked") || !matches(hosts, name)) continue;
    yield { line: index + 1, marker, type, key };
  }
}

/** How a host is written: the port is named where it is not ssh's own. */
function nameOf(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith("|1|")) {
    const [, , salt = "", hash = ""] = hosts.split("|");
    return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
  }
  let found = false;
  for (const pattern of hosts.toLowerCase().split(",")) {
    const not = pattern.startsWith("!");
    if (!wildcard(not ? pattern.slice(1) : pattern).test(name)) continue;
    if (not) return false;
    found = true;
  }
  return found;
}

function wildcard(pattern: string): RegExp {
  const escaped = pattern.replace(/\*+/g, "*").replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}
