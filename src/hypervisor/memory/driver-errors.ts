import { VirErrorDomain, VirErrorLevel, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { VirtError, virtError } from "../../rpc/index.ts";

/**
 * Whose errors these are. libvirt has no number for this driver; VIR_FROM_TEST is its own in-memory driver's, which is
 * the nearest. What libvirt's shared code reports (XML, clashes of names) comes from VIR_FROM_DOMAIN there as here.
 */
export const DRIVER = VirErrorDomain.VIR_FROM_TEST;

type Code = (typeof VirErrorNumber)[keyof typeof VirErrorNumber];

/** An error of this driver: libvirt's template of the code with the detail in it. */
export function driverError(code: Code, detail?: string): VirtError {
  return virtError(code, DRIVER, detail);
}

/** An error that libvirt's code for domain objects and their XML reports, whichever the driver. */
export function domainError(code: Code, detail?: string): VirtError {
  return virtError(code, VirErrorDomain.VIR_FROM_DOMAIN, detail);
}

export const operationInvalid = (detail: string): VirtError =>
  driverError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, detail);

export const operationFailed = (detail: string): VirtError =>
  driverError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);

export const invalidArgument = (detail: string): VirtError => driverError(VirErrorNumber.VIR_ERR_INVALID_ARG, detail);

export const notRunning = (): VirtError => operationInvalid("domain is not running");

/**
 * Refuses flags that an API does not know.
 *
 * @throws {VirtError} VIR_ERR_INVALID_ARG in the words of virCheckFlags, libvirt src/internal.h. They name the function
 *   of the driver that the error is of: `testDomainCreateXML` for virDomainCreateXML.
 */
export function checkFlags(flags: number, supported: number, api: string): void {
  const odd = (flags & ~supported) >>> 0;
  if (odd === 0) return;
  const name = api.replace(/^vir/, "test");
  throw badArgument(name, "flags", `unsupported flags (0x${odd.toString(16)}) in function ${name}`, DRIVER);
}

/** A number in a call's arguments that its answer has no room for: the daemon says so, not the driver. */
export const rpcError = (detail: string): VirtError =>
  virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_RPC, detail);

/**
 * An argument that an API refuses: VIR_ERR_INVALID_ARG, whose text here is all of the message.
 *
 * @source virReportInvalidArg, libvirt src/util/virerror.h.
 */
export function badArgument(
  api: string | undefined,
  argument: string,
  message: string,
  domain: number = VirErrorDomain.VIR_FROM_DOMAIN,
): VirtError {
  const extra = { ...(api !== undefined && { str1: api }), str2: argument, int1: 0, int2: 0 };
  return new VirtError(message, VirErrorNumber.VIR_ERR_INVALID_ARG, domain, VirErrorLevel.VIR_ERR_ERROR, extra);
}
