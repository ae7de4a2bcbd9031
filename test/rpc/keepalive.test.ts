import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { domainLookupByName } from "../../src/generated/remote/index.ts";
import { Peer, type PeerOptions } from "../../src/rpc/index.ts";
import { pair } from "../../src/transport/index.ts";
import { RawEnd } from "./raw-end.ts";
import { frame, KEEPALIVE, MESSAGE, PING, PONG, str } from "./wire.ts";

/** A turn of the event loop in which the pipe, which does not stand on the faked timers, delivers. */
const realImmediate = globalThis.setImmediate;
const turn = () => new Promise<void>((resolve) => realImmediate(() => realImmediate(() => realImmediate(resolve))));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function connected(options: PeerOptions = {}) {
  const [near, far] = pair();
  const peer = new Peer(near, options);
  const ends: (Error | undefined)[] = [];
  peer.onClose((reason) => ends.push(reason));
  return { peer, other: new RawEnd(far), ends };
}

/** Lets seconds pass one by one, and notes in which of them pings came. */
async function seconds(count: number, other: RawEnd, answer?: () => void): Promise<number[]> {
  const pings: number[] = [];
  for (let second = 1; second <= count; second++) {
    vi.advanceTimersByTime(1000);
    await turn();
    if (other.bytes.byteLength > 0) {
      expect(await other.expect()).toMatchObject({
        prog: KEEPALIVE,
        vers: 1,
        proc: 1,
        type: MESSAGE,
        serial: 0,
        status: 0,
      });
      expect(other.bytes).toHaveLength(0);
      pings.push(second);
      answer?.();
      await turn();
    }
  }
  return pings;
}

describe("keepalive", () => {
  test("keepalive/as-libvirtd: pings at 5, 10, 15, 20 and 25 seconds, the end at 30", async () => {
    const { peer, other, ends } = connected();
    peer.setKeepAlive({ interval: 5, count: 5 });
    const call = peer.call(domainLookupByName, { name: "web" }).catch((error: unknown) => error);
    await other.expect();
    expect(await seconds(29, other)).toEqual([5, 10, 15, 20, 25]);
    expect(ends).toEqual([]);
    await seconds(1, other);
    expect(ends).toMatchObject([{ name: "TransportError", code: "keepalive" }]);
    expect(await call).toBe(ends[0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("keepalive/count-0: the end after one interval, without any ping", async () => {
    const { peer, other, ends } = connected();
    peer.setKeepAlive({ interval: 3, count: 0 });
    expect(await seconds(2, other)).toEqual([]);
    expect(ends).toEqual([]);
    expect(await seconds(1, other)).toEqual([]);
    expect(ends).toMatchObject([{ code: "keepalive" }]);
  });

  test("keepalive/answered: pongs keep it alive", async () => {
    const { peer, other, ends } = connected();
    peer.setKeepAlive({ interval: 5, count: 1 });
    expect(await seconds(30, other, () => other.write(PONG))).toEqual([5, 10, 15, 20, 25, 30]);
    expect(ends).toEqual([]);
    await peer.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("keepalive/any-bytes: whatever comes counts, a part of a message too, and begins the interval again", async () => {
    const { peer, other, ends } = connected();
    peer.setKeepAlive({ interval: 5, count: 1 });
    expect(await seconds(3, other)).toEqual([]);
    const event = frame({ proc: 107, type: MESSAGE }, new Uint8Array(4));
    other.write(event.subarray(0, 10));
    await turn();
    expect(await seconds(4, other)).toEqual([]);
    other.write(event.subarray(10));
    await turn();
    expect(await seconds(9, other)).toEqual([5]);
    expect(ends).toEqual([]);
    await seconds(1, other);
    expect(ends).toMatchObject([{ code: "keepalive" }]);
  });

  test("keepalive/what-is-sent-does-not-count", async () => {
    const { peer, other } = connected();
    peer.setKeepAlive({ interval: 5, count: 5 });
    await seconds(3, other);
    peer.call(domainLookupByName, { name: "web" }).catch(() => {});
    expect((await other.expect()).payload).toEqual(str("web"));
    expect(await seconds(2, other)).toEqual([2]);
    await peer.close(new Error("enough"));
  });

  test("keepalive/set-again: replaces what was said, false ends it", async () => {
    const { peer, other, ends } = connected();
    peer.setKeepAlive({ interval: 5, count: 5 });
    peer.setKeepAlive({ interval: 2, count: 5 });
    expect(await seconds(5, other)).toEqual([2, 4]);
    peer.setKeepAlive(false);
    expect(await seconds(60, other)).toEqual([]);
    expect([ends, vi.getTimerCount()]).toEqual([[], 0]);
    await peer.close();
    peer.setKeepAlive({ interval: 2, count: 5 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    { interval: 0, count: 5 },
    { interval: -1, count: 5 },
    { interval: Number.NaN, count: 5 },
    { interval: 5, count: -1 },
    { interval: 5, count: 1.5 },
  ])("keepalive/senseless: %j", async (options) => {
    const { peer } = connected();
    expect(() => peer.setKeepAlive(options)).toThrow(TypeError);
    await peer.close();
  });

  test("keepalive/not-reading: a side that does not read because too many calls are in progress kills nobody", async () => {
    const answers: ((frame: Uint8Array) => void)[] = [];
    const { peer, other, ends } = connected({
      maxRequests: 1,
      answer: () => new Promise((resolve) => answers.push(resolve)),
    });
    peer.setKeepAlive({ interval: 5, count: 1 });
    other.write(frame({ proc: 16 }));
    await turn();
    other.write(PONG); // lies unread in the pipe
    await seconds(60, other);
    expect(ends).toEqual([]);
    answers[0]?.(frame({ proc: 16, type: 1 }));
    await turn();
    expect(await other.expect()).toMatchObject({ proc: 16, type: 1 });
    expect(ends).toEqual([]);
    await seconds(4, other);
    expect(ends).toEqual([]);
    await peer.close(new Error("enough"));
  });

  test("keepalive/does-not-read: pings of a side whose pipe is full do not pile up, and its death is noticed", async () => {
    const [near, far] = pair();
    const peer = new Peer(near);
    const ends: unknown[] = [];
    peer.onClose((reason) => ends.push(reason));
    far.pause();
    peer.setKeepAlive({ interval: 5, count: 3 });
    const call = peer.call(domainLookupByName, { name: "x".repeat(200_000) }).catch((error: unknown) => error);
    vi.advanceTimersByTime(20_000);
    expect(ends).toMatchObject([{ code: "keepalive" }]);
    expect(await call).toBe(ends[0]);
  });

  test("keepalive/ping-first: a ping overtakes calls that wait for the pipe", async () => {
    const [near, far] = pair();
    const peer = new Peer(near);
    peer.setKeepAlive({ interval: 5, count: 3 });
    for (const size of [200_000, 10]) peer.call(domainLookupByName, { name: "x".repeat(size) }).catch(() => {});
    vi.advanceTimersByTime(5000);
    const other = new RawEnd(far);
    const order = [await other.expect(), await other.expect(), await other.expect()];
    expect(order.map(({ prog, payload }) => [prog === KEEPALIVE, payload.byteLength])).toEqual([
      [false, 200_004],
      [true, 0],
      [false, 16],
    ]);
    other.write(PING);
    expect(await other.expect()).toMatchObject({ prog: KEEPALIVE, proc: 2 });
    await peer.close(new Error("enough"));
  });
});
