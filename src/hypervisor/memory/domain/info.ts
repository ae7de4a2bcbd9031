import { VirDomainMemoryFlags, VirDomainMessageType, VirDomainXMLFlags } from "../../../generated/libvirt/index.ts";
import { REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { formatDomainXml, withoutPasswords } from "../domain-xml.ts";
import { checkFlags, invalidArgument } from "../driver-errors.ts";
import type { Host } from "../host.ts";

const NO_FLAGS = 0;
const X = VirDomainXMLFlags;
const XML_FLAGS =
  X.VIR_DOMAIN_XML_SECURE | X.VIR_DOMAIN_XML_INACTIVE | X.VIR_DOMAIN_XML_UPDATE_CPU | X.VIR_DOMAIN_XML_MIGRATABLE;
const MESSAGES = VirDomainMessageType.VIR_DOMAIN_MESSAGE_DEPRECATION | VirDomainMessageType.VIR_DOMAIN_MESSAGE_TAINTING;

/** What a domain is and how it is. */
export function infoProcedures({ domains, node }: Host) {
  return {
    domainGetXmlDesc({ dom, flags }) {
      checkFlags(flags, XML_FLAGS, "virDomainGetXMLDesc");
      const { guest, config } = domains.find(dom);
      const secure = (flags & (X.VIR_DOMAIN_XML_SECURE | X.VIR_DOMAIN_XML_MIGRATABLE)) !== 0;
      const inactive = guest === undefined || (flags & X.VIR_DOMAIN_XML_INACTIVE) !== 0;
      const definition = inactive ? (config ?? guest!.definition) : guest.definition;
      const xml = formatDomainXml(definition, inactive ? undefined : guest.id);
      return { xml: secure ? xml : withoutPasswords(xml) };
    },
    domainGetInfo({ dom }) {
      const { shown, definition, guest } = domains.find(dom);
      return {
        state: shown[0],
        maxMem: definition.memoryKib,
        memory: definition.currentMemoryKib,
        nrVirtCpu: definition.vcpus,
        cpuTime: guest?.cpuTime ?? 0n,
      };
    },
    domainGetState({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetState");
      const [state, reason] = domains.find(dom).shown;
      return { state, reason };
    },
    domainGetOsType({ dom }) {
      const { osType } = domains.find(dom).definition;
      return { type: node.isTest ? "linux" : osType };
    },
    domainIsActive: ({ dom }) => ({ active: domains.find(dom).guest === undefined ? 0 : 1 }),
    domainIsPersistent: ({ dom }) => ({ persistent: domains.find(dom).config === undefined ? 0 : 1 }),
    domainIsUpdated({ dom }) {
      domains.find(dom);
      return { updated: 0 };
    },
    domainGetControlInfo({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetControlInfo");
      domains.find(dom).active;
      return { state: 0, details: 0, stateTime: 0n };
    },
    domainGetMessages({ dom, flags }) {
      checkFlags(flags, MESSAGES, "virDomainGetMessages");
      domains.find(dom);
      return { msgs: [] };
    },
    domainMemoryPeek({ dom, offset, size, flags }) {
      const guest = domains.find(dom).active;
      if (flags !== VirDomainMemoryFlags.VIR_MEMORY_VIRTUAL && flags !== VirDomainMemoryFlags.VIR_MEMORY_PHYSICAL) {
        throw invalidArgument("flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
      }
      if (size > REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX) {
        throw invalidArgument(`size ${size} exceeds the maximum of ${REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX}`);
      }
      // A guest in memory has no page tables: its virtual addresses are the physical ones.
      const buffer = guest.memory.read(offset, size);
      if (buffer !== undefined) return { buffer };
      const { total } = guest.memory;
      throw invalidArgument(`range ${offset}+${size} is outside of the guest's memory of ${total} bytes`);
    },
  } satisfies DriverHandlers;
}
