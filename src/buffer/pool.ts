import { Debugger, type Misuse } from "./debugger.ts";
import type { Lease } from "./lease.ts";
import { Slab, type SlabLease, type SlabOwner } from "./slab.ts";

/** The smallest slab. */
const SMALLEST = 4096;
/** The largest that is kept for the next one who asks; above that the exact size is allocated each time. */
const LARGEST = 1 << 20;
/** Bytes that idle readers read at once. */
const SCRATCH = 65_536;
const CLASSES = Math.log2(LARGEST / SMALLEST) + 1;

export interface BufferPoolOptions {
  /** Bytes that the pool has at most, those in use and those that wait for use. Default 256 MiB. */
  readonly capacity?: number;
  /** Bytes that wait for use at most; what is above goes to the garbage collector. Default 16 MiB. */
  readonly maxFree?: number;
  /** See `BufferPool.debug`. */
  readonly debug?: boolean;
  /** Learns what debug mode finds. Default: it is thrown where nobody can catch it. */
  readonly onMisuse?: (misuse: Misuse) => void;
}

export interface PoolStats {
  readonly capacity: number;
  /** Bytes of slabs, those in use and those that wait for use. More than the capacity only by `overdrawn`. */
  readonly allocated: number;
  /** Bytes of slabs that wait for use. */
  readonly free: number;
  /** Leases that were not released. */
  readonly leases: number;
  /** Who waits for room. */
  readonly waiting: number;
  /** Bytes above the capacity, of readers that had read already. */
  readonly overdrawn: number;
  /** Slabs given out, and how many of these had to be allocated, since the beginning. */
  readonly taken: number;
  readonly made: number;
}

interface Waiter {
  readonly bytes: number;
  readonly serve: (slab: Slab) => void;
}

/**
 * Memory that is used again and again, in slabs of 4 KiB to 1 MiB by powers of two. It never has more than its
 * capacity: who asks for more waits until others have released theirs, first come, first served.
 */
export class BufferPool implements SlabOwner {
  readonly capacity: number;
  readonly #maxFree: number;
  readonly #debugger: Debugger;
  readonly #free: Slab[][] = Array.from({ length: CLASSES }, () => []);
  readonly #waiters: Waiter[] = [];
  #scratch: Slab | undefined;
  #freeBytes = 0;
  #allocated = 0;
  #leases = 0;
  #taken = 0;
  #made = 0;
  /**
   * Whether leases taken from now on are watched. Then bytes are overwritten when they come back, and looked at again
   * before they are given out (a write after the release), every lease knows the stack of who took it (use after the
   * release, and `open`), and one that the garbage collector finds is reported as leaked. Slow.
   */
  debug: boolean;

  constructor({ capacity = 256 << 20, maxFree = 16 << 20, debug = false, onMisuse }: BufferPoolOptions = {}) {
    if (!(capacity >= SMALLEST)) throw new RangeError(`a pool of ${capacity} bytes: ${SMALLEST} at least`);
    this.capacity = capacity;
    this.#maxFree = maxFree;
    this.debug = debug;
    this.#debugger = new Debugger(onMisuse);
  }

  get stats(): PoolStats {
    return {
      capacity: this.capacity,
      allocated: this.#allocated,
      free: this.#freeBytes,
      leases: this.#leases,
      waiting: this.#waiters.length,
      overdrawn: Math.max(0, this.#allocated - this.capacity),
      taken: this.#taken,
      made: this.#made,
    };
  }

  /** In debug mode, the leases that are not released: how many bytes, and the stack of who took them. */
  get open(): readonly { readonly bytes: number; readonly stack: string }[] {
    return this.#debugger.open;
  }

  /**
   * Waits until there is room for so many bytes, whose content is anything.
   * Rejects with the signal's reason, and with a RangeError for more than the pool may ever have.
   */
  async acquire(bytes: number, options?: { readonly signal?: AbortSignal }): Promise<Lease> {
    const slab = await this.acquireSlab(bytes, options);
    return this.#handOver(slab, bytes);
  }

  /** The same where there is room at once and nobody waits; else undefined. @throws {RangeError} */
  tryAcquire(bytes: number): Lease | undefined {
    const slab = this.trySlab(bytes);
    return slab && this.#handOver(slab, bytes);
  }

  /** A lease on bytes that are not the pool's, so that they can be watched like others. Their memory is not counted. */
  adopt(bytes: Uint8Array): Lease {
    return this.adoptSlab(bytes).lease(bytes);
  }

  // For readers, who hold a slab themselves and give out leases on its parts.

  /**
   * What readers share that have nothing to do: memory whose content is used up before anybody else reads. Nobody
   * takes a lease on it.
   */
  get scratch(): Slab {
    this.#scratch ??= new Slab(this.#adopted, new Uint8Array(SCRATCH));
    return this.#scratch;
  }

  /**
   * A slab to read ahead into, while less than half of the capacity is in use: so that readers which wait for bytes
   * that never come cannot take all there is.
   */
  readSlab(bytes: number): Slab | undefined {
    const inUse = this.#allocated - this.#freeBytes;
    return inUse + bytes > this.capacity / 2 ? undefined : this.trySlab(bytes);
  }

  /** A slab that the caller holds. @throws {RangeError} */
  trySlab(bytes: number): Slab | undefined {
    const size = this.#sizeFor(bytes);
    return this.#waiters.length > 0 ? undefined : this.#take(size);
  }

  /** Waits for a slab that the caller holds then. */
  acquireSlab(bytes: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Slab> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const slab = this.trySlab(bytes);
      if (slab !== undefined) {
        resolve(slab);
        return;
      }
      const waiter: Waiter = {
        bytes: this.#sizeFor(bytes),
        serve: (served) => {
          signal?.removeEventListener("abort", onAbort);
          resolve(served);
        },
      };
      const onAbort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason);
        this.#serve(); // those behind it may want less
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** A slab above the capacity, for bytes that are there already. Who uses it must then wait for room. */
  overdraw(bytes: number): Slab {
    return this.#make(bytes > LARGEST ? bytes : SMALLEST << classOf(bytes));
  }

  /** A slab for `adopt`, which nobody holds yet. */
  adoptSlab(bytes: Uint8Array): Slab {
    return new Slab(this.#adopted, bytes as Uint8Array<ArrayBuffer>);
  }

  // What slabs tell.

  opened(lease: SlabLease): void {
    this.#leases++;
    if (lease.taken !== undefined) this.#debugger.opened(lease, lease.taken);
  }

  closed(lease: SlabLease): void {
    this.#leases--;
    if (lease.taken !== undefined) this.#debugger.closed(lease.taken);
  }

  returned(slab: Slab): void {
    if (this.debug) this.#debugger.poison(slab);
    const size = slab.bytes.length;
    const isKept = size <= LARGEST && this.#freeBytes + size <= this.#maxFree && this.#allocated <= this.capacity;
    if (isKept) {
      (this.#free[classOf(size)] as Slab[]).push(slab);
      this.#freeBytes += size;
    } else {
      this.#allocated -= size;
    }
    if (this.#waiters.length > 0) this.#serve();
  }

  /** Slabs that the pool has not made: nothing comes back. */
  readonly #adopted: SlabOwner = (() => {
    const pool = this;
    return {
      get debug() {
        return pool.debug;
      },
      opened: (lease) => pool.opened(lease),
      closed: (lease) => pool.closed(lease),
      returned: () => {},
    };
  })();

  #handOver(slab: Slab, bytes: number): Lease {
    const lease = slab.lease(slab.first(bytes));
    slab.letGo(); // the lease holds it now
    return lease;
  }

  #sizeFor(bytes: number): number {
    if (!Number.isInteger(bytes) || bytes < 0) throw new RangeError(`${bytes} is no number of bytes`);
    const size = bytes > LARGEST ? bytes : SMALLEST << classOf(bytes);
    if (size > this.capacity) throw new RangeError(`${bytes} bytes of a pool of ${this.capacity}`);
    return size;
  }

  #take(size: number): Slab | undefined {
    const slab = size <= LARGEST ? (this.#free[classOf(size)] as Slab[]).pop() : undefined;
    if (slab === undefined) return this.#makeRoom(size) ? this.#make(size) : undefined;
    this.#freeBytes -= size;
    this.#taken++;
    slab.hold();
    this.#debugger.check(slab);
    return slab;
  }

  #make(size: number): Slab {
    this.#allocated += size;
    this.#made++;
    this.#taken++;
    const slab = new Slab(this, new Uint8Array(size));
    slab.hold();
    return slab;
  }

  /** Gives up slabs of other sizes that wait for use, the largest first. */
  #makeRoom(size: number): boolean {
    if (this.#allocated - this.#freeBytes + size > this.capacity) return false;
    for (let i = CLASSES - 1; this.#allocated + size > this.capacity; ) {
      const slab = (this.#free[i] as Slab[]).pop();
      if (slab === undefined) i--;
      else {
        this.#allocated -= slab.bytes.length;
        this.#freeBytes -= slab.bytes.length;
      }
    }
    return true;
  }

  #serve(): void {
    for (let first = this.#waiters[0]; first !== undefined; first = this.#waiters[0]) {
      const slab = this.#take(first.bytes);
      if (slab === undefined) return;
      this.#waiters.shift();
      first.serve(slab);
    }
  }
}

/** Which power of two, from SMALLEST on, has room for so many bytes. */
function classOf(bytes: number): number {
  return bytes <= SMALLEST ? 0 : 32 - Math.clz32(bytes - 1) - 12;
}

/** The pool of those who name none. */
export const sharedPool: BufferPool = new BufferPool();
