import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Bandwidth } from "../../../src/hypervisor/memory/bandwidth.ts";
import { readHello, writeHello } from "../../../src/hypervisor/memory/memory-channel.ts";
import { MemoryReceiver } from "../../../src/hypervisor/memory/memory-receiver.ts";
import { sendMemory } from "../../../src/hypervisor/memory/memory-sender.ts";
import { pair, type Transport } from "../../../src/transport/index.ts";
import { FakeClock } from "../hosts.ts";

const TOKEN = new Uint8Array(32).fill(7);
const memory = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) >>> 3);
const digest = createHash("sha256").update(memory).digest();

/** Sends `memory` to the other end, which is the test's. */
function sending(options: { readonly stall?: number; readonly signal?: AbortSignal } = {}) {
  const [ours, theirs] = pair();
  const log: string[] = [];
  let moved = 0;
  const sent = sendMemory(ours, {
    token: TOKEN,
    memory,
    bandwidth: new Bandwidth(new FakeClock(), 0n),
    stall: 60_000,
    signal: new AbortController().signal,
    onMoved: (bytes) => {
      moved += bytes;
    },
    switchOver: () => log.push(`switch-over after ${moved}`),
    ...options,
  });
  sent.catch(() => {});
  return { sent, theirs, log };
}

/** Collects `length` bytes. */
function receive(transport: Transport, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  return new Promise((resolve) => {
    transport.start({
      bytes(chunk) {
        bytes.set(chunk, at);
        at += chunk.byteLength;
        if (at === length) resolve(bytes);
      },
      end() {},
    });
  });
}

describe("the source", () => {
  test("sends hello, memory and checksum, and wants the checksum back", async () => {
    const { sent, theirs, log } = sending();
    const bytes = await receive(theirs, 48 + memory.byteLength + 32);
    expect(readHello(bytes)).toEqual({ token: TOKEN, size: BigInt(memory.byteLength) });
    expect(Buffer.compare(bytes.subarray(48, -32), memory)).toBe(0);
    expect(Buffer.compare(bytes.subarray(-32), digest)).toBe(0);
    expect(log).toEqual([`switch-over after ${memory.byteLength}`]);
    theirs.write([Uint8Array.of(6), digest.subarray(0, 5)]);
    theirs.write([digest.subarray(5)]);
    expect(Buffer.compare(await sent, digest)).toBe(0);
  });

  test.each([
    ["another checksum", Buffer.concat([Uint8Array.of(6), Buffer.alloc(32)]), /another checksum/],
    ["no answer", Uint8Array.of(5), /no answer/],
    ["too long an answer", Buffer.alloc(34, 6), /no answer/],
  ])("fails on %s", async (_what, answer, message) => {
    const { sent, theirs } = sending();
    await receive(theirs, 48 + memory.byteLength + 32);
    theirs.write([answer]);
    await expect(sent).rejects.toMatchObject({ name: "MemoryChannelError", message: expect.stringMatching(message) });
  });

  test("fails when the destination goes", async () => {
    const { sent, theirs } = sending();
    await receive(theirs, 48 + memory.byteLength + 32);
    await theirs.close();
    await expect(sent).rejects.toMatchObject({ name: "MemoryChannelError" });
  });

  test("fails when the destination takes nothing, or says nothing", async () => {
    await expect(sending({ stall: 1 }).sent).rejects.toMatchObject({ message: /took no data within 1 ms/ });
    const { sent, theirs } = sending({ stall: 20 });
    await receive(theirs, 48 + memory.byteLength + 32);
    await expect(sent).rejects.toMatchObject({ message: expect.stringMatching(/did not confirm|took no data/) });
  });

  test("gives up with the reason that it is told", async () => {
    const control = new AbortController();
    const { sent } = sending({ signal: control.signal });
    control.abort(new Error("enough"));
    await expect(sent).rejects.toThrow("enough");
  });
});

describe("the destination", () => {
  const stream = Buffer.concat([memory, digest]);

  test("takes the memory in pieces of any size", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1 }), (sizes) => {
        const target = new Uint8Array(memory.byteLength);
        const receiver = new MemoryReceiver(target);
        let moved = 0;
        for (let at = 0, i = 0; at < stream.byteLength; i++) {
          const piece = stream.subarray(at, at + (sizes[i % sizes.length] as number));
          expect(receiver.digest).toBeUndefined();
          moved += receiver.push(piece);
          at += piece.byteLength;
        }
        expect(moved).toBe(memory.byteLength);
        expect(Buffer.compare(target, memory)).toBe(0);
        expect(Buffer.compare(receiver.digest as Uint8Array, digest)).toBe(0);
        expect(receiver.answer[0]).toBe(6);
      }),
      { numRuns: 20 },
    );
  });

  test("refuses a wrong checksum and bytes beyond the end", () => {
    const wrong = Buffer.from(stream);
    wrong[500]! ^= 1;
    expect(() => new MemoryReceiver(new Uint8Array(memory.byteLength)).push(wrong)).toThrow(/does not match/);
    const long = Buffer.concat([stream, Uint8Array.of(0)]);
    expect(() => new MemoryReceiver(new Uint8Array(memory.byteLength)).push(long)).toThrow(/more than the memory/);
  });

  test("knows a hello from other protocols", () => {
    const hello = writeHello(TOKEN, 5);
    expect(readHello(hello).size).toBe(5n);
    hello[0]! ^= 1;
    expect(() => readHello(hello)).toThrow(/not a memory channel/);
  });
});

describe("bandwidth", () => {
  const take = async (bandwidth: Bandwidth, bytes: number) => {
    for (let left = bytes; left > 0; ) {
      const piece = Math.min(left, bandwidth.piece);
      await bandwidth.take(piece, new AbortController().signal);
      left -= piece;
    }
  };

  test.each([1, 3, 100, 5000])("%i MiB/s is that many bytes per time", async (rate) => {
    const clock = new FakeClock();
    const bandwidth = new Bandwidth(clock, BigInt(rate));
    await take(bandwidth, rate * (2 << 20));
    expect(clock.time).toBeGreaterThan(1900);
    expect(clock.time).toBeLessThan(2100);
  });

  test("no limit means no wait", async () => {
    const clock = new FakeClock();
    await take(new Bandwidth(clock, 0n), 1 << 30);
    expect(clock.time).toBe(0);
  });

  test("what was not used does not pile up", async () => {
    const clock = new FakeClock();
    const bandwidth = new Bandwidth(clock, 1n);
    clock.time += 3_600_000;
    const began = clock.time;
    await take(bandwidth, 1 << 20);
    expect(clock.time - began).toBeGreaterThan(900);
  });
});
