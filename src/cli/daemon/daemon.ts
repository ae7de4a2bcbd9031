import { createMemoryHypervisor, type Hypervisor, hypervisorPrograms } from "../../hypervisor/index.ts";
import {
  type AuditEvent,
  adminProgram,
  createServer,
  DaemonLog,
  type ListenerOptions,
  notifySystemd,
  type Server,
  systemdSockets,
} from "../../server/index.ts";
import { wholeError } from "../output.ts";
import type { DaemonConfig } from "./config.ts";
import { ConfigError } from "./config.ts";
import { accessOf, adminLimitsOf, isAuditingCalls, keepAliveOf, limitsOf, listenersOf } from "./settings.ts";

/** libvirtd's: what is going on has so long to end. */
const DRAIN = 30_000;

export interface DaemonOptions {
  readonly config: DaemonConfig;
  /** Sentences about the configuration for the log. */
  readonly warnings?: readonly string[];
  /** Addresses besides those of the configuration. */
  readonly listen?: readonly string[];
  /** Where administrators are served, besides the socket of `unix_sock_dir`: unix sockets only. */
  readonly listenAdmin?: readonly string[];
}

/** A daemon that runs: a hypervisor in memory, the server of its clients, and that of its administrators. */
export class Daemon implements AsyncDisposable {
  readonly hypervisor: Hypervisor;
  readonly server: Server;
  readonly admin: Server | undefined;
  /** Resolves when the daemon wants to end: nobody has used it for long enough, or an administrator said so. */
  readonly ended: Promise<void>;
  readonly #log: DaemonLog;
  #end!: () => void;
  #idle: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(log: DaemonLog, hypervisor: Hypervisor, server: Server, admin: Server | undefined) {
    this.#log = log;
    this.hypervisor = hypervisor;
    this.server = server;
    this.admin = admin;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /**
   * Starts one. When it fails, nothing is left of it.
   * @throws {ConfigError} @throws {TypeError} @throws {TransportError} @throws {VirtError}
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { config, warnings = [] } = options;
    const listeners = listenersOf(config, options.listen);
    const admins = adminListenersOf(options);
    if (listeners.length === 0) {
      throw new ConfigError([
        "the daemon would listen nowhere: say --listen, or listen, listen_tcp, listen_tls or unix_sock_dir in its file",
      ]);
    }
    const { log_level: level = 3, log_outputs: outputs = "", log_filters: filters = "" } = config;
    const log = new DaemonLog({ level, outputs, filters });
    const undo: (() => unknown)[] = [() => log[Symbol.dispose]()];
    try {
      for (const warning of warnings) log.write(3, "daemon.config", warning);
      const hypervisor = await hypervisorOf(config, log);
      undo.unshift(() => hypervisor.close());
      const access = await accessOf(config);
      const server = createServer({
        name: "virtwire",
        listen: listeners,
        programs: hypervisorPrograms(hypervisor),
        ...(access === undefined ? {} : { access }),
        limits: limitsOf(config),
        ...keepAliveOf(config.keepalive_interval, config.keepalive_count),
        ...logging(log, config, "server"),
      });
      undo.unshift(() => server.close());
      let daemon: Daemon;
      const admin =
        admins.length === 0
          ? undefined
          : createServer({
              name: "admin",
              listen: admins,
              programs: [
                adminProgram({
                  servers: () => (daemon.admin === undefined ? [server] : [server, daemon.admin]),
                  log,
                  setTimeout: (seconds) => daemon.endWhenIdle(seconds),
                  shutdown: () => daemon.#end(),
                  ...logging(log, config, "admin"),
                }),
              ],
              limits: adminLimitsOf(config),
              ...keepAliveOf(config.admin_keepalive_interval, config.admin_keepalive_count),
              ...logging(log, config, "admin"),
            });
      daemon = new Daemon(log, hypervisor, server, admin);
      if (admin !== undefined) undo.unshift(() => admin.close());
      await server.listen();
      await admin?.listen();
      if (config.timeout !== undefined) daemon.endWhenIdle(config.timeout);
      await notifySystemd("ready").catch((error: Error) => log.write(3, "daemon.systemd", error.message));
      for (const address of [...server.addresses, ...(admin?.addresses ?? [])]) {
        log.write(2, "daemon", `listening at ${address}`);
      }
      return daemon;
    } catch (error) {
      for (const step of undo) await step();
      throw error;
    }
  }

  /**
   * Ends the daemon when nobody has been connected and no guest has run for so many seconds; 0 for never.
   * @source virNetDaemonAutoShutdown, libvirt src/rpc/virnetdaemon.c
   */
  endWhenIdle(seconds: number): void {
    clearInterval(this.#idle);
    if (seconds === 0) return;
    let since = Date.now();
    this.#idle = setInterval(
      () => {
        const clients = this.server.clients.served + (this.admin?.clients.served ?? 0);
        const used = clients > 0 || this.hypervisor.busy === true;
        if (used) since = Date.now();
        else if (Date.now() - since >= seconds * 1000) this.#end();
      },
      Math.min(1000, seconds * 250),
    );
    this.#idle.unref();
  }

  /** Reads certificates and keys again. What is wrong with them is in the log, and the old ones stay. */
  async reload(): Promise<void> {
    try {
      await this.server.reloadCertificates();
      this.#log.write(2, "daemon", "certificates read again");
    } catch (error) {
      this.#log.write(4, "daemon", `certificates not read again: ${wholeError(error)}`);
    }
  }

  /** Ends everything: calls in progress have so many milliseconds. Called again without any, it cuts. */
  async close(drain = DRAIN): Promise<void> {
    clearInterval(this.#idle);
    if (this.#closing !== undefined) {
      if (drain === 0) await Promise.all([this.server.close(), this.admin?.close()]);
      return this.#closing;
    }
    this.#closing = this.#close(drain);
    return this.#closing;
  }

  async #close(drain: number): Promise<void> {
    await notifySystemd("stopping").catch(() => {}); // it was told when it became ready
    await Promise.all([this.server.close({ drain }), this.admin?.close()]);
    await this.hypervisor.close();
    this.#log.write(2, "daemon", "ended");
    this.#log[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }
}

function adminListenersOf({ config, listenAdmin = [] }: DaemonOptions): ListenerOptions[] {
  const { unix_sock_dir: folder, unix_sock_admin_perms: mode = 0o700 } = config;
  const systemd = systemdSockets().flatMap(({ name }) => (/-admin\b/.test(name) ? [`systemd:${name}`] : []));
  const addresses = [
    ...(folder === undefined ? [] : [`unix:${folder}/libvirt-admin-sock`]),
    ...systemd,
    ...listenAdmin,
  ];
  const others = addresses.filter((address) => !/^(unix|systemd):/.test(address));
  if (others.length > 0) {
    throw new ConfigError([`${others.join(", ")}: administrators are served at unix sockets only, as by libvirtd`]);
  }
  return addresses.map((address) => ({ address, mode }));
}

async function hypervisorOf(config: DaemonConfig, log: DaemonLog): Promise<Hypervisor> {
  const { hostname, migration_host: migrationHost, inventory, state_dir: stateDir, max_memory_mib: memory } = config;
  if (inventory !== undefined && inventory !== "test") throw new ConfigError([`inventory: "test" is the only one`]);
  return createMemoryHypervisor({
    onError: ({ message }) => log.write(4, "hypervisor", message),
    ...(hostname === undefined ? {} : { hostname }),
    ...(migrationHost === undefined ? {} : { migrationHost }),
    ...(inventory === undefined ? {} : { inventory }),
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(memory === undefined ? {} : { maxMemory: memory * 2 ** 20 }),
  });
}

/** What a server tells, written to the log. */
function logging(log: DaemonLog, config: DaemonConfig, source: string) {
  return {
    onError: (error: unknown, { procedure }: { readonly procedure: { readonly name: string } }) =>
      log.write(4, `${source}.${procedure.name.toLowerCase()}`, wholeError(error)),
    onRefused: (error: Error, address: string) => log.write(3, `${source}.listener`, `${address}: ${error.message}`),
    onAudit: (event: AuditEvent) => log.write(event.type === "login" ? 2 : 3, "audit", auditLine(event)),
    auditAllowed: isAuditingCalls(config),
  };
}

function auditLine({ identity, ...event }: AuditEvent): string {
  return JSON.stringify({ ...event, ...identity }, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}
