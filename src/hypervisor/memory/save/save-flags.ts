import { VirDomainSaveRestoreFlags as Save, VirErrorDomain } from "../../../generated/libvirt/index.ts";
import { exclusiveFlags } from "../flags.ts";

/** How a guest is to go on; with neither, as it was. */
export const CHOICE = Save.VIR_DOMAIN_SAVE_RUNNING | Save.VIR_DOMAIN_SAVE_PAUSED;

/** @throws {VirtError} VIR_ERR_INVALID_ARG where a guest is to be both running and paused */
export function checkChoice(flags: number): void {
  const both = ["VIR_DOMAIN_SAVE_RUNNING", "VIR_DOMAIN_SAVE_PAUSED"] as const;
  exclusiveFlags(flags, Save, both, VirErrorDomain.VIR_FROM_DOMAIN);
}

/** Whether the flags say that the guest is to go on running. */
export function chosen(flags: number): boolean | undefined {
  return (flags & CHOICE) === 0 ? undefined : (flags & Save.VIR_DOMAIN_SAVE_RUNNING) !== 0;
}
