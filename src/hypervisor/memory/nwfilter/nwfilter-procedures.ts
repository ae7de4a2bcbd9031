import { VirNWFilterBindingCreateFlags, VirNWFilterDefineFlags } from "../../../generated/libvirt/index.ts";
import {
  type NonnullNwfilter,
  type NonnullNwfilterBinding,
  REMOTE_NWFILTER_LIST_MAX,
} from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags } from "../driver-errors.ts";
import { checkListCount } from "../list-count.ts";
import { listAnswer } from "../object-list.ts";
import { type BindingDefinition, type FilterDefinition, parseBindingXml, parseFilterXml } from "./nwfilter-xml.ts";
import type { Nwfilters } from "./nwfilters.ts";

const NO_FLAGS = 0;

/** Network filters and their bindings. */
export function nwfilterProcedures(nwfilters: Nwfilters) {
  const define = (xml: string) => ({ nwfilter: filterReference(nwfilters.define(parseFilterXml(xml))) });

  return {
    connectNumOfNwfilters: () => ({ num: nwfilters.filters.size }),
    connectListNwfilters({ maxnames }) {
      checkListCount("maxnames", maxnames, "REMOTE_NWFILTER_LIST_MAX", REMOTE_NWFILTER_LIST_MAX);
      return { names: [...nwfilters.filters].slice(0, maxnames).map(({ name }) => name) };
    },
    connectListAllNwfilters({ needResults, flags }) {
      checkFlags(flags, NO_FLAGS, "virConnectListAllNWFilters");
      const { found, ret } = listAnswer([...nwfilters.filters].map(filterReference), needResults);
      return { filters: found, ret };
    },
    nwfilterLookupByName: ({ name }) => ({ nwfilter: filterReference(nwfilters.named(name)) }),
    nwfilterLookupByUuid: ({ uuid }) => ({ nwfilter: filterReference(nwfilters.find({ uuid })) }),
    nwfilterGetXmlDesc({ nwfilter, flags }) {
      checkFlags(flags, NO_FLAGS, "virNWFilterGetXMLDesc");
      return { xml: nwfilters.find(nwfilter).xml };
    },
    nwfilterDefineXml: ({ xml }) => define(xml),
    nwfilterDefineXmlFlags({ xml, flags }) {
      checkFlags(flags, VirNWFilterDefineFlags.VIR_NWFILTER_DEFINE_VALIDATE, "virNWFilterDefineXMLFlags");
      return define(xml);
    },
    nwfilterUndefine: ({ nwfilter }) => nwfilters.undefine(nwfilters.find(nwfilter)),

    connectListAllNwfilterBindings({ needResults, flags }) {
      checkFlags(flags, NO_FLAGS, "virConnectListAllNWFilterBindings");
      const { found, ret } = listAnswer([...nwfilters.bindings.values()].map(bindingReference), needResults);
      return { bindings: found, ret };
    },
    nwfilterBindingLookupByPortDev: ({ name }) => ({ nwfilter: bindingReference(nwfilters.binding(name)) }),
    nwfilterBindingGetXmlDesc({ nwfilter, flags }) {
      checkFlags(flags, NO_FLAGS, "virNWFilterBindingGetXMLDesc");
      return { xml: nwfilters.binding(nwfilter.portdev).xml };
    },
    nwfilterBindingCreateXml({ xml, flags }) {
      const { VIR_NWFILTER_BINDING_CREATE_VALIDATE } = VirNWFilterBindingCreateFlags;
      checkFlags(flags, VIR_NWFILTER_BINDING_CREATE_VALIDATE, "virNWFilterBindingCreateXML");
      const binding = parseBindingXml(xml);
      nwfilters.bind(binding);
      return { nwfilter: bindingReference(binding) };
    },
    nwfilterBindingDelete({ nwfilter }) {
      nwfilters.binding(nwfilter.portdev);
      nwfilters.bindings.delete(nwfilter.portdev);
    },
  } satisfies DriverHandlers;
}

function filterReference({ name, uuid }: FilterDefinition): NonnullNwfilter {
  return { name, uuid };
}

function bindingReference({ portDev, filter }: BindingDefinition): NonnullNwfilterBinding {
  return { portdev: portDev, filtername: filter };
}
