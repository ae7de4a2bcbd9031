import type { NonnullNwfilter } from "../../generated/remote/index.ts";
import { UniqueObject } from "./object.ts";

export abstract class NWFilterBase extends UniqueObject<NonnullNwfilter> {
  /** virNWFilterGetName */
  getName(): string {
    return this.ref.name;
  }
}
