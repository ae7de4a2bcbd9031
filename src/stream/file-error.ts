import { VirErrorDomain } from "../generated/libvirt/index.ts";
import { systemError } from "../rpc/index.ts";
import { builtin } from "./builtin.ts";

/** What a file could not do, in libvirt's words: VIR_ERR_SYSTEM_ERROR with errno. Other errors stay what they are. */
export function fileError(error: unknown, detail: string): unknown {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (errno === undefined || syscall === undefined) return error;
  const [, text = String(error)] = builtin("node:util").getSystemErrorMap().get(errno) ?? [];
  return systemError(
    VirErrorDomain.VIR_FROM_STREAMS,
    -errno,
    `${text.charAt(0).toUpperCase()}${text.slice(1)}`,
    detail,
  );
}

/** Runs `work`; where a file fails, says what was being done. */
export async function withFile<T>(detail: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(error, detail);
  }
}
