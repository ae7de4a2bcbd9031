import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import {
  type NonnullNwfilter,
  REMOTE_NWFILTER_BINDING_LIST_MAX,
  REMOTE_NWFILTER_LIST_MAX,
} from "../../../generated/remote/index.ts";
import { ObjectList } from "../object-list.ts";
import { formatUuid } from "../uuid.ts";
import { type BindingDefinition, type FilterDefinition, filterError } from "./nwfilter-xml.ts";

const failed = (detail: string) => filterError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);

/**
 * Network filters and their bindings to ports. libvirt's test driver has none: the rules are its network filter
 * driver's. Nothing is filtered: there is no traffic.
 */
export class Nwfilters {
  readonly filters = new ObjectList<FilterDefinition>();
  readonly bindings = new Map<string, BindingDefinition>();

  /** @throws {VirtError} VIR_ERR_NO_NWFILTER. */
  find({ uuid }: Pick<NonnullNwfilter, "uuid">): FilterDefinition {
    const found = this.filters.byUuid(uuid);
    if (found !== undefined) return found;
    throw filterError(VirErrorNumber.VIR_ERR_NO_NWFILTER, `no nwfilter with matching uuid '${formatUuid(uuid)}'`);
  }

  /** @throws {VirtError} VIR_ERR_NO_NWFILTER. */
  named(name: string): FilterDefinition {
    const found = this.filters.byName(name);
    if (found !== undefined) return found;
    throw filterError(VirErrorNumber.VIR_ERR_NO_NWFILTER, `no nwfilter with matching name '${name}'`);
  }

  /**
   * Defines a filter, or defines it anew.
   *
   * @throws {VirtError} where name or UUID are another's, or filters would include each other.
   * @source virNWFilterObjListAssignDef, libvirt src/conf/virnwfilterobj.c.
   */
  define(definition: FilterDefinition): FilterDefinition {
    const same = this.filters.byUuid(definition.uuid);
    if (same !== undefined && same.name !== definition.name) {
      throw failed(`filter with same UUID but different name ('${same.name}') already exists`);
    }
    const namesake = same === undefined ? this.filters.byName(definition.name) : undefined;
    if (namesake !== undefined) {
      throw failed(`filter '${definition.name}' already exists with uuid ${formatUuid(namesake.uuid)}`);
    }
    const included = this.#included(definition.includes);
    if (included.has(definition.name)) throw failed("filter would introduce a loop");
    if (same !== undefined && this.#needed().has(definition.name)) this.#checkThere(included);
    if (same === undefined && this.filters.size >= REMOTE_NWFILTER_LIST_MAX) {
      throw failed(`a host has at most ${REMOTE_NWFILTER_LIST_MAX} network filters`); // more could not be listed
    }
    this.filters.add(definition);
    return definition;
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID while a binding needs it. */
  undefine(filter: FilterDefinition): void {
    if (this.#needed().has(filter.name)) {
      throw filterError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, "nwfilter is in use");
    }
    this.filters.remove(filter);
  }

  /** @throws {VirtError} VIR_ERR_NO_NWFILTER_BINDING. */
  binding(portDev: string): BindingDefinition {
    const found = this.bindings.get(portDev);
    if (found !== undefined) return found;
    const detail = `no nwfilter binding for port dev '${portDev}'`;
    throw filterError(VirErrorNumber.VIR_ERR_NO_NWFILTER_BINDING, detail);
  }

  /**
   * Binds a filter to a port.
   *
   * @throws {VirtError} where the port has one, or a filter that is needed is missing.
   */
  bind(binding: BindingDefinition): void {
    if (this.bindings.has(binding.portDev)) throw failed(`binding '${binding.portDev}' already exists`);
    this.#checkThere(this.#included([binding.filter]));
    if (this.bindings.size >= REMOTE_NWFILTER_BINDING_LIST_MAX) {
      throw failed(`a host has at most ${REMOTE_NWFILTER_BINDING_LIST_MAX} filter bindings`); // as above
    }
    this.bindings.set(binding.portDev, binding);
  }

  /** @throws {VirtError} where one of these is not there. */
  #checkThere(names: Iterable<string>): void {
    for (const name of names) {
      if (this.filters.byName(name) !== undefined) continue;
      throw filterError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, `referenced filter '${name}' is missing`);
    }
  }

  /** The names of all that bindings need. */
  #needed(): ReadonlySet<string> {
    return this.#included([...this.bindings.values()].map(({ filter }) => filter));
  }

  /** These, and the names of all that they include. Each filter is looked at once, so that chains of any length end. */
  #included(filters: Iterable<string>): ReadonlySet<string> {
    const names = new Set(filters); // grows while it is gone through
    for (const name of names) {
      for (const inner of this.filters.byName(name)?.includes ?? []) names.add(inner);
    }
    return names;
  }
}
