import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { virtError } from "../../rpc/index.ts";

/** Rejects: what a function that passes file descriptors does here. */
export async function noDescriptors(name: string): Promise<never> {
  const detail = `${name}: file descriptors cannot be passed without native code`;
  throw virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_RPC, detail);
}
