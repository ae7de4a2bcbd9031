import {
  domainGetInfo,
  domainGetState,
  domainMigrateBegin3,
  domainMigrateBegin3Params,
  domainMigrateConfirm3,
  domainMigrateConfirm3Params,
  domainMigrateFinish3,
  domainMigrateFinish3Params,
  domainMigratePerform3,
  domainMigratePerform3Params,
  domainMigratePrepare3,
  domainMigratePrepare3Params,
  type NonnullDomain,
  type TypedParam,
} from "../generated/remote/index.ts";
import type { Caller } from "../xdr/index.ts";
import { stringParameter, ullongParameter } from "./parameters.ts";

/** What a call of the sequence sends, whatever the procedure family. Flags are complete: each host's mask is applied. */
export interface Request {
  readonly host: Caller;
  /** The guest as the source knows it. */
  readonly domain: NonnullDomain;
  readonly params: readonly TypedParam[];
  readonly flags: number;
  readonly cookie: Uint8Array;
}

/**
 * One of the two families of procedures that speak protocol 3: the older with fixed arguments, the newer with a list
 * of typed parameters. Both are driven from the one list; the sequence does not know which it uses.
 */
export interface Family {
  readonly name: "v3" | "v3-params";
  /** VIR_DOMAIN_RUNNING, VIR_DOMAIN_PAUSED, …, asked as libvirt asks it in this family. */
  state(request: Request): Promise<number>;
  begin(request: Request): Promise<{ readonly cookieOut: Uint8Array; readonly xml: string }>;
  prepare(request: Request): Promise<{ readonly cookieOut: Uint8Array; readonly uriOut: string | null }>;
  perform(request: Request): Promise<{ readonly cookieOut: Uint8Array }>;
  finish(
    request: Request & { readonly cancelled: number },
  ): Promise<{ readonly dom: NonnullDomain; readonly cookieOut: Uint8Array }>;
  confirm(request: Request & { readonly cancelled: number }): Promise<void>;
}

/** Procedures 213, 214, 216–218: flags and bandwidth are 64-bit. `destination_xml` is Begin's XML from Prepare on. */
export const classic: Family = {
  name: "v3",
  async state({ host, domain }) {
    return (await host.call(domainGetInfo, { dom: domain })).state;
  },
  begin: ({ host, domain, params, flags }) =>
    host.call(domainMigrateBegin3, {
      dom: domain,
      xmlin: stringParameter(params, "destination_xml"),
      flags: BigInt(flags),
      dname: stringParameter(params, "destination_name"),
      resource: ullongParameter(params, "bandwidth"),
    }),
  prepare: ({ host, params, flags, cookie }) =>
    host.call(domainMigratePrepare3, {
      cookieIn: cookie,
      uriIn: stringParameter(params, "migrate_uri"),
      flags: BigInt(flags),
      dname: stringParameter(params, "destination_name"),
      resource: ullongParameter(params, "bandwidth"),
      domXml: stringParameter(params, "destination_xml") ?? "",
    }),
  perform: ({ host, domain, params, flags, cookie }) =>
    host.call(domainMigratePerform3, {
      dom: domain,
      xmlin: null,
      cookieIn: cookie,
      dconnuri: null,
      uri: stringParameter(params, "migrate_uri"),
      flags: BigInt(flags),
      dname: stringParameter(params, "destination_name"),
      resource: ullongParameter(params, "bandwidth"),
    }),
  finish: ({ host, domain, params, flags, cookie, cancelled }) =>
    host.call(domainMigrateFinish3, {
      dname: stringParameter(params, "destination_name") ?? domain.name,
      cookieIn: cookie,
      dconnuri: null,
      uri: stringParameter(params, "migrate_uri"),
      flags: BigInt(flags),
      cancelled,
    }),
  confirm: ({ host, domain, flags, cookie, cancelled }) =>
    host.call(domainMigrateConfirm3, { dom: domain, cookieIn: cookie, flags: BigInt(flags), cancelled }),
};

/** Procedures 302, 303, 305–307. Every call gets the whole list: drivers check it in every phase.
 * `migrate_uri`, `destination_xml` and `destination_name` in it are kept up to date by the sequence. */
export const extensible: Family = {
  name: "v3-params",
  async state({ host, domain }) {
    return (await host.call(domainGetState, { dom: domain, flags: 0 })).state;
  },
  begin: ({ host, domain, params, flags }) =>
    host.call(domainMigrateBegin3Params, { dom: domain, params: [...params], flags }),
  prepare: ({ host, params, flags, cookie }) =>
    host.call(domainMigratePrepare3Params, { params: [...params], cookieIn: cookie, flags }),
  perform: ({ host, domain, params, flags, cookie }) =>
    host.call(domainMigratePerform3Params, {
      dom: domain,
      dconnuri: null,
      params: [...params],
      cookieIn: cookie,
      flags,
    }),
  finish: ({ host, params, flags, cookie, cancelled }) =>
    host.call(domainMigrateFinish3Params, {
      params: [...params],
      cookieIn: cookie,
      flags,
      cancelled,
    }),
  confirm: ({ host, domain, params, flags, cookie, cancelled }) =>
    host.call(domainMigrateConfirm3Params, { dom: domain, params: [...params], cookieIn: cookie, flags, cancelled }),
};
