import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { REMOTE_DOMAIN_LIST_MAX } from "../../../generated/remote/index.ts";
import type { VirtError } from "../../../rpc/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { LIST_FLAGS } from "../domain-list.ts";
import { checkFlags, driverError } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { checkListCount } from "../list-count.ts";
import { formatUuid } from "../uuid.ts";

const LIMIT = "REMOTE_DOMAIN_LIST_MAX";

/** Which domains there are. */
export function lookupProcedures({ domains }: Host) {
  const active = () => [...domains].flatMap(({ guest }) => (guest === undefined ? [] : [guest.id]));
  const inactive = () => [...domains].flatMap((domain) => (domain.guest === undefined ? [domain.name] : []));
  return {
    domainLookupById({ id }) {
      const domain = domains.byId(id);
      if (domain === undefined) throw noDomain(`id '${id}'`);
      return { dom: domain.reference };
    },
    domainLookupByName({ name }) {
      const domain = domains.byName(name);
      if (domain === undefined) throw noDomain(`name '${name}'`);
      return { dom: domain.reference };
    },
    domainLookupByUuid({ uuid }) {
      const domain = domains.byUuid(uuid);
      if (domain === undefined) throw noDomain(`uuid '${formatUuid(uuid)}'`);
      return { dom: domain.reference };
    },
    connectListAllDomains({ needResults, flags }) {
      checkFlags(flags, LIST_FLAGS, "virConnectListAllDomains");
      const found = domains.filter(flags);
      return { domains: needResults === 0 ? [] : found.map((domain) => domain.reference), ret: found.length };
    },
    connectNumOfDomains: () => ({ num: active().length }),
    connectListDomains({ maxids }) {
      checkListCount("maxids", maxids, LIMIT, REMOTE_DOMAIN_LIST_MAX);
      return { ids: active().slice(0, maxids) };
    },
    connectNumOfDefinedDomains: () => ({ num: inactive().length }),
    connectListDefinedDomains({ maxnames }) {
      checkListCount("maxnames", maxnames, LIMIT, REMOTE_DOMAIN_LIST_MAX);
      return { names: inactive().slice(0, maxnames) };
    },
  } satisfies DriverHandlers;
}

const noDomain = (what: string): VirtError =>
  driverError(VirErrorNumber.VIR_ERR_NO_DOMAIN, `no domain with matching ${what}`);
