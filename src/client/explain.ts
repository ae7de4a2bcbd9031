import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { authList, connectGetLibVersion } from "../generated/remote/index.ts";
import { type Peer, type VirtError, virtError } from "../rpc/index.ts";
import type { Procedure } from "../xdr/index.ts";

// biome-ignore lint/suspicious/noExplicitAny: any procedure will do
type AnyProcedure = Procedure<any, any>;

/**
 * Finds out whether a daemon is too old for a procedure. It says VIR_ERR_RPC then, as it does for much else, so its
 * release is asked for, once, and compared with the procedure's. No text is looked at.
 */
export class Explainer {
  readonly #peer: () => Peer;
  #version: Promise<number | undefined> | undefined;

  constructor(peer: () => Peer) {
    this.#peer = peer;
  }

  /** The error itself, or VIR_ERR_NO_SUPPORT with what is missing, and the error as its cause. */
  readonly explain = (procedure: AnyProcedure, error: VirtError): VirtError | Promise<VirtError> => {
    const { code, domain } = error;
    if (code !== VirErrorNumber.VIR_ERR_RPC) return error;
    if (domain !== VirErrorDomain.VIR_FROM_RPC && domain !== VirErrorDomain.VIR_FROM_REMOTE) return error;
    // Older than authentication, so it cannot be asked before it; nothing else about this call can be wrong.
    if (procedure === authList) return unsupported(`${procedure.name} is unknown to the daemon`, error);
    const { since } = procedure;
    if (procedure === connectGetLibVersion || since === undefined) return error;
    this.#version ??= this.#ask();
    return this.#version.then((version) => {
      if (version === undefined || version >= parseVersion(since)) return error;
      return unsupported(`${procedure.name} needs libvirt ${since}, the daemon is ${formatVersion(version)}`, error);
    });
  };

  async #ask(): Promise<number | undefined> {
    try {
      return Number((await this.#peer().call(connectGetLibVersion, undefined)).libVer);
    } catch {
      this.#version = undefined; // it may know later, when the connection is open
      return undefined;
    }
  }
}

function unsupported(detail: string, cause: VirtError): VirtError {
  return virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_REMOTE, detail, { cause });
}

/** `9.1.0` as daemons say it: 9001000. */
export function parseVersion(text: string): number {
  const [major = 0, minor = 0, release = 0] = text.split(".").map(Number);
  return major * 1_000_000 + minor * 1000 + release;
}

function formatVersion(version: number): string {
  return `${Math.trunc(version / 1_000_000)}.${Math.trunc(version / 1000) % 1000}.${version % 1000}`;
}
