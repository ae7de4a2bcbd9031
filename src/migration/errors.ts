import { VirErrorDomain, VirErrorLevel, VirErrorNumber } from "../generated/libvirt/index.ts";
import { VirtError, virtError } from "../rpc/index.ts";

/**
 * VIR_ERR_INVALID_ARG as libvirt's functions raise it: the text alone, without the template.
 * @source virReportInvalidArg, libvirt src/util/virerror.h
 */
export function invalidArgument(argument: string, message: string): VirtError {
  const extra = { str1: "virDomainMigrate3", str2: argument, int1: 0, int2: 0 };
  const { VIR_ERR_INVALID_ARG } = VirErrorNumber;
  return new VirtError(
    message,
    VIR_ERR_INVALID_ARG,
    VirErrorDomain.VIR_FROM_DOMAIN,
    VirErrorLevel.VIR_ERR_ERROR,
    extra,
  );
}

/** VIR_ERR_ARGUMENT_UNSUPPORTED. */
export function argumentUnsupported(detail: string): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, VirErrorDomain.VIR_FROM_DOMAIN, detail);
}
