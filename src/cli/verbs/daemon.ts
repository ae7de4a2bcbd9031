import { Command } from "commander";
import { readConfigFile } from "../daemon/config.ts";
import { Daemon } from "../daemon/daemon.ts";
import { print, printJson } from "../output.ts";

interface Options {
  readonly config?: string;
  readonly listen: readonly string[];
  readonly listenAdmin: readonly string[];
  readonly hostname?: string;
  readonly migrationHost?: string;
  readonly inventory?: string;
  readonly stateDir?: string;
  readonly timeout?: string;
  readonly json?: boolean;
  readonly exitWithStdin?: boolean;
}

export function daemon(): Command {
  return new Command("daemon")
    .description("serve a hypervisor whose guests live in memory")
    .option("-f, --config <file>", "settings, in the language and by the names of libvirtd.conf")
    .option(
      "--listen <address>",
      "unix:PATH, tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT or wss://HOST:PORT, port 0 for a free one; repeatable",
      collect,
      [],
    )
    .option("--listen-admin <address>", "unix:PATH for virt-admin; repeatable", collect, [])
    .option("--hostname <name>", "what the host is called (default: this machine's name)")
    .option("--migration-host <host>", "where guests migrate to: a name or an address (default: 127.0.0.1)")
    .option("--inventory <name>", "what there is from the start: test, what libvirt's test:///default has")
    .option("--state-dir <folder>", "where what is defined is kept, to be there again after the next start")
    .option("-t, --timeout <seconds>", "end when nobody has used it for so long")
    .option("--json", "tell the addresses as one JSON line")
    .option("--exit-with-stdin", "end when standard input ends, so as not to outlive a parent")
    .action(async (options: Options) => {
      const { config, warnings } =
        options.config === undefined ? { config: {}, warnings: [] } : await readConfigFile(options.config);
      const { hostname, migrationHost, inventory, stateDir, timeout } = options;
      const running = await Daemon.start({
        warnings,
        listen: options.listen,
        listenAdmin: options.listenAdmin,
        config: {
          ...config,
          ...(hostname === undefined ? {} : { hostname }),
          ...(migrationHost === undefined ? {} : { migration_host: migrationHost }),
          ...(inventory === undefined ? {} : { inventory }),
          ...(stateDir === undefined ? {} : { state_dir: stateDir }),
          ...(timeout === undefined ? {} : { timeout: seconds(timeout) }),
        },
      });
      const { hypervisor, server, admin } = running;
      // Before anybody learns that it runs, and may tell it to end.
      const end = Promise.race([running.ended, ending(running, options.exitWithStdin ?? false)]);
      try {
        const addresses = server.addresses;
        const adminAddresses = admin?.addresses ?? [];
        if (options.json) printJson({ hostname: hypervisor.hostname, addresses, adminAddresses, pid: process.pid });
        else print([...addresses, ...adminAddresses].map((address) => `listening at ${address}\n`).join(""));
        await end;
      } finally {
        process.stdin.destroy(); // it would keep the process alive
      }
      await running.close();
    });
}

function collect(address: string, before: readonly string[]): readonly string[] {
  return [...before, address];
}

function seconds(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new TypeError(`--timeout ${text}: a number of seconds wanted`);
  return Number(text);
}

/**
 * Resolves when the daemon is to end: a signal, or the end of standard input where that is wanted. A second signal cuts
 * what the first one lets end.
 */
function ending(running: Daemon, withStdin: boolean): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const end = () => {
      if (told) void running.close(0);
      told = true;
      resolve();
    };
    process.on("SIGTERM", end);
    process.on("SIGINT", end);
    process.on("SIGHUP", () => void running.reload());
    if (!withStdin) return;
    process.stdin.on("end", end).on("error", end);
    process.stdin.resume();
  });
}
