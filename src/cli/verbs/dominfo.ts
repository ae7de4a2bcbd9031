import type { Command } from "commander";
import { type Connection, type Domain, VirtError } from "../../api/index.ts";
import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import { stateWord } from "../domain-words.ts";
import { fact, printJson, printMessage } from "../output.ts";
import { connectionUri, guestVerb, lookupGuest, operand, withConnection } from "../verb.ts";

export function dominfo(): Command {
  return guestVerb("dominfo", "domain information")
    .option("--json", "one JSON value instead of lines")
    .action(async (given: string | undefined, options: { json?: boolean }, command: Command) => {
      const name = operand(command, "domain", given);
      const info = await withConnection(connectionUri(command), async (conn) => {
        const domain = await lookupGuest(conn, name);
        return { ...(await facts(domain)), security: await security(conn, domain) };
      });
      if (options.json) printJson(info);
      else printMessage(lines(info).trimEnd());
    });
}

async function facts(domain: Domain) {
  const [osType, { state, maxMem, memory, nrVirtCpu, cpuTime }] = await Promise.all([
    domain.getOSType(),
    domain.getInfo(),
  ]);
  // As in virsh, what a driver does not tell is left out or "unknown".
  const [persistent, autostart, managedSave] = await Promise.all([
    optional(domain.isPersistent()),
    optional(domain.getAutostart()),
    optional(domain.hasManagedSaveImage()),
  ]);
  return {
    id: domain.getID() < 0 ? null : domain.getID(),
    name: domain.getName(),
    uuid: domain.getUUIDString(),
    osType,
    state: stateWord(state),
    cpus: nrVirtCpu,
    /** Nanoseconds. */
    cpuTime,
    /** KiB. */
    maxMemory: maxMem,
    /** KiB. */
    usedMemory: memory,
    persistent,
    autostart,
    managedSave,
  };
}

async function security(conn: Connection, domain: Domain) {
  try {
    const { model, doi } = await conn.remote.nodeGetSecurityModel();
    if (text(model) === "") return null;
    const { label, enforcing } = await conn.remote.domainGetSecurityLabel({ dom: domain.ref });
    return { model: text(model), doi: text(doi), label: text(label), enforcing: enforcing !== 0 };
  } catch (error) {
    if (error instanceof VirtError && error.code === VirErrorNumber.VIR_ERR_NO_SUPPORT) return null;
    throw error;
  }
}

type Info = Awaited<ReturnType<typeof facts>> & { security: Awaited<ReturnType<typeof security>> };

function lines(info: Info): string {
  const yesNo = (value: boolean | undefined) => (value === undefined ? "unknown" : value ? "yes" : "no");
  const { security } = info;
  return [
    fact("Id", info.id === null ? "-" : String(info.id)),
    fact("Name", info.name),
    fact("UUID", info.uuid),
    fact("OS Type", info.osType),
    fact("State", info.state),
    fact("CPU(s)", String(info.cpus)),
    ...(info.cpuTime === 0n ? [] : [fact("CPU time", `${(Number(info.cpuTime) / 1e9).toFixed(1)}s`)]),
    fact("Max memory", `${info.maxMemory} KiB`),
    fact("Used memory", `${info.usedMemory} KiB`),
    fact("Persistent", yesNo(info.persistent)),
    ...(info.autostart === undefined ? [] : [fact("Autostart", info.autostart ? "enable" : "disable")]),
    fact("Managed save", yesNo(info.managedSave)),
    ...(security === null
      ? []
      : [
          fact("Security model", security.model),
          fact("Security DOI", security.doi),
          ...(security.label === ""
            ? []
            : [fact("Security label", `${security.label} (${security.enforcing ? "enforcing" : "permissive"})`)]),
        ]),
  ].join("");
}

async function optional(query: Promise<boolean>): Promise<boolean | undefined> {
  try {
    return await query;
  } catch (error) {
    if (error instanceof VirtError) return undefined;
    throw error;
  }
}

/** Security strings travel as arrays of char, with or without their NUL. */
function text(chars: Uint8Array): string {
  const end = chars.indexOf(0);
  return new TextDecoder().decode(end < 0 ? chars : chars.subarray(0, end));
}
