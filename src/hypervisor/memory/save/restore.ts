import { VirDomainShutoffReason } from "../../../generated/libvirt/index.ts";
import type { Domain } from "../domain.ts";
import type { DomainDefinition } from "../domain-xml.ts";
import type { Host } from "../host.ts";
import { RESTORED } from "../start-cause.ts";

/**
 * Starts a guest with memory that was saved. Where that cannot be read to its end there is no guest, and nobody has
 * heard of one.
 */
export async function restoreInto(
  host: Host,
  domain: Domain,
  definition: DomainDefinition,
  running: boolean,
  load: (target: Uint8Array) => Promise<void>,
): Promise<void> {
  try {
    await host.boot(domain, definition, !running, RESTORED, (guest) => load(guest.memory.bytes));
  } catch (error) {
    if (domain.guest?.state === "starting") host.stop(domain, VirDomainShutoffReason.VIR_DOMAIN_SHUTOFF_FAILED);
    throw error;
  }
}
