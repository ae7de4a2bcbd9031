import type { Command } from "commander";
import { VirDomainCreateFlags as Flag } from "../../generated/libvirt/index.ts";
import { printMessage, VerbError } from "../output.ts";
import { attempting, connectionUri, flagsOf, guestVerb, lookupGuest, operand, withConnection } from "../verb.ts";

const startFlags = {
  paused: Flag.VIR_DOMAIN_START_PAUSED,
  autodestroy: Flag.VIR_DOMAIN_START_AUTODESTROY,
  bypassCache: Flag.VIR_DOMAIN_START_BYPASS_CACHE,
  forceBoot: Flag.VIR_DOMAIN_START_FORCE_BOOT,
  resetNvram: Flag.VIR_DOMAIN_START_RESET_NVRAM,
};

export function start(): Command {
  return guestVerb("start", "start a (previously defined) inactive domain")
    .option("--paused", "leave the guest paused after creation")
    .option("--autodestroy", "automatically destroy the guest when virtwire disconnects")
    .option("--bypass-cache", "avoid file system cache when loading")
    .option("--force-boot", "force fresh boot by discarding any managed save")
    .option("--reset-nvram", "re-initialize NVRAM from its pristine template")
    .action(async (given: string | undefined, options: Record<string, boolean>, command: Command) => {
      const guest = operand(command, "domain", given);
      const flags = flagsOf(options, startFlags);
      const name = await withConnection(connectionUri(command), async (conn) => {
        const domain = await lookupGuest(conn, guest);
        if (domain.getID() >= 0) throw new VerbError("Domain is already active");
        await attempting(`Failed to start domain '${domain.getName()}'`, () =>
          flags === 0 ? domain.create() : domain.createWithFlags(flags),
        );
        return domain.getName();
      });
      printMessage(`Domain '${name}' started`);
    });
}
