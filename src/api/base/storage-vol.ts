import type { NonnullStorageVol } from "../../generated/remote/index.ts";
import { ApiObject } from "./object.ts";

export abstract class StorageVolBase extends ApiObject<NonnullStorageVol> {
  /** virStorageVolGetName */
  getName(): string {
    return this.ref.name;
  }

  /** virStorageVolGetKey */
  getKey(): string {
    return this.ref.key;
  }
}
