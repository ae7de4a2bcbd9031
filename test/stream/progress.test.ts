import { expect, test } from "vitest";
import { Meter, type Progress } from "../../src/stream/progress.ts";
import { FakeClock } from "./fake-clock.ts";

test("progress comes ten times a second, and once more at the end with the mean", async () => {
  const clock = new FakeClock();
  const seen: Progress[] = [];
  const meter = new Meter((progress) => seen.push(progress), clock);
  meter.total = 3_100_000;
  for (let i = 0; i < 1000; i++) {
    await clock.pass(1);
    meter.data(3000);
  }
  expect(seen.length).toBe(10);
  expect(seen[0]).toEqual({ bytes: 300_000, holes: 0, total: 3_100_000, rate: 3_000_000 });
  expect(seen.at(-1)?.rate).toBeCloseTo(3_000_000);
  await clock.pass(1000);
  meter.hole(100_000);
  expect(seen.at(-1)).toMatchObject({ bytes: 3_000_000, holes: 100_000 });
  expect(seen.at(-1)?.rate).toBeLessThan(2_000_000); // it does not move, and that shows
  expect(meter.end()).toEqual({ bytes: 3_000_000, holes: 100_000 });
  expect(seen.at(-1)).toEqual({ bytes: 3_000_000, holes: 100_000, total: 3_100_000, rate: 1_500_000 });
});

test("without anybody who listens it only counts", () => {
  const meter = new Meter(undefined, new FakeClock());
  meter.data(5);
  meter.hole(6);
  expect(meter.end()).toEqual({ bytes: 5, holes: 6 });
});
