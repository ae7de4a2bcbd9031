import { VirErrorNumber } from "../../generated/libvirt/index.ts";
import type { DriverHandlers } from "../hypervisor.ts";
import type { Domain } from "./domain.ts";
import { checkFlags, driverError, invalidArgument } from "./driver-errors.ts";
import type { Host } from "./host.ts";
import { finish, prepare } from "./migration-destination.ts";
import { checkBandwidth, type MigrationRequest, paramsRequest, plainRequest } from "./migration-request.ts";
import { begin, confirm, perform, setMaxSpeed } from "./migration-source.ts";

const NO_FLAGS = 0;

/** Migration by protocol 3, both families of procedures. */
export function migrationProcedures(host: Host) {
  const { domains } = host;

  return {
    domainMigrateBegin3({ dom, xmlin, flags, dname, resource }, { session }) {
      const request = plainRequest({ flags, dname, xml: xmlin, bandwidth: resource }, "virDomainMigrateBegin3");
      return begin(host, domains.find(dom), request, session);
    },
    domainMigrateBegin3Params({ dom, params, flags }, { session }) {
      return begin(host, domains.find(dom), paramsRequest(params, flags, "virDomainMigrateBegin3Params"), session);
    },

    domainMigratePrepare3({ cookieIn, uriIn, flags, dname, resource, domXml }, { session }) {
      const plain = { flags, uri: uriIn, dname, xml: domXml, bandwidth: resource };
      return prepare(host, plainRequest(plain, "virDomainMigratePrepare3"), cookieIn, session);
    },
    domainMigratePrepare3Params({ params, cookieIn, flags }, { session }) {
      const request = paramsRequest(params, flags, "virDomainMigratePrepare3Params");
      if (request.xml === undefined) throw invalidArgument("parameter 'destination_xml' is missing");
      return prepare(host, request, cookieIn, session);
    },

    domainMigratePerform3({ dom, cookieIn, dconnuri, uri, flags, dname, resource }, { session }) {
      const domain = domains.find(dom);
      return performing(domain, () => {
        peerToPeerOnly(dconnuri);
        const request = plainRequest({ flags, uri, dname, bandwidth: resource }, "virDomainMigratePerform3");
        return perform(host, domain, request, cookieIn, session);
      });
    },
    domainMigratePerform3Params({ dom, dconnuri, params, cookieIn, flags }, { session }) {
      const domain = domains.find(dom);
      return performing(domain, () => {
        peerToPeerOnly(dconnuri);
        const request = paramsRequest(params, flags, "virDomainMigratePerform3Params");
        return perform(host, domain, request, cookieIn, session);
      });
    },

    domainMigrateFinish3({ dname, cookieIn, flags, cancelled }) {
      const request = plainRequest({ flags }, "virDomainMigrateFinish3");
      return finish(host, dname, request, cookieIn, cancelled);
    },
    domainMigrateFinish3Params({ params, cookieIn, flags, cancelled }) {
      const request: MigrationRequest = paramsRequest(params, flags, "virDomainMigrateFinish3Params");
      if (request.dname === undefined) throw driverError(VirErrorNumber.VIR_ERR_NO_DOMAIN, "missing domain name");
      return finish(host, request.dname, request, cookieIn, cancelled);
    },

    domainMigrateConfirm3({ dom, cookieIn, flags, cancelled }) {
      confirm(domains.find(dom), plainRequest({ flags }, "virDomainMigrateConfirm3"), cookieIn, cancelled);
    },
    domainMigrateConfirm3Params({ dom, params, cookieIn, flags, cancelled }) {
      const request = paramsRequest(params, flags, "virDomainMigrateConfirm3Params");
      confirm(domains.find(dom), request, cookieIn, cancelled);
    },

    domainMigrateSetMaxSpeed({ dom, bandwidth, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainMigrateSetMaxSpeed");
      const domain = domains.find(dom);
      domain.active;
      checkBandwidth(bandwidth);
      setMaxSpeed(domain, bandwidth);
    },
    domainMigrateGetMaxSpeed({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainMigrateGetMaxSpeed");
      return { bandwidth: domains.find(dom).maxSpeed };
    },
    domainMigrateSetMaxDowntime({ dom, downtime, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainMigrateSetMaxDowntime");
      const domain = domains.find(dom);
      domain.active;
      domain.maxDowntime = downtime;
    },
    domainMigrateGetMaxDowntime({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainMigrateGetMaxDowntime");
      const domain = domains.find(dom);
      domain.active;
      return { downtime: domain.maxDowntime };
    },
  } satisfies DriverHandlers;
}

/** Runs Perform. Refused before it began, it ends the job of Begin too: no Confirm follows a failed Perform. */
async function performing<T>(domain: Domain, run: () => Promise<T>): Promise<T> {
  const begun = domain.outgoing;
  try {
    return await run();
  } catch (error) {
    if (begun?.phase === "begun") begun.move("fail");
    throw error;
  }
}

function peerToPeerOnly(dconnuri: string | null): void {
  if (dconnuri === null) return;
  const detail = "Unexpected dconnuri parameter with non-peer2peer migration";
  throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
}
