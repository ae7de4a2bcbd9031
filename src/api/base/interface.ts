import type { NonnullInterface } from "../../generated/remote/index.ts";
import { ApiObject } from "./object.ts";

export abstract class InterfaceBase extends ApiObject<NonnullInterface> {
  /** virInterfaceGetName */
  getName(): string {
    return this.ref.name;
  }

  /** virInterfaceGetMACString */
  getMACString(): string {
    return this.ref.mac;
  }
}
