import type { Command } from "commander";
import { type Domain, VirtError } from "../../api/index.ts";
import { VirConnectListAllDomainsFlags as Flag, VirDomainState } from "../../generated/libvirt/index.ts";
import { stateWord } from "../domain-words.ts";
import { print, printJson, printMessage, table } from "../output.ts";
import { connectionUri, flagsOf, verb, withConnection } from "../verb.ts";

const filters = {
  persistent: Flag.VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
  transient: Flag.VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
  autostart: Flag.VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
  stateRunning: Flag.VIR_CONNECT_LIST_DOMAINS_RUNNING,
  statePaused: Flag.VIR_CONNECT_LIST_DOMAINS_PAUSED,
  stateShutoff: Flag.VIR_CONNECT_LIST_DOMAINS_SHUTOFF,
  stateOther: Flag.VIR_CONNECT_LIST_DOMAINS_OTHER,
};

interface Options {
  readonly all?: boolean;
  readonly inactive?: boolean;
  readonly stateShutoff?: boolean;
  readonly autostart?: boolean;
  readonly name?: boolean;
  readonly uuid?: boolean;
  readonly id?: boolean;
  readonly json?: boolean;
}

export function list(): Command {
  return verb("list", "list domains")
    .option("--inactive", "list inactive domains")
    .option("--all", "list inactive & active domains")
    .option("--transient", "list transient domains")
    .option("--persistent", "list persistent domains")
    .option("--state-running", "list domains in running state")
    .option("--state-paused", "list domains in paused state")
    .option("--state-shutoff", "list domains in shutoff state")
    .option("--state-other", "list domains in other states")
    .option("--autostart", "list domains with autostart enabled")
    .option("--no-autostart", "list domains with autostart disabled")
    .option("--uuid", "list uuid's only")
    .option("--name", "list domain names only")
    .option("--id", "list domain IDs only")
    .option("--json", "one JSON value instead of a table")
    .action(async (options: Options, command: Command) => {
      const rows = await withConnection(connectionUri(command), async (conn) => {
        const domains = (await conn.listAllDomains(selection(options))).sort(byIdThenName);
        return Promise.all(domains.map(async (domain) => ({ domain, state: await stateOf(domain) })));
      });
      if (options.json) {
        printJson(
          rows.map(({ domain, state }) => ({
            id: domain.getID() < 0 ? null : domain.getID(),
            name: domain.getName(),
            uuid: domain.getUUIDString(),
            state: stateWord(state),
          })),
        );
        return;
      }
      const id = (domain: Domain) => (domain.getID() < 0 ? "-" : String(domain.getID()));
      const columns = [
        ...(options.uuid ? [(domain: Domain) => domain.getUUIDString()] : []),
        ...(options.id ? [id] : []),
        ...(options.name ? [(domain: Domain) => domain.getName()] : []),
      ];
      if (columns.length === 0) {
        const cells = rows.map(({ domain, state }) => [id(domain), domain.getName(), stateWord(state)]);
        printMessage(table(["Id", "Name", "State"], cells));
        return;
      }
      const ids = options.id && columns.length === 1; // of those that have one
      for (const { domain } of rows) {
        if (!ids || domain.getID() >= 0) print(`${columns.map((column) => column(domain)).join(" ")}\n`);
      }
      print("\n");
    });
}

/** VIR_DOMAIN_NOSTATE for a guest that has gone since it was listed: virshDomainState. */
async function stateOf(domain: Domain): Promise<number> {
  try {
    return (await domain.getState()).state;
  } catch (error) {
    if (error instanceof VirtError) return VirDomainState.VIR_DOMAIN_NOSTATE;
    throw error;
  }
}

/** Active guests unless asked otherwise. */
function selection(options: Options): number {
  const active =
    options.all === true
      ? Flag.VIR_CONNECT_LIST_DOMAINS_ACTIVE | Flag.VIR_CONNECT_LIST_DOMAINS_INACTIVE
      : options.inactive || options.stateShutoff
        ? Flag.VIR_CONNECT_LIST_DOMAINS_INACTIVE
        : Flag.VIR_CONNECT_LIST_DOMAINS_ACTIVE;
  const noAutostart = options.autostart === false ? Flag.VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART : 0;
  return active | noAutostart | flagsOf({ ...options }, filters);
}

/** Running guests by id, then the others by name: virshDomainSorter. */
function byIdThenName(a: Domain, b: Domain): number {
  const [one, other] = [a.getID() >>> 0, b.getID() >>> 0]; // -1 comes last
  return one - other || compare(a.getName().toLowerCase(), b.getName().toLowerCase());
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
