import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { BufferPool, type Lease, type Misuse } from "../../src/buffer/index.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("size classes", () => {
  test("pool/size: a lease has as many bytes as were asked for, its slab the next power of two", () => {
    const pool = new BufferPool();
    const cases = [
      [0, 4 * KIB],
      [1, 4 * KIB],
      [4096, 4 * KIB],
      [4097, 8 * KIB],
      [65_536, 64 * KIB],
      [65_537, 128 * KIB],
      [MIB, MIB],
      [MIB + 1, MIB + 1], // exactly, and not kept
    ] as const;
    for (const [bytes, slab] of cases) {
      const before = pool.stats.allocated - pool.stats.free;
      const lease = pool.tryAcquire(bytes) as Lease;
      expect([lease.bytes.length, pool.stats.allocated - pool.stats.free - before]).toEqual([bytes, slab]);
      lease.release();
    }
    expect(pool.stats).toMatchObject({ leases: 0, waiting: 0, overdrawn: 0, taken: 8 });
  });

  test("pool/plain: bytes are a plain Uint8Array, whose slice is a copy", () => {
    using lease = new BufferPool().tryAcquire(10) as Lease;
    expect(lease.bytes.constructor).toBe(Uint8Array);
  });

  test("pool/senseless: sizes that are none, or that the pool may never have", async () => {
    const pool = new BufferPool({ capacity: 64 * KIB });
    for (const bytes of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 64 * KIB + 1]) {
      expect(() => pool.tryAcquire(bytes)).toThrow(RangeError);
      await expect(pool.acquire(bytes)).rejects.toThrow(RangeError);
    }
    expect(pool.stats.allocated).toBe(0);
    expect(() => new BufferPool({ capacity: 100 })).toThrow(RangeError);
    expect(() => new BufferPool({ capacity: Number.NaN })).toThrow(RangeError);
  });

  test("pool/again: memory is used again, without a view of its own while the length stays the same", () => {
    const pool = new BufferPool();
    const first = pool.tryAcquire(50_000) as Lease;
    const { bytes } = first;
    first.release();
    const second = pool.tryAcquire(50_000) as Lease;
    expect(second).not.toBe(first);
    expect(second.bytes).toBe(bytes);
    expect(pool.stats).toMatchObject({ made: 1, taken: 2, allocated: 64 * KIB, free: 0, leases: 1 });
  });

  test("pool/max-free: what waits for use is bounded, the rest is given up", () => {
    const pool = new BufferPool({ maxFree: 128 * KIB });
    const leases = [1, 2, 3, 4].map(() => pool.tryAcquire(64 * KIB) as Lease);
    expect(pool.stats.allocated).toBe(256 * KIB);
    for (const lease of leases) lease.release();
    expect(pool.stats).toMatchObject({ allocated: 128 * KIB, free: 128 * KIB, leases: 0 });
    (pool.tryAcquire(2 * MIB) as Lease).release();
    expect(pool.stats.allocated).toBe(128 * KIB);
  });
});

describe("leases", () => {
  test("lease/slice: keeps the slab alive; the last one to go gives it back", () => {
    const pool = new BufferPool();
    const whole = pool.tryAcquire(8192) as Lease;
    whole.bytes.set([1, 2, 3, 4, 5, 6]);
    const middle = whole.slice(1, 5);
    const end = middle.slice(2);
    const copy = middle.slice();
    whole.release();
    middle.release();
    copy.release();
    expect([...end.bytes]).toEqual([4, 5]);
    expect(pool.stats).toMatchObject({ leases: 1, free: 0 });
    const other = pool.tryAcquire(8192) as Lease;
    other.bytes.fill(9);
    expect([...end.bytes]).toEqual([4, 5]);
    end.release();
    other.release();
    expect(pool.stats).toMatchObject({ leases: 0, free: 16 * KIB, allocated: 16 * KIB });
  });

  test("lease/counts-once: released again it changes nothing, used again it throws", () => {
    const pool = new BufferPool();
    const lease = pool.tryAcquire(10) as Lease;
    const slice = lease.slice(0, 5);
    lease.release();
    lease.release();
    lease[Symbol.dispose]();
    expect(pool.stats).toMatchObject({ leases: 1, free: 0 });
    expect(slice.bytes.length).toBe(5);
    expect(() => lease.bytes).toThrow(TypeError);
    expect(() => lease.slice(0)).toThrow("after its release");
    slice.release();
    expect(pool.stats.leases).toBe(0);
  });

  test("lease/using: a scope gives it back", () => {
    const pool = new BufferPool();
    {
      using lease = pool.tryAcquire(10) as Lease;
      lease.bytes[0] = 1;
      expect(pool.stats.leases).toBe(1);
    }
    expect(pool.stats.leases).toBe(0);
  });

  test("lease/adopt: bytes of elsewhere are counted as leases, not as the pool's memory", () => {
    const pool = new BufferPool();
    const bytes = Uint8Array.of(1, 2, 3);
    const lease = pool.adopt(bytes);
    const slice = lease.slice(1);
    expect(lease.bytes).toBe(bytes);
    lease.release();
    expect([...slice.bytes]).toEqual([2, 3]);
    expect(pool.stats).toMatchObject({ leases: 1, allocated: 0 });
    slice.release();
    expect(pool.stats).toMatchObject({ leases: 0, allocated: 0, free: 0 });
  });
});

describe("the cap", () => {
  test("pool/waits: who asks for more than there is waits, first come, first served", async () => {
    const pool = new BufferPool({ capacity: 128 * KIB });
    const held = [await pool.acquire(64 * KIB), await pool.acquire(64 * KIB)];
    const order: string[] = [];
    const large = pool.acquire(128 * KIB).then((lease) => {
      order.push("large");
      return lease;
    });
    const small = pool.acquire(10).then((lease) => {
      order.push("small");
      return lease;
    });
    expect(pool.stats.waiting).toBe(2);
    expect(pool.tryAcquire(10)).toBeUndefined();
    held[0]?.release();
    expect(pool.tryAcquire(10)).toBeUndefined(); // there is room, but others were first
    await Promise.resolve();
    expect(order).toEqual([]);
    held[1]?.release();
    (await large).release();
    (await small).release();
    expect(order).toEqual(["large", "small"]);
    expect(pool.stats).toMatchObject({ waiting: 0, leases: 0 });
    expect(pool.stats.allocated).toBeLessThanOrEqual(128 * KIB);
  });

  test("pool/makes-room: slabs of other sizes that wait for use are given up before anybody waits", () => {
    const pool = new BufferPool({ capacity: 128 * KIB });
    for (const lease of Array.from({ length: 32 }, () => pool.tryAcquire(4096) as Lease)) lease.release();
    expect(pool.stats.free).toBe(128 * KIB);
    const large = pool.tryAcquire(100_000);
    expect(large?.bytes.length).toBe(100_000);
    expect(pool.stats).toMatchObject({ allocated: 128 * KIB, free: 0 });
  });

  test("pool/cancel: a wait ends with the signal's reason, and those behind it move up", async () => {
    const pool = new BufferPool({ capacity: 128 * KIB });
    const held = await pool.acquire(64 * KIB);
    const reason = new Error("no patience");
    const end = new AbortController();
    const large = pool.acquire(128 * KIB, { signal: end.signal });
    const small = pool.acquire(64 * KIB);
    end.abort(reason);
    await expect(large).rejects.toBe(reason);
    (await small).release();
    await expect(pool.acquire(1, { signal: end.signal })).rejects.toBe(reason);
    held.release();
    expect(pool.stats).toMatchObject({ waiting: 0, leases: 0 });
  });

  test("pool/cancel-late: a signal after the wait takes nothing back, and nothing listens to it", async () => {
    const pool = new BufferPool({ capacity: 64 * KIB });
    const end = new AbortController();
    const held = await pool.acquire(64 * KIB);
    const waiting = pool.acquire(64 * KIB, { signal: end.signal });
    held.release();
    const lease = await waiting;
    end.abort();
    expect(lease.bytes.length).toBe(64 * KIB);
    lease.release();
    expect(pool.stats).toMatchObject({ leases: 0, waiting: 0 });
  });

  test("pool/random: whatever is asked for and given back, it never has more than the cap", async () => {
    let seed = 42;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const capacity = 512 * KIB;
    const pool = new BufferPool({ capacity, maxFree: 100 * KIB, debug: true });
    const held: Lease[] = [];
    let waiting = 0;
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 3000; i++) {
      const choice = random(10);
      if (choice < 4) {
        const lease = pool.tryAcquire(random(200 * KIB));
        if (lease !== undefined) held.push(lease);
      } else if (choice < 5) {
        waiting++;
        const arrived = pool.acquire(random(capacity)).then((lease) => {
          waiting--;
          held.push(lease);
        });
        waits.push(arrived);
      } else if (choice < 6 && held.length > 0) {
        held.push((held[random(held.length)] as Lease).slice());
      } else if (held.length > 0) {
        held.splice(random(held.length), 1)[0]?.release();
      }
      if (random(20) === 0) await Promise.resolve();
      const { allocated, free, leases } = pool.stats;
      expect(allocated).toBeLessThanOrEqual(capacity);
      expect(free).toBeLessThanOrEqual(100 * KIB);
      expect(free).toBeLessThanOrEqual(allocated);
      expect(leases).toBeGreaterThanOrEqual(held.length);
    }
    while (waiting > 0 || held.length > 0) {
      held.pop()?.release();
      await Promise.resolve();
    }
    await Promise.all(waits);
    expect(pool.open).toEqual([]);
    const { allocated, free, leases } = pool.stats;
    expect([allocated - free, leases]).toEqual([0, 0]);
  });
});

describe("debug", () => {
  function watched() {
    const misuses: Misuse[] = [];
    const pool = new BufferPool({ debug: true, onMisuse: (misuse) => misuses.push(misuse) });
    return { pool, misuses };
  }
  function theTaker(pool: BufferPool): Lease {
    return pool.tryAcquire(100) as Lease;
  }
  function theReleaser(lease: Lease): void {
    lease.release();
  }

  test("debug/poison: bytes are overwritten when they come back, not while a slice is out", () => {
    const { pool } = watched();
    const lease = theTaker(pool);
    const { bytes } = lease;
    bytes.fill(1);
    const slice = lease.slice(0, 1);
    lease.release();
    expect(bytes[50]).toBe(1);
    slice.release();
    expect(new Set(bytes)).toEqual(new Set([0xdb]));
  });

  test("debug/use-after-release: says who took it and who gave it back", () => {
    const { pool, misuses } = watched();
    const lease = theTaker(pool);
    theReleaser(lease);
    expect(() => lease.bytes).toThrow(/100 bytes were taken here[\s\S]*theTaker[\s\S]*released here[\s\S]*theReleaser/);
    expect(misuses).toEqual([]);
  });

  test("debug/late-write: found when the slab is given out again, with the stacks of its last holder", () => {
    const { pool, misuses } = watched();
    const lease = theTaker(pool);
    const { bytes } = lease;
    theReleaser(lease);
    bytes[7] = 1;
    pool.tryAcquire(100)?.release();
    expect(misuses).toMatchObject([{ kind: "late-write", bytes: 4096 }]);
    expect(misuses[0]?.message).toMatch(/byte 7 [\s\S]*theTaker[\s\S]*theReleaser/);
    pool.tryAcquire(100)?.release();
    expect(misuses).toHaveLength(1);
  });

  test("debug/open: the leases that are out, with the stack of who took each", () => {
    const { pool } = watched();
    const lease = theTaker(pool);
    const slice = lease.slice(0, 10);
    expect(pool.open.map(({ bytes }) => bytes)).toEqual([100, 10]);
    expect(pool.open[0]?.stack).toContain("theTaker");
    lease.release();
    slice.release();
    expect(pool.open).toEqual([]);
  });

  test("debug/leak: a lease that nobody released and nobody has any more is reported", async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const { pool, misuses } = watched();
    const lose = () => {
      theTaker(pool).slice(0, 10);
    };
    lose();
    for (let i = 0; i < 1000 && misuses.length < 2; i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(misuses.map(({ kind }) => kind)).toEqual(["leak", "leak"]);
    expect(misuses.map(({ bytes }) => bytes).sort()).toEqual([10, 100]);
    expect(misuses[0]?.message).toMatch(/was never released[\s\S]*at lose/);
    expect(pool.open).toEqual([]);
    expect(pool.stats.leases).toBe(2); // its memory is not used again: somebody may still have a view of it
  });

  test("debug/switch: leases taken before are not watched, those after are", () => {
    const pool = new BufferPool();
    const before = theTaker(pool);
    pool.debug = true;
    const after = theTaker(pool);
    expect(pool.open).toHaveLength(1);
    before.release();
    after.release();
    expect(pool.open).toEqual([]);
    expect(() => before.bytes).toThrow("says whose");
    expect(() => after.bytes).toThrow("theTaker");
  });
});
