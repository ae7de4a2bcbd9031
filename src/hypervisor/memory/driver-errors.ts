import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { type VirtError, virtError } from "../../rpc/index.ts";

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
 * @throws {VirtError} VIR_ERR_INVALID_ARG in the words of virCheckFlags, libvirt src/internal.h.
 */
export function checkFlags(flags: number, supported: number, api: string): void {
  const odd = (flags & ~supported) >>> 0;
  if (odd !== 0) throw invalidArgument(`unsupported flags (0x${odd.toString(16)}) in function ${api}`);
}
