import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type NonnullInterface, REMOTE_INTERFACE_LIST_MAX } from "../../../generated/remote/index.ts";
import { driverError, operationInvalid } from "../driver-errors.ts";
import type { InterfaceDefinition } from "./interface-xml.ts";

/** An interface of the host. */
export interface Interface {
  readonly definition: InterfaceDefinition;
  readonly active: boolean;
}

/** The host's interfaces, and what they were before the changes that are under way. */
export class Interfaces {
  #byName = new Map<string, Interface>();
  #before: Map<string, Interface> | undefined;

  [Symbol.iterator](): IterableIterator<Interface> {
    return this.#byName.values();
  }

  /** @throws {VirtError} VIR_ERR_NO_INTERFACE. */
  named(name: string): Interface {
    const found = this.#byName.get(name);
    if (found !== undefined) return found;
    throw driverError(VirErrorNumber.VIR_ERR_NO_INTERFACE, `no interface with matching name '${name}'`);
  }

  /**
   * Defines an interface, or defines it anew: it stays as active as it is. Those that it is made of are no longer
   * interfaces of their own, as with netcf: `virsh iface-bridge` counts on it.
   */
  define(definition: InterfaceDefinition): NonnullInterface {
    const there = this.#byName.get(definition.name);
    if (there === undefined && this.#byName.size >= REMOTE_INTERFACE_LIST_MAX) {
      throw operationInvalid(`a host has at most ${REMOTE_INTERFACE_LIST_MAX} interfaces`); // more cannot be listed
    }
    for (const port of definition.ports) this.#byName.delete(port);
    this.#byName.set(definition.name, { definition, active: there?.active ?? false });
    return interfaceReference(definition);
  }

  undefine(name: string): void {
    this.named(name);
    this.#byName.delete(name);
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID where it is so already. */
  setActive(name: string, active: boolean): void {
    const found = this.named(name);
    if (found.active === active) throw driverError(VirErrorNumber.VIR_ERR_OPERATION_INVALID);
    this.#byName.set(name, { ...found, active });
  }

  /** Begins changes that can be taken back. */
  begin(): void {
    if (this.#before !== undefined) throw operationInvalid("there is another transaction running.");
    this.#before = new Map(this.#byName);
  }

  commit(): void {
    if (this.#before === undefined) throw operationInvalid("no transaction running, nothing to be committed.");
    this.#before = undefined;
  }

  rollback(): void {
    if (this.#before === undefined) throw operationInvalid("no transaction running, nothing to rollback.");
    this.#byName = this.#before;
    this.#before = undefined;
  }
}

/** How an interface is named on the wire. */
export function interfaceReference({ name, mac }: InterfaceDefinition): NonnullInterface {
  return { name, mac };
}
