import { Command } from "commander";
import { createMemoryHypervisor, remoteProgram } from "../../hypervisor/index.ts";
import { createServer } from "../../server/index.ts";
import { print, printJson, wholeError } from "../output.ts";

/** Milliseconds that calls in progress get when the daemon is told to end. */
const DRAIN = 1000;

interface Options {
  readonly listen: readonly string[];
  readonly hostname?: string;
  readonly migrationHost?: string;
  readonly json?: boolean;
  readonly exitWithStdin?: boolean;
}

export function daemon(): Command {
  return new Command("daemon")
    .description("serve a hypervisor whose guests live in memory")
    .requiredOption("--listen <address>", "unix:PATH or tcp://HOST:PORT, port 0 for a free one; repeatable", collect)
    .option("--hostname <name>", "what the host is called (default: this machine's name)")
    .option("--migration-host <host>", "where guests migrate to: a name or an address (default: 127.0.0.1)")
    .option("--json", "tell the addresses as one JSON line")
    .option("--exit-with-stdin", "end when standard input ends, so as not to outlive a parent")
    .action(async (options: Options) => {
      const { hostname, migrationHost } = options;
      await using hypervisor = createMemoryHypervisor({
        ...(hostname === undefined ? {} : { hostname }),
        ...(migrationHost === undefined ? {} : { migrationHost }),
      });
      const server = createServer({
        listen: options.listen,
        programs: [remoteProgram(hypervisor)],
        onError: (error, { procedure }) => process.stderr.write(`${procedure.name}: ${wholeError(error)}\n`),
      });
      const end = ending(options.exitWithStdin ?? false);
      try {
        await server.listen();
        if (options.json) printJson({ hostname: hypervisor.hostname, addresses: server.addresses, pid: process.pid });
        else print(server.addresses.map((address) => `listening at ${address}\n`).join(""));
        await end;
      } finally {
        process.stdin.destroy(); // it would keep the process alive
      }
      await server.close({ drain: DRAIN });
    });
}

function collect(address: string, before: readonly string[] = []): readonly string[] {
  return [...before, address];
}

/** Resolves when the daemon is to end: a signal, or the end of standard input where that is wanted. */
function ending(withStdin: boolean): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      process.removeListener("SIGTERM", end);
      process.removeListener("SIGINT", end);
      resolve();
    };
    process.on("SIGTERM", end);
    process.on("SIGINT", end);
    if (!withStdin) return;
    process.stdin.on("end", end).on("error", end);
    process.stdin.resume();
  });
}
