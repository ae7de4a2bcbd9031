import { readFile } from "node:fs/promises";
import { ConfFile } from "../../client/index.ts";

/** How a key's value is read. */
type Kind = "flag" | "count" | "text" | "list" | "port" | "mode" | "login" | "level" | "seconds";

interface ValueOf {
  readonly flag: boolean;
  readonly count: number;
  readonly text: string;
  readonly list: readonly string[];
  readonly port: number;
  readonly mode: number;
  readonly login: "none" | "sasl" | "polkit";
  readonly level: 1 | 2 | 3 | 4;
  readonly seconds: number;
}

/**
 * What a daemon's file may say: the keys of libvirtd.conf, with the same meaning, and below them our own. The
 * documentation has the same list, and a test holds the two together.
 */
export const keys = {
  listen_tls: "flag",
  listen_tcp: "flag",
  tls_port: "port",
  tcp_port: "port",
  listen_addr: "text",
  unix_sock_group: "text",
  unix_sock_ro_perms: "mode",
  unix_sock_rw_perms: "mode",
  unix_sock_admin_perms: "mode",
  unix_sock_dir: "text",
  auth_unix_ro: "login",
  auth_unix_rw: "login",
  auth_tcp: "login",
  auth_tls: "login",
  tcp_min_ssf: "count",
  access_drivers: "list",
  key_file: "text",
  cert_file: "text",
  ca_file: "text",
  crl_file: "text",
  tls_no_sanity_certificate: "flag",
  tls_no_verify_certificate: "flag",
  tls_allowed_dn_list: "list",
  tls_priority: "text",
  sasl_allowed_username_list: "list",
  max_clients: "count",
  max_queued_clients: "count",
  max_anonymous_clients: "count",
  min_workers: "count",
  max_workers: "count",
  prio_workers: "count",
  max_client_requests: "count",
  admin_min_workers: "count",
  admin_max_workers: "count",
  admin_max_clients: "count",
  admin_max_queued_clients: "count",
  admin_max_client_requests: "count",
  log_level: "level",
  log_filters: "text",
  log_outputs: "text",
  audit_level: "count",
  keepalive_interval: "seconds",
  keepalive_count: "count",
  admin_keepalive_interval: "seconds",
  admin_keepalive_count: "count",

  listen: "list",
  listen_read_only: "list",
  listen_ws: "flag",
  ws_port: "port",
  ws_origins: "list",
  tcp_insecure: "flag",
  sasl_users_file: "text",
  sasl_mechanisms: "list",
  access_rules_file: "text",
  hostname: "text",
  migration_host: "text",
  max_memory_mib: "count",
  inventory: "text",
  state_dir: "text",
  timeout: "count",
} as const satisfies Record<string, Kind>;

export type Key = keyof typeof keys;

/** A daemon's settings by their names in the file; what it does not say is absent. */
export type DaemonConfig = { readonly [Name in Key]?: ValueOf[(typeof keys)[Name]] };

/** Keys of libvirtd.conf that mean nothing here: passed over with a warning, so that a file may be shared. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  audit_logging: "what is audited goes to the log: see audit_level",
  host_uuid: "this daemon tells hosts apart by itself",
  host_uuid_source: "this daemon tells hosts apart by itself",
  keepalive_required: "clients decide for themselves",
  admin_keepalive_required: "clients decide for themselves",
  ovs_timeout: "there is no Open vSwitch here",
};

export interface ReadConfig {
  readonly config: DaemonConfig;
  /** Sentences about keys that were passed over. */
  readonly warnings: readonly string[];
}

/** Reads a daemon's file. @throws {ConfigError} @throws {VirtError} where it is no such file by its syntax */
export async function readConfigFile(path: string): Promise<ReadConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError([`${path}: cannot be read: ${(cause as Error).message}`], { cause });
  }
  return parseConfig(path, text);
}

/** Everything that is wrong with a daemon's file, a line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("\n"), options);
    this.problems = problems;
  }
}

/** @param path for errors @throws {ConfigError} @throws {VirtError} */
export function parseConfig(path: string, text: string): ReadConfig {
  const file = new ConfFile(path, text);
  const problems: string[] = [];
  const warnings: string[] = [];
  const found: Record<string, unknown> = {};
  for (const name of file.names) {
    if (Object.hasOwn(ELSEWHERE, name)) {
      warnings.push(`${file.where(name)}: ${name} is passed over: ${ELSEWHERE[name]}`);
    } else if (!Object.hasOwn(keys, name)) {
      problems.push(`${file.where(name)}: there is no setting ${name}${meant(name)}`);
    } else {
      try {
        found[name] = read(file, name, keys[name as Key]);
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: found as DaemonConfig, warnings };
}

function read(file: ConfFile, name: string, kind: Kind): unknown {
  const wrong = (wanted: string): Error => new Error(`${file.where(name)}: ${name}: ${wanted} wanted`);
  switch (kind) {
    case "text":
      return file.string(name);
    case "list":
      return file.strings(name);
    case "flag": {
      const value = file.integer(name);
      if (value !== 0 && value !== 1) throw wrong("0 or 1");
      return value === 1;
    }
    case "count": {
      const value = file.integer(name) ?? 0;
      if (value < 0 || value > 2 ** 31 - 1) throw wrong("0 or more");
      return value;
    }
    case "seconds": {
      const value = file.integer(name) ?? 0;
      if (value < -1 || value > 2 ** 31 - 1) throw wrong("a number of seconds, or -1 for never,");
      return value;
    }
    case "level": {
      const value = file.integer(name);
      if (value === undefined || value < 1 || value > 4) throw wrong("1 (debug) to 4 (error)");
      return value;
    }
    case "port": {
      const value = Number(file.string(name));
      if (!Number.isInteger(value) || value < 0 || value > 65_535) throw wrong("a port in quotes");
      return value;
    }
    case "mode": {
      const value = file.string(name) ?? "";
      if (!/^[0-7]{3,4}$/.test(value)) throw wrong('permissions such as "0770"');
      return Number.parseInt(value, 8);
    }
    case "login": {
      const value = file.string(name);
      if (value !== "none" && value !== "sasl" && value !== "polkit") throw wrong('"none", "sasl" or "polkit"');
      return value;
    }
  }
}

/** The known key that differs from a wrong one by the fewest letters, where it is near. */
function meant(name: string): string {
  const [best] = Object.keys(keys)
    .map((key) => ({ key, steps: distance(name.slice(0, 64), key) }))
    .toSorted((one, other) => one.steps - other.steps);
  return best !== undefined && best.steps <= 3 ? `; ${best.key} was meant?` : "";
}

/** Levenshtein's. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const swap = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
