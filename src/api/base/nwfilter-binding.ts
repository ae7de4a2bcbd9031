import type { NonnullNwfilterBinding } from "../../generated/remote/index.ts";
import { ApiObject } from "./object.ts";

export abstract class NWFilterBindingBase extends ApiObject<NonnullNwfilterBinding> {
  /** virNWFilterBindingGetPortDev */
  getPortDev(): string {
    return this.ref.portdev;
  }

  /** virNWFilterBindingGetFilterName */
  getFilterName(): string {
    return this.ref.filtername;
  }
}
