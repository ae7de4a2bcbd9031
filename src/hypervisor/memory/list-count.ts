import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { virtError } from "../../rpc/index.ts";

/**
 * Refuses how many a caller has room for, where no list can be that long.
 *
 * @param field as in `maxnames > REMOTE_DOMAIN_SNAPSHOT_LIST_MAX`.
 * @source what gendispatch.pl writes into libvirt's remote_daemon_dispatch_stubs.h.
 */
export function checkListCount(field: string, count: number, limitName: string, limit: number): void {
  const complain = (detail: string) => virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_RPC, detail);
  if (count < 0) throw complain(`${field} must be non-negative`);
  if (count > limit) throw complain(`${field} > ${limitName}`);
}
