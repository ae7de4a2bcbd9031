import { describe, expect, test } from "vitest";
import { AbortError } from "../../src/rpc/index.ts";
import { RateLimit } from "../../src/stream/index.ts";
import { FakeClock } from "./fake-clock.ts";

function limit(bytesPerSecond: number, burst?: number) {
  const clock = new FakeClock();
  const rate = new RateLimit({ bytesPerSecond, clock, ...(burst !== undefined && { burst }) });
  /** When each of those that take in turn may go, in milliseconds. */
  const times: number[] = [];
  const take = (bytes: number, signal?: AbortSignal) => rate.take(bytes, signal).then(() => times.push(clock.now()));
  return { clock, rate, times, take };
}

describe("rate limit", () => {
  test("the burst goes at once, the rest as it comes, in order", async () => {
    const { clock, times, take } = limit(1000, 500);
    for (const bytes of [200, 300, 100, 400]) void take(bytes);
    await clock.pass(5000);
    expect(times).toEqual([0, 0, 100, 500]);
    expect(clock.timers).toBe(0);
  });

  test("a pause fills the bucket to its burst and no further", async () => {
    const { clock, times, take } = limit(1000, 500);
    void take(500);
    await clock.pass(60_000);
    void take(500);
    void take(100);
    await clock.pass(1000);
    expect(times).toEqual([0, 60_000, 60_100]);
  });

  test("what is larger than the burst goes when the bucket is full, and is paid for afterwards", async () => {
    const { clock, times, take } = limit(1000, 500);
    void take(2500);
    void take(500);
    await clock.pass(10_000);
    expect(times).toEqual([0, 2500]);
  });

  test("the rate may be changed while somebody waits", async () => {
    const { clock, rate, times, take } = limit(1000, 1000);
    void take(1000);
    void take(1000);
    await clock.pass(500); // half of it has come
    rate.bytesPerSecond = 5000;
    await clock.pass(1000);
    expect(times).toEqual([0, 600]);
  });

  test("0 stops, more goes on, Infinity is no limit", async () => {
    const { clock, rate, times, take } = limit(0, 10);
    void take(10);
    void take(10);
    await clock.pass(1000);
    expect(times).toEqual([0]);
    expect(clock.timers).toBe(0);
    rate.bytesPerSecond = 10;
    await clock.pass(1000);
    expect(times).toEqual([0, 2000]);
    void take(1 << 30);
    await clock.pass(1);
    rate.bytesPerSecond = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) void take(1 << 30);
    await clock.pass(1);
    expect(times.slice(2)).toEqual([2001, 2001, 2001, 2001]);
  });

  test("many small pieces have the mean that was asked for", async () => {
    const { clock, times, take } = limit(1_000_000, 1000);
    for (let i = 0; i < 1000; i++) void take(777);
    await clock.pass(10_000);
    expect(times.length).toBe(1000);
    expect(times.at(-1)).toBeGreaterThanOrEqual(775);
    expect(times.at(-1)).toBeLessThanOrEqual(778);
  });

  test("who gives up does not count, and lets the others by", async () => {
    const { clock, rate, times, take } = limit(100, 100);
    void take(100);
    const giveUp = new AbortController();
    const waiting = rate.take(100, giveUp.signal);
    void take(10);
    await clock.pass(50);
    giveUp.abort("enough");
    await expect(waiting).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
    await clock.pass(1000);
    expect(times).toEqual([0, 100]);
    expect(clock.timers).toBe(0);
    await expect(rate.take(1, AbortSignal.abort())).rejects.toThrow(AbortError);
  });

  test.each([-1, Number.NaN])("a rate of %s is refused", (bytesPerSecond) => {
    expect(() => new RateLimit({ bytesPerSecond })).toThrow(RangeError);
    const rate = new RateLimit({ bytesPerSecond: 1 });
    expect(() => {
      rate.bytesPerSecond = bytesPerSecond;
    }).toThrow(RangeError);
  });

  test.each([0, -1, Number.NaN])("a burst of %s is refused", (burst) => {
    expect(() => new RateLimit({ bytesPerSecond: 1, burst })).toThrow(RangeError);
  });
});
