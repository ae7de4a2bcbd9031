import type { Lease } from "./lease.ts";

/** Where slabs come from, and go when nobody holds them any more. */
export interface SlabOwner {
  /** Whether leases are to be watched: who took them, and whether they come back. */
  readonly debug: boolean;
  opened(lease: SlabLease): void;
  closed(lease: SlabLease): void;
  /** Nobody holds the slab. */
  returned(slab: Slab): void;
}

/** A piece of memory that several hold at once. It goes back to its owner when the last one lets go. */
export class Slab {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #owner: SlabOwner;
  #holders = 0;
  /** The last view that began where the slab does: mostly the next one has the same length. */
  #first: Uint8Array<ArrayBuffer>;
  /** In debug mode, who gave it back last. */
  lastHolder: Taken | undefined;

  constructor(owner: SlabOwner, bytes: Uint8Array<ArrayBuffer>) {
    this.#owner = owner;
    this.bytes = bytes;
    this.#first = bytes;
  }

  /** How many hold it. */
  get holders(): number {
    return this.#holders;
  }

  /** The first bytes: the same object as long as the length is the same. */
  first(length: number): Uint8Array<ArrayBuffer> {
    if (this.#first.length !== length) {
      const { buffer, byteOffset } = this.bytes;
      this.#first = length === this.bytes.length ? this.bytes : new Uint8Array(buffer, byteOffset, length);
    }
    return this.#first;
  }

  /** One more holds it, without a lease. */
  hold(): void {
    this.#holders++;
  }

  letGo(): void {
    if (--this.#holders === 0) this.#owner.returned(this);
  }

  /** A lease on a view of the slab's bytes. */
  lease(view: Uint8Array): Lease {
    this.#holders++;
    return new SlabLease(this, view, this.#owner);
  }
}

/** Who took a lease, and who gave it back: stacks, as texts because an error itself keeps alive what is on its stack. */
export interface Taken {
  readonly bytes: number;
  readonly taken: string;
  released: string | undefined;
}

export class SlabLease implements Lease {
  readonly #slab: Slab;
  readonly #owner: SlabOwner;
  #bytes: Uint8Array | undefined;
  /** In debug mode. */
  readonly taken: Taken | undefined;

  constructor(slab: Slab, bytes: Uint8Array, owner: SlabOwner) {
    this.#slab = slab;
    this.#bytes = bytes;
    this.#owner = owner;
    this.taken = owner.debug
      ? { bytes: bytes.length, taken: stackOf(`${bytes.length} bytes were taken here`), released: undefined }
      : undefined;
    owner.opened(this);
  }

  get bytes(): Uint8Array {
    if (this.#bytes === undefined) throw this.#misused();
    return this.#bytes;
  }

  slice(start = 0, end?: number): Lease {
    return this.#slab.lease(this.bytes.subarray(start, end));
  }

  release(): void {
    if (this.#bytes === undefined) return;
    this.#bytes = undefined;
    if (this.taken !== undefined) {
      this.taken.released = stackOf("it was released here");
      this.#slab.lastHolder = this.taken;
    }
    this.#owner.closed(this);
    this.#slab.letGo();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #misused(): TypeError {
    const { taken } = this;
    if (taken === undefined) return new TypeError("a lease was used after its release; a pool with `debug` says whose");
    return new TypeError(`a lease was used after its release\n${history(taken)}`);
  }
}

/** Both stacks, for people. */
export function history({ taken, released }: Taken): string {
  return released === undefined ? taken : `${taken}\n${released}`;
}

function stackOf(what: string): string {
  const error = new Error(what);
  return error.stack ?? error.message;
}
