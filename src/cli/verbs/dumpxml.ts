import type { Command } from "commander";
import { VirDomainXMLFlags as Flag } from "../../generated/libvirt/index.ts";
import { print, printJson } from "../output.ts";
import { connectionUri, flagsOf, guestVerb, lookupGuest, operand, withConnection } from "../verb.ts";

const flags = {
  inactive: Flag.VIR_DOMAIN_XML_INACTIVE,
  securityInfo: Flag.VIR_DOMAIN_XML_SECURE,
  updateCpu: Flag.VIR_DOMAIN_XML_UPDATE_CPU,
  migratable: Flag.VIR_DOMAIN_XML_MIGRATABLE,
};

export function dumpxml(): Command {
  return guestVerb("dumpxml", "domain information in XML")
    .option("--inactive", "show inactive defined XML")
    .option("--security-info", "include security sensitive information in XML dump")
    .option("--update-cpu", "update guest CPU according to host CPU")
    .option("--migratable", "provide XML suitable for migrations")
    .option("--json", "the XML as the string `xml` of a JSON value")
    .action(async (given: string | undefined, options: Record<string, boolean>, command: Command) => {
      const name = operand(command, "domain", given);
      const xml = await withConnection(connectionUri(command), async (conn) =>
        (await lookupGuest(conn, name)).getXMLDesc(flagsOf(options, flags)),
      );
      if (options.json) printJson({ xml });
      else print(`${xml}\n`);
    });
}
