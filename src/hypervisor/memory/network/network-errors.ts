import { VirErrorDomain, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../../rpc/index.ts";

/** An error of libvirt's code for networks, whichever the driver. */
export function networkError(code: (typeof VirErrorNumber)[keyof typeof VirErrorNumber], detail?: string): VirtError {
  return virtError(code, VirErrorDomain.VIR_FROM_NETWORK, detail);
}

export const networkXmlError = (detail: string): VirtError => networkError(VirErrorNumber.VIR_ERR_XML_ERROR, detail);
