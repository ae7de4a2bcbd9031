import { VirDrvFeature } from "../../generated/libvirt/index.ts";
import { type NonnullNetwork, networkUpdate } from "../../generated/remote/index.ts";
import type { CallOptions } from "../../xdr/index.ts";
import { UniqueObject } from "./object.ts";

export abstract class NetworkBase extends UniqueObject<NonnullNetwork> {
  /** virNetworkGetName */
  getName(): string {
    return this.ref.name;
  }

  /**
   * virNetworkUpdate, since 0.10.2. Rights: network:write, network:save. A daemon without the feature
   * VIR_DRV_FEATURE_NETWORK_UPDATE_HAS_CORRECT_ORDER takes command for section and section for command, which is made
   * up for here.
   * @param command one of VirNetworkUpdateCommand
   * @param section one of VirNetworkUpdateSection
   * @param parentIndex -1 for any
   * @param flags bits of VirNetworkUpdateFlags
   */
  async update(
    command: number,
    section: number,
    parentIndex: number,
    xml: string,
    flags = 0,
    options?: CallOptions,
  ): Promise<void> {
    const feature = VirDrvFeature.VIR_DRV_FEATURE_NETWORK_UPDATE_HAS_CORRECT_ORDER;
    const order = (await this.connection.supportsFeature(feature, options))
      ? { command, section }
      : { command: section, section: command };
    await this.connection.call(networkUpdate, { net: this.ref, ...order, parentIndex, xml, flags }, options);
  }
}
