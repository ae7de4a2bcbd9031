import { formatUuid } from "./uuid.ts";

/** Something that a host has under a name and a UUID. */
export interface NamedObject {
  readonly name: string;
  readonly uuid: Uint8Array;
}

/** Objects of one kind, in the order in which they came. */
export class ObjectList<T extends NamedObject> {
  readonly #byUuid = new Map<string, T>();
  readonly #byName = new Map<string, T>();

  [Symbol.iterator](): IterableIterator<T> {
    return this.#byUuid.values();
  }

  get size(): number {
    return this.#byUuid.size;
  }

  byName(name: string): T | undefined {
    return this.#byName.get(name);
  }

  byUuid(uuid: Uint8Array): T | undefined {
    return this.#byUuid.get(formatUuid(uuid));
  }

  add(object: T): void {
    this.#byUuid.set(formatUuid(object.uuid), object);
    this.#byName.set(object.name, object);
  }

  remove(object: T): void {
    this.#byUuid.delete(formatUuid(object.uuid));
    this.#byName.delete(object.name);
  }
}

/** Filters in groups, by flag. Of each group that has a flag set, an object must fit one that is set. */
export type FilterGroups<T> = readonly (readonly (readonly [flag: number, fits: (object: T) => boolean])[])[];

/** The objects that the flags of a list call ask for. */
export function filtered<T>(objects: Iterable<T>, groups: FilterGroups<T>, flags: number): T[] {
  const set = groups.map((group) => group.filter(([flag]) => (flags & flag) !== 0)).filter((group) => group.length > 0);
  return [...objects].filter((object) => set.every((group) => group.some(([, fits]) => fits(object))));
}

/** Every flag that the groups know. */
export function flagsOf<T>(groups: FilterGroups<T>): number {
  return groups.flat().reduce((all, [flag]) => all | flag, 0);
}

/** What a modern list call answers: the objects, where they are wanted, and how many they are. */
export function listAnswer<T>(objects: readonly T[], needResults: number): { found: T[]; ret: number } {
  return { found: needResults === 0 ? [] : [...objects], ret: objects.length };
}
