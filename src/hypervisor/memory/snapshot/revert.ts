import {
  VirDomainShutoffReason,
  VirDomainSnapshotRevertFlags,
  VirErrorNumber,
} from "../../../generated/libvirt/index.ts";
import type { Domain } from "../domain.ts";
import { renamed } from "../domain-xml.ts";
import { driverError, operationInvalid } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { dropManagedSave } from "../save/managed-save.ts";
import { FROM_SNAPSHOT } from "../start-cause.ts";
import { isOnline, type Snapshot } from "./snapshot.ts";

const { VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING: RUNNING, VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED: PAUSED } =
  VirDomainSnapshotRevertFlags;

/**
 * Takes a domain back to a snapshot: its definition, and whether there is a guest. A snapshot keeps no memory of its
 * own: guests in memory never write to theirs, so that it is always what booting leaves there.
 *
 * @throws {VirtError}
 * @source testDomainRevertToSnapshot, libvirt src/test/test_driver.c.
 */
export async function revert(host: Host, domain: Domain, snapshot: Snapshot, flags: number): Promise<void> {
  const forced = flags & (RUNNING | PAUSED);
  const online = isOnline(snapshot);
  if (domain.config === undefined && !online && forced === 0) {
    const detail = "transient domain needs to request run or pause to revert to inactive snapshot";
    throw operationInvalid(detail);
  }
  if (snapshot.definition === undefined) {
    const detail = `snapshot '${snapshot.name}' lacks domain '${domain.name}' rollback info`;
    throw driverError(VirErrorNumber.VIR_ERR_SNAPSHOT_REVERT_RISKY, detail);
  }
  if (domain.outgoing !== undefined || domain.incoming !== undefined) {
    throw operationInvalid(`domain '${domain.name}' is being migrated`);
  }
  const { name } = domain;
  const definition = snapshot.definition.name === name ? snapshot.definition : renamed(snapshot.definition, name);
  const start = online || forced !== 0;
  domain.snapshots.current = undefined;
  const persistent = domain.config !== undefined;
  host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT);
  if (persistent) domain.config = definition;
  if (start) {
    const paused = forced === 0 ? snapshot.state === "paused" : forced === PAUSED;
    dropManagedSave(domain);
    await host.boot(domain, definition, paused, FROM_SNAPSHOT);
  }
  // It may have been deleted, or replaced, while the guest booted.
  domain.snapshots.current = domain.snapshots.get(snapshot.name);
}
