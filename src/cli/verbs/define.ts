import type { Command } from "commander";
import { VirDomainDefineFlags } from "../../generated/libvirt/index.ts";
import { printMessage } from "../output.ts";
import { attempting, connectionUri, operand, readText, verb, withConnection } from "../verb.ts";

export function define(): Command {
  return verb("define", "define (but don't start) a domain from an XML file")
    .argument("[file]", "file containing an XML domain description")
    .option("--file <string>", "file containing an XML domain description")
    .option("--validate", "validate the XML against the schema")
    .action(async (given: string | undefined, options: { validate?: boolean }, command: Command) => {
      const file = operand(command, "file", given);
      const xml = await readText(file);
      const domain = await withConnection(connectionUri(command), (conn) =>
        attempting(`Failed to define domain from ${file}`, () =>
          options.validate
            ? conn.defineXMLFlags(xml, VirDomainDefineFlags.VIR_DOMAIN_DEFINE_VALIDATE)
            : conn.defineXML(xml),
        ),
      );
      printMessage(`Domain '${domain.getName()}' defined from ${file}`);
    });
}
