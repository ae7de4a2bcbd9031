import { history, type Slab, type SlabLease, type Taken } from "./slab.ts";

/** A mistake in the use of leases. */
export interface Misuse {
  /** `leak`: collected as garbage without a release. `late-write`: bytes were changed after their release. */
  readonly kind: "leak" | "late-write";
  readonly bytes: number;
  /** What happened, with the stacks of who took the bytes and who gave them back. */
  readonly message: string;
}

const POISON = 0xdb;

/** What a pool in debug mode knows of its leases. */
export class Debugger {
  readonly #report: (misuse: Misuse) => void;
  readonly #open = new Set<Taken>();
  readonly #poisoned = new WeakSet<Slab>();
  #registry: FinalizationRegistry<Taken> | undefined;

  constructor(report: ((misuse: Misuse) => void) | undefined) {
    this.#report = report ?? uncaught;
  }

  get open(): { bytes: number; stack: string }[] {
    return [...this.#open].map(({ bytes, taken }) => ({ bytes, stack: taken }));
  }

  opened(lease: SlabLease, taken: Taken): void {
    this.#open.add(taken);
    this.#registry ??= new FinalizationRegistry((leaked) => {
      this.#open.delete(leaked);
      const message = `a lease was never released\n${history(leaked)}`;
      this.#report({ kind: "leak", bytes: leaked.bytes, message });
    });
    this.#registry.register(lease, taken, taken);
  }

  closed(taken: Taken): void {
    this.#open.delete(taken);
    this.#registry?.unregister(taken);
  }

  poison(slab: Slab): void {
    slab.bytes.fill(POISON);
    this.#poisoned.add(slab);
  }

  /** Looks whether a slab is as it was when it came back. */
  check(slab: Slab): void {
    if (!this.#poisoned.delete(slab)) return;
    const at = slab.bytes.findIndex((byte) => byte !== POISON);
    if (at < 0) return;
    const who = slab.lastHolder === undefined ? "" : `\n${history(slab.lastHolder)}`;
    const message = `byte ${at} of a buffer was changed after its release; the last who held it:${who}`;
    this.#report({ kind: "late-write", bytes: slab.bytes.length, message });
  }
}

function uncaught({ message }: Misuse): void {
  const error = new TypeError(message);
  queueMicrotask(() => {
    throw error;
  });
}
