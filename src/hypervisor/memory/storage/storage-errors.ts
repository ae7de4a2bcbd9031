import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { systemError, type VirtError, virtError } from "../../../rpc/index.ts";

const ENOSPC = 28;

/** An error of libvirt's code for pools and volumes, whichever the driver. */
export function storageError(code: (typeof VirErrorNumber)[keyof typeof VirErrorNumber], detail?: string): VirtError {
  return virtError(code, VirErrorDomain.VIR_FROM_STORAGE, detail);
}

export const storageXmlError = (detail: string): VirtError => storageError(VirErrorNumber.VIR_ERR_XML_ERROR, detail);

/** `cannot write to stream: No space left on device`. */
export function noSpace(detail: string): VirtError {
  return systemError(VirErrorDomain.VIR_FROM_STREAMS, ENOSPC, "No space left on device", detail);
}
