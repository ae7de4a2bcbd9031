import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { domainError } from "../driver-errors.ts";

/** A point in a domain's past that can be named: a snapshot or a checkpoint. */
export interface Moment {
  readonly name: string;
  /** The moment that this one followed. It need not exist any more. */
  parentName: string | undefined;
}

/** Which moments are wanted, of those below one or of all. */
export interface MomentFilter<M extends Moment> {
  /** Those below this one; without it, all. */
  readonly from?: M | undefined;
  /** Those directly below only: without `from`, the roots. */
  readonly direct: boolean;
  /** True: only such as have none below them; false: only such as have. */
  readonly leaves?: boolean | undefined;
  readonly fits?: (moment: M) => boolean;
}

/**
 * The moments of a domain: trees, by the names of their parents.
 *
 * @source libvirt src/conf/virdomainmomentobjlist.c.
 */
export class MomentList<M extends Moment> {
  readonly #byName = new Map<string, M>();
  /** The one that the domain's present state goes back to. */
  current: M | undefined;

  [Symbol.iterator](): IterableIterator<M> {
    return this.#byName.values();
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): M | undefined {
    return this.#byName.get(name);
  }

  /** @throws {VirtError} VIR_ERR_OPERATION_FAILED where the name is taken */
  add(moment: M): void {
    if (this.#byName.has(moment.name)) {
      throw domainError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, `domain moment ${moment.name} already exists`);
    }
    this.#byName.set(moment.name, moment);
  }

  /** Puts a moment in the place of the one of its name, whose children become its own. */
  replace(moment: M): void {
    if (this.current?.name === moment.name) this.current = moment;
    this.#byName.set(moment.name, moment);
  }

  clear(): void {
    this.#byName.clear();
    this.current = undefined;
  }

  /** In their order: a parent comes before those below it. */
  list({ from, direct, leaves, fits = () => true }: MomentFilter<M>): M[] {
    const below = this.#index();
    const found: M[] = [];
    const open = [...(below.get(from?.name) ?? [])].reverse();
    for (let moment = open.pop(); moment !== undefined; moment = open.pop()) {
      const children = below.get(moment.name) ?? [];
      if ((leaves === undefined || leaves === (children.length === 0)) && fits(moment)) found.push(moment);
      if (!direct) open.push(...[...children].reverse());
    }
    return found;
  }

  /**
   * Refuses a parent that does not exist or that would make a ring.
   *
   * @throws {VirtError} VIR_ERR_INVALID_ARG.
   * @source virDomainMomentCheckCycles.
   */
  checkParent({ name, parentName }: Moment): void {
    if (parentName === undefined) return;
    const refuse = (detail: string) => domainError(VirErrorNumber.VIR_ERR_INVALID_ARG, detail);
    if (parentName === name) throw refuse(`cannot set moment ${name} as its own parent`);
    let other = this.get(parentName);
    if (other === undefined) throw refuse(`parent ${parentName} for moment ${name} not found`);
    for (; other?.parentName !== undefined; other = this.get(other.parentName)) {
      if (other.parentName === name) throw refuse(`parent ${other.name} would create cycle to ${name}`);
    }
  }

  /**
   * Removes a moment. What is below it goes with it (`all`), goes alone (`below`), or moves up to its parent (`one`).
   *
   * @source testDomainSnapshotDelete and testDomainCheckpointDelete, libvirt src/test/test_driver.c.
   */
  delete(moment: M, what: "one" | "all" | "below"): void {
    if (what === "one") {
      for (const child of this.list({ from: moment, direct: true })) child.parentName = moment.parentName;
    } else {
      for (const each of this.list({ from: moment, direct: false })) {
        this.#byName.delete(each.name);
        if (this.current === each) this.current = moment;
      }
    }
    if (what === "below") return;
    this.#byName.delete(moment.name);
    if (this.current === moment) {
      this.current = moment.parentName === undefined ? undefined : this.get(moment.parentName);
    }
  }

  /** What is directly below each name; below `undefined`, those whose parent does not exist. */
  #index(): Map<string | undefined, M[]> {
    const below = new Map<string | undefined, M[]>();
    for (const moment of this) {
      const { parentName } = moment;
      const parent = parentName !== undefined && this.#byName.has(parentName) ? parentName : undefined;
      const siblings = below.get(parent);
      if (siblings === undefined) below.set(parent, [moment]);
      else siblings.push(moment);
    }
    return below;
  }
}
