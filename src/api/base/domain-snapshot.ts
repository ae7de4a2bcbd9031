import type { NonnullDomainSnapshot } from "../../generated/remote/index.ts";
import { Domain } from "../generated/domain.ts";
import { ApiObject } from "./object.ts";

export abstract class DomainSnapshotBase extends ApiObject<NonnullDomainSnapshot> {
  /** virDomainSnapshotGetName */
  getName(): string {
    return this.ref.name;
  }

  /** virDomainSnapshotGetDomain */
  getDomain(): Domain {
    return new Domain(this.connection, this.ref.dom);
  }
}
