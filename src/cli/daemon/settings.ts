import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type AccessPolicy,
  type AccessRule,
  type AuthPolicy,
  accessRules,
  allowAll,
  type ListenerOptions,
  polkitAccess,
  type SaslMechanism,
  type ServerLimits,
  type ServerOptions,
  userFile,
} from "../../server/index.ts";
import { ConfigError, type DaemonConfig } from "./config.ts";

/** libvirtd's own places. */
const PKI = "/etc/pki";
const DEFAULTS = {
  ca_file: `${PKI}/CA/cacert.pem`,
  crl_file: `${PKI}/CA/crl.pem`,
  cert_file: `${PKI}/libvirt/servercert.pem`,
  key_file: `${PKI}/libvirt/private/serverkey.pem`,
} as const;

/**
 * Where the daemon listens, by its settings and by the command line: the sockets of `unix_sock_dir`, then tcp, tls and
 * websockets, then what is listed.
 * @throws {ConfigError} for a login without the settings that it needs
 */
export function listenersOf(config: DaemonConfig, more: readonly string[] = []): ListenerOptions[] {
  const c = config;
  const group = c.unix_sock_group === undefined ? {} : { group: c.unix_sock_group };
  const listeners: ListenerOptions[] = [];
  if (c.unix_sock_dir !== undefined) {
    const at = (name: string): string => `unix:${join(c.unix_sock_dir ?? "", name)}`;
    const rw = { auth: loginOf("auth_unix_rw", c), ...group };
    const ro = { auth: loginOf("auth_unix_ro", c), readOnly: true, ...group };
    listeners.push({ address: at("libvirt-sock"), mode: c.unix_sock_rw_perms ?? 0o700, ...rw });
    listeners.push({ address: at("libvirt-sock-ro"), mode: c.unix_sock_ro_perms ?? 0o777, ...ro });
  }
  const host = c.listen_addr ?? "127.0.0.1";
  const place = (scheme: string, port: number) => `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const insecure = c.tcp_insecure === true ? { insecure: true } : {};
  const tls = () => ({ auth: loginOf("auth_tls", c), tls: tlsOf(c) });
  const origins = c.ws_origins === undefined ? {} : { origins: c.ws_origins };
  if (c.listen_tcp)
    listeners.push({ address: place("tcp", c.tcp_port ?? 16509), auth: loginOf("auth_tcp", c, "sasl"), ...insecure });
  if (c.listen_tls) listeners.push({ address: place("tls", c.tls_port ?? 16514), ...tls() });
  if (c.listen_ws) listeners.push({ address: place("wss", c.ws_port ?? 16515), ...tls(), ...origins });
  const listed = (address: string, readOnly: boolean): ListenerOptions => {
    const only = readOnly ? { readOnly } : {};
    if (/^(systemd\+)?(tls|wss):/.test(address)) return { address, ...tls(), ...origins, ...only };
    if (/^(systemd\+)?ws:/.test(address)) return { address, auth: "none", ...insecure, ...origins, ...only };
    if (/^tcp:|^systemd:.*-tcp\b/.test(address)) return { address, ...insecure, auth: loginOf("auth_tcp", c), ...only };
    const mode = readOnly ? c.unix_sock_ro_perms : c.unix_sock_rw_perms;
    const auth = loginOf(readOnly ? "auth_unix_ro" : "auth_unix_rw", c);
    return { address, auth, ...group, ...(mode === undefined ? {} : { mode }), ...only };
  };
  // By the names of libvirt's units, whose read-only socket everybody may open.
  const isReadOnly = (address: string) => /^systemd[^:]*:.*-ro\b/.test(address);
  listeners.push(...[...(c.listen ?? []), ...more].map((address) => listed(address, isReadOnly(address))));
  listeners.push(...(c.listen_read_only ?? []).map((address) => listed(address, true)));
  return listeners;
}

/** @param fallback where the file says nothing: without one, none */
function loginOf(
  key: "auth_unix_rw" | "auth_unix_ro" | "auth_tcp" | "auth_tls",
  config: DaemonConfig,
  fallback: "none" | "sasl" = "none",
): AuthPolicy {
  const kind = config[key] ?? fallback;
  if (kind !== "sasl") return kind;
  const { sasl_users_file: users, sasl_mechanisms: mechanisms, sasl_allowed_username_list: allowed } = config;
  if (users === undefined && !mechanisms?.includes("EXTERNAL")) {
    throw new ConfigError([`${key} is "sasl", which needs sasl_users_file: who may log in`]);
  }
  return {
    sasl: {
      ...(users === undefined ? {} : { users: userFile(users) }),
      ...(mechanisms === undefined ? {} : { mechanisms: mechanisms as readonly SaslMechanism[] }),
      ...(allowed === undefined ? {} : { allowedUsers: allowed }),
      ...(config.tcp_min_ssf === undefined ? {} : { minSsf: config.tcp_min_ssf }),
    },
  };
}

function tlsOf(config: DaemonConfig): NonNullable<ListenerOptions["tls"]> {
  const { tls_allowed_dn_list: names, tls_priority: priority } = config;
  return {
    cert: config.cert_file ?? DEFAULTS.cert_file,
    key: config.key_file ?? DEFAULTS.key_file,
    ca: config.ca_file ?? DEFAULTS.ca_file,
    crl: config.crl_file ?? DEFAULTS.crl_file,
    verify: config.tls_no_verify_certificate !== true,
    sanity: config.tls_no_sanity_certificate !== true,
    ...(names === undefined ? {} : { allowedNames: names }),
    ...(priority === undefined ? {} : { priority }),
  };
}

/**
 * The access policy: polkit, a file of rules, or both. Without one everybody may do everything, and nobody is asked: a
 * policy costs each call a question and each client of a unix socket a look at who it is.
 * @throws {ConfigError}
 */
export async function accessOf(config: DaemonConfig): Promise<AccessPolicy | undefined> {
  const { access_drivers: drivers = [], access_rules_file: file } = config;
  const unknown = drivers.filter((driver) => driver !== "polkit" && driver !== "none");
  if (unknown.length > 0)
    throw new ConfigError([`access_drivers: there is no driver ${unknown.join(", ")}; polkit is one`]);
  const policies: AccessPolicy[] = [];
  if (drivers.includes("polkit")) policies.push(polkitAccess());
  if (file !== undefined) policies.push(await rulesOf(file));
  const [first, second] = policies;
  // What was allowed can be told only where something is asked.
  if (first === undefined) return isAuditingCalls(config) ? allowAll : undefined;
  if (second === undefined) return first;
  // As libvirt does with several drivers: all of them have to agree.
  return { allows: async (request) => (await first.allows(request)) && (await second.allows(request)) };
}

/** Whether calls that were allowed are to be in the log. */
export function isAuditingCalls({ audit_level: level = 1 }: DaemonConfig): boolean {
  return level >= 2;
}

async function rulesOf(file: string): Promise<AccessPolicy> {
  try {
    const rules: unknown = JSON.parse(await readFile(file, "utf8"));
    if (!Array.isArray(rules)) throw new TypeError("a list of rules wanted");
    return accessRules(rules as readonly AccessRule[]);
  } catch (cause) {
    throw new ConfigError([`access_rules_file ${file}: ${(cause as Error).message}`], { cause });
  }
}

/** Of the server that clients use. */
export function limitsOf(c: DaemonConfig): ServerLimits {
  return defined({
    maxClients: c.max_clients,
    maxQueuedClients: c.max_queued_clients,
    maxAnonymousClients: c.max_anonymous_clients,
    minWorkers: c.min_workers,
    maxWorkers: c.max_workers,
    priorityWorkers: c.prio_workers,
    maxClientRequests: c.max_client_requests,
  });
}

/** Of the one that administrators use, which has defaults of its own. */
export function adminLimitsOf(c: DaemonConfig): ServerLimits {
  return defined({
    maxClients: c.admin_max_clients ?? 5000,
    maxQueuedClients: c.admin_max_queued_clients ?? 20,
    maxAnonymousClients: 0,
    minWorkers: c.admin_min_workers,
    maxWorkers: c.admin_max_workers,
    maxClientRequests: c.admin_max_client_requests,
  });
}

export function keepAliveOf(interval: number | undefined, count: number | undefined): Pick<ServerOptions, "keepAlive"> {
  if (interval === -1 || interval === 0) return { keepAlive: false };
  return { keepAlive: { interval: interval ?? 5, count: count ?? 5 } };
}

/** Without what is undefined. */
function defined<T extends object>(values: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof T]: Exclude<T[Key], undefined> };
}
