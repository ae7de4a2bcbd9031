import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { EventStream } from "../../src/api/events/event-stream.ts";

const closed = async () => {};

async function take<Event>(stream: EventStream<Event>, count: number) {
  const seen: unknown[] = [];
  for (let i = 0; i < count; i++) seen.push((await stream.next()).value);
  return seen;
}

describe("event stream", () => {
  test("order: events that came before the first read are there, in order", async () => {
    const stream = new EventStream<string>({}, closed);
    for (const event of ["a", "b", "c"]) stream.push(event);
    expect(await take(stream, 3)).toEqual(["a", "b", "c"]);
  });

  test("waiting: several reads at once are served in order", async () => {
    const stream = new EventStream<string>({}, closed);
    const reads = [stream.next(), stream.next()];
    stream.push("a");
    stream.push("b");
    expect((await Promise.all(reads)).map(({ value }) => value)).toEqual(["a", "b"]);
  });

  test("overflow: the oldest give way to a gap that says how many", async () => {
    const stream = new EventStream<number>({ buffer: 3 }, closed);
    for (let i = 0; i < 10; i++) stream.push(i);
    expect(await take(stream, 4)).toEqual([{ kind: "gap", reason: "overflow", missed: 7 }, 7, 8, 9]);
    stream.push(10);
    expect(await take(stream, 1)).toEqual([10]);
  });

  test("overflow: a long run through a small buffer keeps count", async () => {
    const stream = new EventStream<number>({ buffer: 100 }, closed);
    let seen = 0;
    let missed = 0;
    for (let i = 0; i < 50_000; i++) {
      stream.push(i);
      if (i % 3 !== 0) continue;
      const { value } = await stream.next();
      if (typeof value === "number") seen++;
      else missed += value.missed ?? 0;
    }
    stream.end();
    for await (const event of stream) {
      if (typeof event === "number") seen++;
      else missed += event.missed ?? 0;
    }
    expect(seen + missed).toBe(50_000);
    expect(missed).toBeGreaterThan(0);
  });

  test("end: what is buffered is read first, then it is over", async () => {
    const stream = new EventStream<string>({}, closed);
    stream.push("a");
    stream.end();
    stream.push("late");
    expect(await stream.next()).toEqual({ done: false, value: "a" });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("end: an error is told once, after what is buffered; whoever waits gets it at once", async () => {
    const error = new Error("gone");
    const buffered = new EventStream<string>({}, closed);
    buffered.push("a");
    buffered.end(error);
    expect((await buffered.next()).value).toBe("a");
    await expect(buffered.next()).rejects.toBe(error);
    expect((await buffered.next()).done).toBe(true);

    const waiting = new EventStream<string>({}, closed);
    const read = waiting.next();
    waiting.end(error);
    await expect(read).rejects.toBe(error);
    expect((await waiting.next()).done).toBe(true);
  });

  test("close: leaving the loop takes the registration back, once", async () => {
    const onClose = vi.fn(closed);
    const stream = new EventStream<string>({}, onClose);
    stream.push("a");
    stream.push("b");
    for await (const event of stream) {
      expect(event).toBe("a");
      break;
    }
    expect(onClose).toHaveBeenCalledTimes(1);
    expect((await stream.next()).done).toBe(true);
  });

  test("signal: rejects with an AbortError after what is buffered, and lets go of the signal", async () => {
    const abort = new AbortController();
    const onClose = vi.fn(closed);
    const stream = new EventStream<string>({ signal: abort.signal }, onClose);
    stream.push("a");
    abort.abort();
    expect((await stream.next()).value).toBe("a");
    await expect(stream.next()).rejects.toMatchObject({ name: "AbortError" });
    expect(onClose).toHaveBeenCalledTimes(1);

    const other = new AbortController();
    const done = new EventStream<string>({ signal: other.signal }, closed);
    expect(getEventListeners(other.signal, "abort")).toHaveLength(1);
    await done.close();
    expect(getEventListeners(other.signal, "abort")).toEqual([]);
  });

  test.each([0, -1, 1.5, Number.NaN])("buffer: %s is refused", (buffer) => {
    expect(() => new EventStream({ buffer }, closed)).toThrow(RangeError);
  });
});
