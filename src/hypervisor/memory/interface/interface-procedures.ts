import {
  VirConnectListAllInterfacesFlags,
  VirErrorNumber,
  VirInterfaceDefineFlags,
  VirInterfaceXMLFlags,
} from "../../../generated/libvirt/index.ts";
import { REMOTE_INTERFACE_LIST_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags, driverError } from "../driver-errors.ts";
import { checkListCount } from "../list-count.ts";
import { type FilterGroups, filtered, flagsOf, listAnswer } from "../object-list.ts";
import { parseInterfaceXml } from "./interface-xml.ts";
import { type Interface, type Interfaces, interfaceReference } from "./interfaces.ts";

const F = VirConnectListAllInterfacesFlags;
const filters: FilterGroups<Interface> = [
  [
    [F.VIR_CONNECT_LIST_INTERFACES_ACTIVE, ({ active }) => active],
    [F.VIR_CONNECT_LIST_INTERFACES_INACTIVE, ({ active }) => !active],
  ],
];
const NO_FLAGS = 0;

/** Interfaces of the host. */
export function interfaceProcedures(interfaces: Interfaces) {
  const names = (active: boolean) =>
    [...interfaces].filter((each) => each.active === active).map(({ definition }) => definition.name);
  const checkNames = (maxnames: number) =>
    checkListCount("maxnames", maxnames, "REMOTE_INTERFACE_LIST_MAX", REMOTE_INTERFACE_LIST_MAX);

  return {
    connectNumOfInterfaces: () => ({ num: names(true).length }),
    connectListInterfaces({ maxnames }) {
      checkNames(maxnames);
      return { names: names(true).slice(0, maxnames) };
    },
    connectNumOfDefinedInterfaces: () => ({ num: names(false).length }),
    connectListDefinedInterfaces({ maxnames }) {
      checkNames(maxnames);
      return { names: names(false).slice(0, maxnames) };
    },
    connectListAllInterfaces({ needResults, flags }) {
      checkFlags(flags, flagsOf(filters), "virConnectListAllInterfaces");
      const references = filtered(interfaces, filters, flags).map(({ definition }) => interfaceReference(definition));
      const { found, ret } = listAnswer(references, needResults);
      return { ifaces: found, ret };
    },
    interfaceLookupByName: ({ name }) => ({ iface: interfaceReference(interfaces.named(name).definition) }),
    interfaceLookupByMacString({ mac }) {
      const found = [...interfaces].filter(({ definition }) => definition.mac.toLowerCase() === mac.toLowerCase());
      const [first] = found;
      if (first === undefined) {
        throw driverError(VirErrorNumber.VIR_ERR_NO_INTERFACE, `no interface with matching mac '${mac}'`);
      }
      if (found.length > 1) throw driverError(VirErrorNumber.VIR_ERR_MULTIPLE_INTERFACES);
      return { iface: { name: first.definition.name, mac } };
    },
    interfaceIsActive: ({ iface }) => ({ active: interfaces.named(iface.name).active ? 1 : 0 }),
    interfaceGetXmlDesc({ iface, flags }) {
      // Nothing is detected here: what is and what is configured are the same.
      checkFlags(flags, VirInterfaceXMLFlags.VIR_INTERFACE_XML_INACTIVE, "virInterfaceGetXMLDesc");
      return { xml: interfaces.named(iface.name).definition.xml };
    },
    interfaceDefineXml({ xml, flags }) {
      checkFlags(flags, VirInterfaceDefineFlags.VIR_INTERFACE_DEFINE_VALIDATE, "virInterfaceDefineXML");
      return { iface: interfaces.define(parseInterfaceXml(xml)) };
    },
    interfaceUndefine: ({ iface }) => interfaces.undefine(iface.name),
    interfaceCreate({ iface, flags }) {
      checkFlags(flags, NO_FLAGS, "virInterfaceCreate");
      interfaces.setActive(iface.name, true);
    },
    interfaceDestroy({ iface, flags }) {
      checkFlags(flags, NO_FLAGS, "virInterfaceDestroy");
      interfaces.setActive(iface.name, false);
    },
    interfaceChangeBegin({ flags }) {
      checkFlags(flags, NO_FLAGS, "virInterfaceChangeBegin");
      interfaces.begin();
    },
    interfaceChangeCommit({ flags }) {
      checkFlags(flags, NO_FLAGS, "virInterfaceChangeCommit");
      interfaces.commit();
    },
    interfaceChangeRollback({ flags }) {
      checkFlags(flags, NO_FLAGS, "virInterfaceChangeRollback");
      interfaces.rollback();
    },
  } satisfies DriverHandlers;
}
