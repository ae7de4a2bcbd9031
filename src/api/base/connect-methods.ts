import { CoreConnection } from "../../client/index.ts";
import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { connectGetAllDomainStats, connectIsSecure } from "../../generated/remote/index.ts";
import { virtError } from "../../rpc/index.ts";
import type { CallOptions } from "../../xdr/index.ts";
import type { Connection } from "../connection.ts";
import { Domain } from "../generated/domain.ts";
import { type TypedParameters, typedParameters } from "../typed-parameters.ts";

/** Statistics of one guest. */
export interface DomainStats {
  readonly dom: Domain;
  readonly params: TypedParameters;
}

/** What is not one call. */
export abstract class ConnectMethodsBase extends CoreConnection {
  /** virConnectGetURI: the URI that the connection was opened with. */
  getURI(): string {
    return this.uri;
  }

  /** virConnectIsAlive: whether calls can go out now. */
  isAlive(): boolean {
    return this.state === "open";
  }

  /** virConnectIsEncrypted: whether nobody between here and the daemon can read along because of a cipher. */
  isEncrypted(): boolean {
    return this.identity.security.encrypted;
  }

  /** virConnectIsSecure, since 0.7.3: neither the way to the daemon nor the way from it to its hypervisor can be listened to. */
  async isSecure(options?: CallOptions): Promise<boolean> {
    const { secure } = await this.call(connectIsSecure, undefined, options);
    return secure !== 0 && this.identity.secure;
  }

  /**
   * virConnectGetAllDomainStats, since 1.2.8. Rights: connect:search_domains, connect:write; results filtered by
   * domain:read.
   * @param stats bits of VirDomainStatsTypes; 0 for all
   * @param flags bits of VirConnectGetAllDomainStatsFlags, and VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS
   */
  getAllDomainStats(this: Connection, stats = 0, flags = 0, options?: CallOptions): Promise<DomainStats[]> {
    return statsOf(this, [], stats, flags, options);
  }

  /**
   * virDomainListGetStats, since 1.2.8: of some guests. Rejects with VIR_ERR_INVALID_ARG where one is of another
   * connection.
   * @param stats bits of VirDomainStatsTypes; 0 for all
   * @param flags as for `getAllDomainStats`
   */
  async domainListGetStats(
    this: Connection,
    doms: readonly Domain[],
    stats = 0,
    flags = 0,
    options?: CallOptions,
  ): Promise<DomainStats[]> {
    if (doms.some(({ connection }) => connection !== this)) {
      const detail = "a guest of another connection";
      throw virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_DOMAIN, detail);
    }
    // To the procedure no guest means every guest.
    return doms.length === 0 ? [] : statsOf(this, doms, stats, flags, options);
  }
}

async function statsOf(
  connection: Connection,
  doms: readonly Domain[],
  stats: number,
  flags: number,
  options?: CallOptions,
): Promise<DomainStats[]> {
  // With the 32nd bit `|` makes flags negative.
  const args = { doms: doms.map(({ ref }) => ref), stats, flags: flags >>> 0 };
  const { retStats } = await connection.call(connectGetAllDomainStats, args, options);
  return retStats.map(({ dom, params }) => ({ dom: new Domain(connection, dom), params: typedParameters(params) }));
}
