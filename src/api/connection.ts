import type { OpenedConnection, Stream } from "../client/index.ts";
import type { AdminClient } from "../generated/admin/index.ts";
import type { LxcClient } from "../generated/lxc/index.ts";
import type { QemuClient } from "../generated/qemu/index.ts";
import { connectGetLibVersion, connectGetVersion, type RemoteClient } from "../generated/remote/index.ts";
import type { CallOptions } from "../xdr/index.ts";
import { EventMethods } from "./events/methods.ts";
import { lazy } from "./lazy.ts";

/** An open connection to a daemon, with the whole API: `CoreConnection` and the C API's functions as methods. */
export class Connection extends EventMethods {
  /** Every procedure of the REMOTE program as a method. Its module is loaded with the first call. */
  readonly remote: RemoteClient<Stream>;
  readonly qemu: QemuClient<Stream>;
  readonly lxc: LxcClient<Stream>;
  readonly admin: AdminClient<Stream>;

  /** For connections that `connect` or `connectTransport` opened. */
  constructor(opened: OpenedConnection) {
    super(opened);
    this.remote = lazy(async () => new (await import("../generated/remote/index.ts")).RemoteClient(this));
    this.qemu = lazy(async () => new (await import("../generated/qemu/index.ts")).QemuClient(this));
    this.lxc = lazy(async () => new (await import("../generated/lxc/index.ts")).LxcClient(this));
    this.admin = lazy(async () => new (await import("../generated/admin/index.ts")).AdminClient(this));
  }

  /** virConnectGetLibVersion, since 0.7.3: the daemon's release, major * 1000000 + minor * 1000 + release. */
  async getLibVersion(options?: CallOptions): Promise<number> {
    return Number((await this.call(connectGetLibVersion, undefined, options)).libVer);
  }

  /** virConnectGetVersion, since 0.0.3: the hypervisor's version, major * 1000000 + minor * 1000 + release. */
  async getVersion(options?: CallOptions): Promise<number> {
    return Number((await this.call(connectGetVersion, undefined, options)).hvVer);
  }
}
