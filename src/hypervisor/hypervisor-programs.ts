import { lxcDescription } from "../generated/lxc/index.ts";
import { qemuDescription } from "../generated/qemu/index.ts";
import { type ServedProgram, serve } from "../server/index.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { checkConnection, remoteProgram } from "./remote-program.ts";

/**
 * The programs that libvirtd serves whatever its driver: REMOTE, and beside it QEMU and LXC, here for a driver that has
 * none of their procedures. Clients hear that a function is not supported, not that the daemon lacks a program.
 */
export function hypervisorPrograms(hypervisor: Hypervisor): ServedProgram[] {
  const options = { driver: hypervisor.type, before: checkConnection };
  return [remoteProgram(hypervisor), serve(qemuDescription, {}, options), serve(lxcDescription, {}, options)];
}
