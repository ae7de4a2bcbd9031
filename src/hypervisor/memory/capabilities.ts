import type { Node, NodeCell } from "./node.ts";
import { formatUuid } from "./uuid.ts";

/** The test driver's, which it says there is. */
const EMULATOR = "/usr/bin/test-hv";
/** Of the test driver; a host of its own has none. */
export const SECURITY_MODEL = "testSecurity";
const MIGRATION = `    <migration_features>
      <live/>
      <uri_transports>
        <uri_transport>tcp</uri_transport>
      </uri_transports>
    </migration_features>
`;

const SECURITY = `    <secmodel>
      <model>${SECURITY_MODEL}</model>
      <doi></doi>
    </secmodel>
`;

/** `<capabilities>`: what the host is and what guests it can have. Nothing in it comes from outside this driver. */
export function capabilitiesXml(node: Node, uuid: Uint8Array): string {
  const { model, cells } = node;
  const pages = [...new Set([...cells.map(({ pageKib }) => pageKib), ...HUGE_PAGES])].sort((a, b) => a - b);
  return `<capabilities>

  <host>
${node.isTest ? "" : `    <uuid>${formatUuid(uuid)}</uuid>\n`}    <cpu>
      <arch>${model}</arch>
${node.isTest ? "      <features>\n        <pae/>\n        <nonpae/>\n      </features>\n" : ""}${pages
  .map((kib) => `      <pages unit='KiB' size='${kib}'/>\n`)
  .join("")}    </cpu>
    <power_management/>
    <iommu support='no'/>
${node.isTest ? "" : MIGRATION}    <topology>
      <cells num='${cells.length}'>
${cells.map(cellXml).join("")}      </cells>
    </topology>
${node.isTest ? SECURITY : ""}  </host>

${guestXml(node, "hvm")}${node.isTest ? guestXml(node, "xen") : ""}</capabilities>
`;
}

/** KiB. */
export const HUGE_PAGES: readonly number[] = [2048, 1 << 20];

function cellXml(cell: NodeCell, id: number): string {
  const cpus = cell.cpus.map(
    (cpu, core) => `            <cpu id='${cpu}' socket_id='${id}' die_id='0' core_id='${core}' siblings='${cpu}'/>\n`,
  );
  const pages = [cell.pageKib, ...HUGE_PAGES].map((kib) => {
    const count = kib === cell.pageKib ? Math.floor(cell.memoryKib / kib) : 0;
    return `          <pages unit='KiB' size='${kib}'>${count}</pages>\n`;
  });
  return `        <cell id='${id}'>
          <memory unit='KiB'>${cell.memoryKib}</memory>
${pages.join("")}          <cpus num='${cell.cpus.length}'>
${cpus.join("")}          </cpus>
        </cell>
`;
}

function guestXml({ model, virtType, isTest }: Node, osType: string): string {
  return `  <guest>
    <os_type>${osType}</os_type>
    <arch name='${model}'>
      <wordsize>${model.includes("64") ? 64 : 32}</wordsize>
${isTest ? `      <emulator>${EMULATOR}</emulator>\n` : ""}      <domain type='${virtType}'/>
    </arch>
${isTest ? "    <features>\n      <pae/>\n      <nonpae/>\n    </features>\n" : ""}  </guest>

`;
}

/** `<domainCapabilities>`: what a guest of this driver may have. */
export function domainCapabilitiesXml({ model, virtType, maxVcpus, isTest }: Node, machine: string): string {
  const list = (name: string, values: readonly string[]) =>
    `      <enum name='${name}'>\n${values.map((value) => `        <value>${value}</value>\n`).join("")}      </enum>\n`;
  return `<domainCapabilities>
${isTest ? `  <path>${EMULATOR}</path>\n` : ""}  <domain>${virtType}</domain>
${machine === "" ? "" : `  <machine>${machine}</machine>\n`}  <arch>${model}</arch>
  <vcpu max='${maxVcpus}'/>
  <iothreads supported='yes'/>
  <os supported='yes'>
    <loader supported='no'/>
  </os>
  <cpu>
    <mode name='host-passthrough' supported='no'/>
    <mode name='maximum' supported='no'/>
    <mode name='host-model' supported='no'/>
    <mode name='custom' supported='no'/>
  </cpu>
  <devices>
    <disk supported='yes'>
${list("diskDevice", ["disk", "cdrom", "floppy", "lun"])}${list("bus", ["ide", "fdc", "scsi", "virtio", "usb", "sata"])}    </disk>
    <graphics supported='no'/>
    <video supported='no'/>
    <hostdev supported='no'/>
  </devices>
  <features>
    <gic supported='no'/>
    <vmcoreinfo supported='no'/>
    <genid supported='no'/>
    <backingStoreInput supported='no'/>
    <backup supported='no'/>
    <sev supported='no'/>
  </features>
</domainCapabilities>
`;
}
