import type { Command } from "commander";
import { VirDomainUndefineFlagsValues as Flag } from "../../generated/libvirt/index.ts";
import { printMessage } from "../output.ts";
import {
  attempting,
  connectionUri,
  flagsOf,
  guestVerb,
  lookupGuest,
  operand,
  refuseBoth,
  withConnection,
} from "../verb.ts";

const undefineFlags = {
  managedSave: Flag.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
  snapshotsMetadata: Flag.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
  checkpointsMetadata: Flag.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA,
  nvram: Flag.VIR_DOMAIN_UNDEFINE_NVRAM,
  keepNvram: Flag.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,
  tpm: Flag.VIR_DOMAIN_UNDEFINE_TPM,
  keepTpm: Flag.VIR_DOMAIN_UNDEFINE_KEEP_TPM,
};

export function undefine(): Command {
  return guestVerb("undefine", "undefine a domain")
    .option("--managed-save", "remove domain managed state file")
    .option("--snapshots-metadata", "remove all domain snapshot metadata (vm must be inactive)")
    .option("--checkpoints-metadata", "remove all domain checkpoint metadata (vm must be inactive)")
    .option("--nvram", "remove nvram file")
    .option("--keep-nvram", "keep nvram file")
    .option("--tpm", "remove TPM state")
    .option("--keep-tpm", "keep TPM state")
    .action(async (given: string | undefined, options: Record<string, boolean>, command: Command) => {
      const guest = operand(command, "domain", given);
      refuseBoth(options, [
        ["nvram", "keepNvram"],
        ["tpm", "keepTpm"],
      ]);
      const flags = flagsOf(options, undefineFlags);
      const name = await withConnection(connectionUri(command), async (conn) => {
        const domain = await lookupGuest(conn, guest);
        await attempting(`Failed to undefine domain '${domain.getName()}'`, () =>
          flags === 0 ? domain.undefine() : domain.undefineFlags(flags),
        );
        return domain.getName();
      });
      printMessage(`Domain '${name}' has been undefined`);
    });
}
