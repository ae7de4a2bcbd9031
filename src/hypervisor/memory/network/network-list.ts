import { VirConnectListAllNetworksFlags, VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type NonnullNetwork, REMOTE_NETWORK_LIST_MAX } from "../../../generated/remote/index.ts";
import { driverError } from "../driver-errors.ts";
import { type FilterGroups, ObjectList } from "../object-list.ts";
import { formatUuid } from "../uuid.ts";
import { Network } from "./network.ts";
import { networkError } from "./network-errors.ts";
import type { NetworkDefinition } from "./network-xml.ts";

const F = VirConnectListAllNetworksFlags;

/** @source virNetworkMatch, libvirt src/conf/virnetworkobj.c. */
export const networkFilters: FilterGroups<Network> = [
  [
    [F.VIR_CONNECT_LIST_NETWORKS_ACTIVE, (net) => net.active],
    [F.VIR_CONNECT_LIST_NETWORKS_INACTIVE, (net) => !net.active],
  ],
  [
    [F.VIR_CONNECT_LIST_NETWORKS_PERSISTENT, (net) => net.persistent],
    [F.VIR_CONNECT_LIST_NETWORKS_TRANSIENT, (net) => !net.persistent],
  ],
  [
    [F.VIR_CONNECT_LIST_NETWORKS_AUTOSTART, (net) => net.autostart],
    [F.VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART, (net) => !net.autostart],
  ],
];

/** The networks of a host. */
export class NetworkList extends ObjectList<Network> {
  /**
   * Finds what a reference means: its UUID alone decides.
   *
   * @throws {VirtError} VIR_ERR_NO_NETWORK.
   */
  find({ uuid }: Pick<NonnullNetwork, "uuid">): Network {
    const network = this.byUuid(uuid);
    if (network !== undefined) return network;
    throw noNetwork(`no network with matching uuid '${formatUuid(uuid)}'`);
  }

  /** @throws {VirtError} VIR_ERR_NO_NETWORK. */
  named(name: string): Network {
    const network = this.byName(name);
    if (network !== undefined) return network;
    throw noNetwork(`no network with matching name '${name}'`);
  }

  /**
   * The network that a definition is for: the one of its name and UUID, or a new one, which is not yet in the list.
   *
   * @param what `inactive`: an active network will not do.
   * @throws {VirtError} where name or UUID belong to another network.
   * @source virNetworkObjAssignDefLocked, libvirt src/conf/virnetworkobj.c.
   */
  claim(definition: NetworkDefinition, what: "any" | "inactive"): Network {
    const same = this.byUuid(definition.uuid);
    if (same !== undefined) {
      if (same.name !== definition.name) {
        const detail = `network '${same.name}' is already defined with uuid ${formatUuid(same.uuid)}`;
        throw networkError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);
      }
      if (what === "inactive" && same.active) {
        const detail = `network is already active as '${same.name}'`;
        throw networkError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, detail);
      }
      return same;
    }
    const namesake = this.byName(definition.name);
    if (namesake !== undefined) {
      const detail = `network '${definition.name}' already exists with uuid ${formatUuid(namesake.uuid)}`;
      throw networkError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);
    }
    if (this.size >= REMOTE_NETWORK_LIST_MAX) {
      const detail = `a host has at most ${REMOTE_NETWORK_LIST_MAX} networks`; // more could not be listed
      throw networkError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);
    }
    return new Network(definition);
  }
}

function noNetwork(detail: string) {
  return driverError(VirErrorNumber.VIR_ERR_NO_NETWORK, detail);
}
