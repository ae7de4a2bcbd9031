import type { NonnullNetworkPort } from "../../generated/remote/index.ts";
import { Network } from "../generated/network.ts";
import { UniqueObject } from "./object.ts";

export abstract class NetworkPortBase extends UniqueObject<NonnullNetworkPort> {
  /** virNetworkPortGetNetwork */
  getNetwork(): Network {
    return new Network(this.connection, this.ref.net);
  }
}
