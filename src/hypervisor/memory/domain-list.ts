import { VirConnectListAllDomainsFlags, VirDomainState, VirErrorNumber } from "../../generated/libvirt/index.ts";
import { type NonnullDomain, REMOTE_DOMAIN_LIST_MAX } from "../../generated/remote/index.ts";
import { Domain } from "./domain.ts";
import type { DomainDefinition } from "./domain-xml.ts";
import { domainError, driverError } from "./driver-errors.ts";
import { formatUuid } from "./uuid.ts";

const F = VirConnectListAllDomainsFlags;

/**
 * The filters in groups. Of each group that has a bit set, a domain must fit one that is set.
 *
 * @source virDomainObjMatchFilter, libvirt src/conf/virdomainobjlist.c.
 */
const filters: readonly (readonly [flag: number, fits: (domain: Domain) => boolean])[][] = [
  [
    [F.VIR_CONNECT_LIST_DOMAINS_ACTIVE, (d) => d.guest !== undefined],
    [F.VIR_CONNECT_LIST_DOMAINS_INACTIVE, (d) => d.guest === undefined],
  ],
  [
    [F.VIR_CONNECT_LIST_DOMAINS_PERSISTENT, (d) => d.config !== undefined],
    [F.VIR_CONNECT_LIST_DOMAINS_TRANSIENT, (d) => d.config === undefined],
  ],
  [
    [F.VIR_CONNECT_LIST_DOMAINS_RUNNING, (d) => d.shown[0] === VirDomainState.VIR_DOMAIN_RUNNING],
    [F.VIR_CONNECT_LIST_DOMAINS_PAUSED, (d) => d.shown[0] === VirDomainState.VIR_DOMAIN_PAUSED],
    [F.VIR_CONNECT_LIST_DOMAINS_SHUTOFF, (d) => d.shown[0] === VirDomainState.VIR_DOMAIN_SHUTOFF],
    [F.VIR_CONNECT_LIST_DOMAINS_OTHER, (d) => d.shown[0] === VirDomainState.VIR_DOMAIN_PMSUSPENDED],
  ],
  [
    [F.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, (d) => d.managedSave !== undefined],
    [F.VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE, (d) => d.managedSave === undefined],
  ],
  [
    [F.VIR_CONNECT_LIST_DOMAINS_AUTOSTART, (d) => d.autostart],
    [F.VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART, (d) => !d.autostart],
  ],
  [
    [F.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, (d) => d.snapshots.size > 0],
    [F.VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT, (d) => d.snapshots.size === 0],
  ],
  [
    [F.VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT, (d) => d.checkpoints.size > 0],
    [F.VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT, (d) => d.checkpoints.size === 0],
  ],
];

/** Every flag that a list of domains may be filtered by. */
export const LIST_FLAGS = filters.flat().reduce((all, [flag]) => all | flag, 0);

/** The domains of a host, by UUID and by name. */
export class DomainList {
  readonly #byUuid = new Map<string, Domain>();
  readonly #byName = new Map<string, Domain>();

  [Symbol.iterator](): IterableIterator<Domain> {
    return this.#byUuid.values();
  }

  get size(): number {
    return this.#byUuid.size;
  }

  filter(flags: number): Domain[] {
    const set = filters
      .map((group) => group.filter(([flag]) => (flags & flag) !== 0))
      .filter((group) => group.length > 0);
    return [...this].filter((domain) => set.every((group) => group.some(([, fits]) => fits(domain))));
  }

  byName(name: string): Domain | undefined {
    return this.#byName.get(name);
  }

  byUuid(uuid: Uint8Array): Domain | undefined {
    return this.#byUuid.get(formatUuid(uuid));
  }

  byId(id: number): Domain | undefined {
    for (const domain of this) if (domain.guest?.id === id) return domain;
    return undefined;
  }

  /**
   * Finds what a reference means: its UUID alone decides.
   *
   * @throws {VirtError} VIR_ERR_NO_DOMAIN.
   */
  find(reference: NonnullDomain): Domain {
    const domain = this.byUuid(reference.uuid);
    if (domain !== undefined) return domain;
    const detail = `no domain with matching uuid '${formatUuid(reference.uuid)}' (${reference.name})`;
    throw driverError(VirErrorNumber.VIR_ERR_NO_DOMAIN, detail);
  }

  /**
   * The domain that a definition is for: the one of its name and UUID, or a new one, which is not yet in the list.
   *
   * @param what `inactive`: an active domain will not do.
   * @throws {VirtError} where name or UUID belong to another domain.
   * @source virDomainObjListAddLocked, libvirt src/conf/virdomainobjlist.c.
   */
  claim(definition: DomainDefinition, what: "any" | "inactive"): Domain {
    const uuid = formatUuid(definition.uuid);
    const same = this.#byUuid.get(uuid);
    if (same !== undefined) {
      if (same.name !== definition.name) {
        const detail = `domain '${same.name}' is already defined with uuid ${uuid}`;
        throw domainError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);
      }
      if (what === "inactive" && same.guest !== undefined) {
        throw domainError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, `domain '${same.name}' is already active`);
      }
      return same;
    }
    const namesake = this.#byName.get(definition.name);
    if (namesake !== undefined) {
      const detail = `domain '${definition.name}' already exists with uuid ${namesake.uuidText}`;
      throw domainError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);
    }
    if (this.size >= REMOTE_DOMAIN_LIST_MAX) {
      const detail = `a host has at most ${REMOTE_DOMAIN_LIST_MAX} domains`; // more could not be listed
      throw domainError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, detail);
    }
    return new Domain(definition.uuid);
  }

  /** Puts in a domain that has a definition by now. */
  add(domain: Domain): void {
    this.#byUuid.set(domain.uuidText, domain);
    this.#byName.set(domain.name, domain);
  }

  remove(domain: Domain, name: string): void {
    this.#byUuid.delete(domain.uuidText);
    this.#byName.delete(name);
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_INVALID where the new name is taken. */
  rename(domain: Domain, to: DomainDefinition): void {
    if (this.#byName.has(to.name)) {
      throw driverError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, `domain with name '${to.name}' already exists`);
    }
    this.#byName.delete(domain.name);
    domain.config = to;
    this.#byName.set(to.name, domain);
  }
}
