import type { Command } from "commander";
import { VirDomainDestroyFlagsValues as Flag } from "../../generated/libvirt/index.ts";
import { printMessage } from "../output.ts";
import { attempting, connectionUri, flagsOf, guestVerb, lookupGuest, operand, withConnection } from "../verb.ts";

const destroyFlags = { graceful: Flag.VIR_DOMAIN_DESTROY_GRACEFUL, removeLogs: Flag.VIR_DOMAIN_DESTROY_REMOVE_LOGS };

export function destroy(): Command {
  return guestVerb("destroy", "destroy (stop) a domain")
    .option("--graceful", "terminate gracefully")
    .option("--remove-logs", "remove domain logs")
    .action(async (given: string | undefined, options: Record<string, boolean>, command: Command) => {
      const guest = operand(command, "domain", given);
      const flags = flagsOf(options, destroyFlags);
      const name = await withConnection(connectionUri(command), async (conn) => {
        const domain = await lookupGuest(conn, guest);
        await attempting(`Failed to destroy domain '${domain.getName()}'`, () =>
          flags === 0 ? domain.destroy() : domain.destroyFlags(flags),
        );
        return domain.getName();
      });
      printMessage(`Domain '${name}' destroyed`);
    });
}
