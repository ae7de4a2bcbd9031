import { VirDomainUndefineFlagsValues as Undefine } from "../../generated/libvirt/index.ts";
import type { Domain } from "./domain.ts";
import { operationInvalid } from "./driver-errors.ts";
import { dropManagedSave } from "./save/managed-save.ts";

/**
 * Refuses to undefine a domain of which more would be lost than its definition, unless the flags say so.
 *
 * @source testDomainUndefineFlags, libvirt src/test/test_driver.c.
 */
export function checkUndefine({ managedSave, guest, snapshots }: Domain, flags: number): void {
  if (managedSave !== undefined && (flags & Undefine.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE) === 0) {
    throw operationInvalid("Refusing to undefine while domain managed save image exists");
  }
  const metadata = Undefine.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;
  if (guest === undefined && snapshots.size > 0 && (flags & metadata) === 0) {
    throw operationInvalid(`cannot delete inactive domain with ${snapshots.size} snapshots`);
  }
}

/** Gives back what was kept of a domain that is undefined. */
export function forget(domain: Domain): void {
  dropManagedSave(domain);
  if (domain.guest !== undefined) return;
  domain.snapshots.clear();
  domain.checkpoints.clear();
}
