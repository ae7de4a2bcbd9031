import type { NonnullNodeDevice } from "../../generated/remote/index.ts";
import { ApiObject } from "./object.ts";

export abstract class NodeDeviceBase extends ApiObject<NonnullNodeDevice> {
  /** virNodeDeviceGetName */
  getName(): string {
    return this.ref.name;
  }
}
