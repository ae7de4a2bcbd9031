import type { NonnullSecret } from "../../generated/remote/index.ts";
import { UniqueObject } from "./object.ts";

export abstract class SecretBase extends UniqueObject<NonnullSecret> {
  /** virSecretGetUsageType: one of VirSecretUsageType. */
  getUsageType(): number {
    return this.ref.usageType;
  }

  /** virSecretGetUsageID */
  getUsageID(): string {
    return this.ref.usageID;
  }
}
