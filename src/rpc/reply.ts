import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { decodeVirNetMessageError, VirNetMessageStatus } from "../generated/netmessage/index.ts";
import { inField, XdrReader } from "../xdr/index.ts";
import type { Call } from "./call.ts";
import type { Header } from "./header.ts";
import type { Explain } from "./peer-options.ts";
import { VirtError, virtError } from "./virt-error.ts";

/**
 * Settles a call with its reply.
 * @param fds how many file descriptors come with it
 */
export function settle(
  call: Call,
  { proc, status }: Header,
  payload: Uint8Array,
  fds: number,
  explain?: Explain,
): void {
  const { number, name, ret } = call.procedure;
  if (proc !== number) {
    const detail = `Unexpected message proc ${proc} != ${number}`;
    call.fail(virtError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, VirErrorDomain.VIR_FROM_RPC, detail));
    return;
  }
  switch (status) {
    case VirNetMessageStatus.VIR_NET_OK: {
      if (fds > 0) {
        const detail = `${name}: the ${fds} file descriptors of the reply cannot be received`;
        call.fail(virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_RPC, detail));
        return;
      }
      let value: unknown;
      try {
        value = ret.decode(new XdrReader(payload));
      } catch (error) {
        call.fail(inField(error, "ret"));
        return;
      }
      call.succeed(value);
      return;
    }
    case VirNetMessageStatus.VIR_NET_ERROR: {
      let error: VirtError;
      try {
        error = VirtError.fromMessage(decodeVirNetMessageError(new XdrReader(payload)));
      } catch (cause) {
        call.fail(inField(cause, "error"));
        return;
      }
      const explained = explain?.(call.procedure, error) ?? error;
      if (explained instanceof Error) call.fail(explained);
      else explained.then((better) => call.fail(better));
      return;
    }
    default: {
      const detail = `Unexpected message status ${status >>> 0}`;
      call.fail(virtError(VirErrorNumber.VIR_ERR_RPC, VirErrorDomain.VIR_FROM_RPC, detail));
    }
  }
}
