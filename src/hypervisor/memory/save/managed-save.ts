import { VirDomainShutoffReason } from "../../../generated/libvirt/index.ts";
import type { Domain } from "../domain.ts";
import { checkAbiStability, type DomainDefinition } from "../domain-xml.ts";
import { operationInvalid } from "../driver-errors.ts";
import { idleGuest } from "../guest-job.ts";
import type { Host } from "../host.ts";
import { restoreInto } from "./restore.ts";
import { chosen } from "./save-flags.ts";

let lastVersion = 0;

/** A number that no saved guest of this process has had. */
export const nextVersion = (): number => ++lastVersion;

/**
 * Stops a guest and keeps what it was, for the next start.
 *
 * @source testDomainManagedSave, libvirt src/test/test_driver.c: it keeps nothing.
 */
export function managedSave(host: Host, domain: Domain, changed: DomainDefinition | undefined, flags: number): void {
  domain.active;
  if (domain.config === undefined) throw operationInvalid("cannot do managed save for transient domain");
  const { definition, memory, state } = idleGuest(domain);
  if (changed !== undefined) checkAbiStability(definition, changed);
  const running = chosen(flags) ?? state === "running";
  const { bytes, total } = memory;
  host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_SAVED); // which gives the memory back to the host
  const kept = host.memory.adopt(bytes, total);
  domain.managedSave = { definition: changed ?? definition, running, memory: kept, version: nextVersion() };
}

/** Starts a domain from what was kept of it. What was kept stays where that fails. */
export async function startFromManagedSave(host: Host, domain: Domain, paused: boolean): Promise<void> {
  const saved = domain.managedSave!;
  const { bytes, total } = saved.memory;
  saved.memory.free(); // the guest takes its place
  domain.managedSave = undefined;
  try {
    await restoreInto(host, domain, saved.definition, saved.running && !paused, async (target) => {
      target.set(bytes.subarray(0, target.byteLength));
    });
  } catch (error) {
    if (domain.guest === undefined && domain.config !== undefined) {
      domain.managedSave = { ...saved, memory: host.memory.adopt(bytes, total) };
    }
    throw error;
  }
}

/** Forgets what managed save kept, if it kept anything. */
export function dropManagedSave(domain: Domain): void {
  domain.managedSave?.memory.free();
  domain.managedSave = undefined;
}
