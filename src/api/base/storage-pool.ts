import type { NonnullStoragePool } from "../../generated/remote/index.ts";
import { UniqueObject } from "./object.ts";

export abstract class StoragePoolBase extends UniqueObject<NonnullStoragePool> {
  /** virStoragePoolGetName */
  getName(): string {
    return this.ref.name;
  }
}
