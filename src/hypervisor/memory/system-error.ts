import { getSystemErrorName } from "node:util";
import { type VirtError, systemError as virtSystemError } from "../../rpc/index.ts";
import { DRIVER } from "./driver-errors.ts";

/**
 * What Node said of a failed system call, in libvirt's words: `cannot read domain image '/x': No such file or directory`,
 * errno in int1. What is no system call's failure comes through as it is.
 *
 * @source virReportSystemError, libvirt src/util/virerror.h.
 */
export function systemError(error: unknown, detail: string): unknown {
  return isErrno(error) ? virtSystem(error, detail) : error;
}

function virtSystem({ errno, message }: ErrnoError, detail: string): VirtError {
  // `ENOENT: no such file or directory, open '/x'`: C's text for it but for the capital, as a rule.
  const code = getSystemErrorName(errno);
  const [, nodes = code] = /^[A-Z0-9]+: ([^,]+)/.exec(message) ?? [];
  const text = others.get(code) ?? nodes.charAt(0).toUpperCase() + nodes.slice(1);
  return virtSystemError(DRIVER, Math.abs(errno), text, detail);
}

/** Where Node's text for a file's failure is not C's. @source strerror(3), glibc */
const others = new Map([
  ["EBUSY", "Device or resource busy"],
  ["EEXIST", "File exists"],
  ["EIO", "Input/output error"],
  ["EISDIR", "Is a directory"],
  ["ELOOP", "Too many levels of symbolic links"],
  ["ENAMETOOLONG", "File name too long"],
  ["ETXTBSY", "Text file busy"],
  ["EXDEV", "Invalid cross-device link"],
]);

type ErrnoError = Error & { readonly errno: number };

function isErrno(error: unknown): error is ErrnoError {
  return error instanceof Error && typeof (error as Partial<ErrnoError>).errno === "number";
}
