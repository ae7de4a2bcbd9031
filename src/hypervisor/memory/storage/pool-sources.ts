import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { driverError, invalidArgument } from "../driver-errors.ts";
import { attribute, checkXml, child, escapeAttribute, parseXml } from "../xml.ts";
import { poolTypes } from "./pool-types.ts";

/**
 * What pools of a type could be made from on this host: what libvirt's test driver makes up.
 *
 * @param spec `<source>` with where to look.
 * @source testConnectFindStoragePoolSources, libvirt src/test/test_driver.c.
 */
export function findPoolSources(type: string, spec: string | null): string {
  // The first type's number is 0, which libvirt takes for none.
  if (type === "dir") throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, `unknown storage pool type ${type}`);
  const root =
    spec === null || !poolTypes.has(type) ? undefined : parseXml(spec, "storage_source_specification", "source");
  switch (type) {
    case "logical":
      return sources([
        ["<device path='/dev/sda20'/>", "<name>testvg1</name>", "<format type='lvm2'/>"],
        ["<device path='/dev/sda21'/>", "<name>testvg2</name>", "<format type='lvm2'/>"],
      ]);
    case "netfs": {
      const host = root && child(root, "host");
      const name = host && attribute(host, "name");
      if (name === undefined) throw invalidArgument("hostname must be specified for netfs sources");
      return sources([[`<host name='${escapeAttribute(name)}'/>`, "<dir path='/testshare'/>", "<format type='nfs'/>"]]);
    }
    default:
      throw driverError(VirErrorNumber.VIR_ERR_NO_SUPPORT, `pool type '${type}' does not support source discovery`);
  }
}

function sources(all: readonly (readonly string[])[]): string {
  const lines = all.flatMap((source) => ["  <source>", ...source.map((line) => `    ${line}`), "  </source>"]);
  return checkXml(`${["<sources>", ...lines, "</sources>"].join("\n")}\n`);
}
