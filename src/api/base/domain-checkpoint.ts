import type { NonnullDomainCheckpoint } from "../../generated/remote/index.ts";
import { Domain } from "../generated/domain.ts";
import { ApiObject } from "./object.ts";

export abstract class DomainCheckpointBase extends ApiObject<NonnullDomainCheckpoint> {
  /** virDomainCheckpointGetName */
  getName(): string {
    return this.ref.name;
  }

  /** virDomainCheckpointGetDomain */
  getDomain(): Domain {
    return new Domain(this.connection, this.ref.dom);
  }
}
