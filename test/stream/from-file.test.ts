import { execFile } from "node:child_process";
import { open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { AbortError, VirtError } from "../../src/rpc/index.ts";
import { zerosApart } from "../../src/stream/from-file.ts";
import { type Progress, pipeFromFile, RateLimit } from "../../src/stream/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeStream } from "./fake-stream.ts";
import { type Folder, inFolder, MIB } from "./folder.ts";

/** Bytes that differ from place to place. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + (i >> 8);
  return bytes;
}

async function fileOf(folder: Folder, bytes: Uint8Array): Promise<string> {
  const path = join(folder.path, "file");
  await writeFile(path, bytes);
  return path;
}

describe("what goes out", () => {
  test("the whole file, then the finish", async () => {
    await using folder = await inFolder();
    const bytes = pattern(3 * MIB + 12_345);
    const stream = new FakeStream();
    const result = await pipeFromFile(stream, await fileOf(folder, bytes));
    expect(stream.bytes.equals(bytes)).toBe(true);
    expect(stream.ends).toEqual(["finish"]);
    expect(result).toEqual({ bytes: bytes.length, holes: 0 });
  });

  test("a part of it by offset and length; a length beyond the end goes to the end", async () => {
    await using folder = await inFolder();
    const path = await fileOf(folder, pattern(5000));
    for (const [offset, length] of [
      [1000, 2000],
      [1000, 100_000],
      [6000, 5],
      [0, 0],
    ] as const) {
      const stream = new FakeStream();
      await pipeFromFile(stream, path, { offset, length });
      expect(stream.bytes).toEqual(pattern(5000).subarray(offset, offset + length));
      expect(stream.ends).toEqual(["finish"]);
    }
  });

  test("a file that was handed in stays open", async () => {
    await using folder = await inFolder();
    await using file = await open(await fileOf(folder, pattern(100)), "r");
    for (const _ of [1, 2]) {
      const stream = new FakeStream();
      await pipeFromFile(stream, file);
      expect(stream.bytes).toEqual(pattern(100));
    }
  });

  test("a pipe to its end", async () => {
    await using folder = await inFolder();
    const fifo = join(folder.path, "fifo");
    await promisify(execFile)("mkfifo", [fifo]);
    const stream = new FakeStream();
    await Promise.all([pipeFromFile(stream, fifo), writeFile(fifo, pattern(200_000))]);
    expect(stream.bytes.equals(pattern(200_000))).toBe(true);
    expect(stream.ends).toEqual(["finish"]);
  });

  test("a write waits for the one before it: two buffers, never more", async () => {
    await using folder = await inFolder();
    const bytes = pattern(8 * MIB);
    const stream = new FakeStream();
    let open = () => {};
    stream.room = new Promise((resolve) => {
      open = resolve;
    });
    const piped = pipeFromFile(stream, await fileOf(folder, bytes));
    await expect.poll(() => stream.sent.length).toBe(1);
    open();
    await piped;
    expect(stream.bytes.equals(bytes)).toBe(true);
  });
});

describe("holes", () => {
  const size = 10_240 * MIB;

  async function sparseFile(folder: Folder): Promise<string> {
    const path = join(folder.path, "sparse");
    await using file = await open(path, "w");
    await file.write(pattern(MIB), 0, MIB, 5000 * MIB);
    await file.truncate(size);
    return path;
  }

  test("of a sparse file go out as holes, the one at its end too", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream();
    const result = await pipeFromFile(stream, await sparseFile(folder), { sparse: true });
    expect(result).toEqual({ bytes: MIB, holes: size - MIB });
    expect(stream.sent.filter((part) => typeof part === "bigint")).toEqual([
      BigInt(5000 * MIB),
      BigInt(size - 5001 * MIB),
    ]);
    const data = Buffer.concat(stream.sent.filter((part) => typeof part !== "bigint"));
    expect(data.equals(pattern(MIB))).toBe(true);
    expect(stream.ends).toEqual(["finish"]);
  });

  test("offset and length cut holes and data", async () => {
    await using folder = await inFolder();
    const path = await sparseFile(folder);
    const stream = new FakeStream();
    await pipeFromFile(stream, path, { sparse: true, offset: 4999 * MIB, length: 1.5 * MIB });
    expect(stream.sent[0]).toBe(BigInt(MIB));
    expect(stream.bytes.subarray(MIB).equals(pattern(MIB).subarray(0, MIB / 2))).toBe(true);
    const hole = new FakeStream();
    await pipeFromFile(hole, path, { sparse: true, offset: 100 * MIB, length: MIB });
    expect(hole.sent).toEqual([BigInt(MIB)]);
  });

  test("a stream without the sparse flag gets zeros", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream();
    await pipeFromFile(stream, await sparseFile(folder), { offset: 4999 * MIB, length: 3 * MIB });
    expect(stream.sent.some((part) => typeof part === "bigint")).toBe(false);
    expect(stream.bytes.length).toBe(3 * MIB);
    expect(stream.bytes.subarray(MIB, 2 * MIB).equals(pattern(MIB))).toBe(true);
  });

  test("what nobody can tell is looked at: runs of zeros become holes", () => {
    const grain = 65_536;
    const data = Buffer.alloc(10 * grain + 17);
    data[3 * grain + 5] = 1;
    data[4 * grain] = 1;
    data[10 * grain + 16] = 1;
    const parts = [...zerosApart(data)].map((part) => (typeof part === "number" ? -part : part.length));
    expect(parts).toEqual([-3 * grain, 2 * grain, -5 * grain, 17]);
    expect([...zerosApart(Buffer.alloc(70_000))]).toEqual([70_000]);
    expect([...zerosApart(Buffer.alloc(5, 1))]).toEqual([Buffer.alloc(5, 1)]);
    expect([...zerosApart(new Uint8Array(0))]).toEqual([]);
  });
});

describe("what fails half-way is aborted, never finished", () => {
  test("a file that is not there", async () => {
    const stream = new FakeStream();
    const piped = pipeFromFile(stream, "/nonexistent/file");
    await expect(piped).rejects.toThrow("cannot open /nonexistent/file: No such file or directory");
    await expect(piped).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_SYSTEM_ERROR, int1: 2 });
    expect(stream.ends).toEqual(["abort"]);
  });

  test("a folder, which opens but does not read", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream();
    await expect(pipeFromFile(stream, folder.path)).rejects.toMatchObject({ int1: 21 });
    expect(stream.ends).toEqual(["abort"]);
  });

  test("a file that becomes shorter on the way: half of it must not count as the whole", async () => {
    await using folder = await inFolder();
    const path = await fileOf(folder, pattern(8 * MIB));
    const stream = new FakeStream();
    let open = () => {};
    stream.room = new Promise((resolve) => {
      open = resolve;
    });
    const piped = pipeFromFile(stream, path);
    await expect.poll(() => stream.sent.length).toBe(1);
    await truncate(path, 2 * MIB + 5);
    open();
    await expect(piped).rejects.toThrow(VirtError);
    await expect(piped).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_OPERATION_FAILED });
    expect(stream.ends).toEqual(["abort"]);
  });

  test("a stream that fails", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream();
    stream.writeError = new Error("disk full");
    await expect(pipeFromFile(stream, await fileOf(folder, pattern(8 * MIB)))).rejects.toThrow("disk full");
    expect(stream.ends).toEqual(["abort"]);
  });

  test("a finish that is not confirmed", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream();
    stream.finishError = new Error("disk full");
    await expect(pipeFromFile(stream, await fileOf(folder, pattern(10)))).rejects.toThrow("disk full");
    expect(stream.ends).toEqual(["finish"]);
  });

  test("the signal, before and on the way", async () => {
    await using folder = await inFolder();
    const path = await fileOf(folder, pattern(8 * MIB));
    const early = new FakeStream();
    await expect(pipeFromFile(early, path, { signal: AbortSignal.abort("no") })).rejects.toThrow(AbortError);
    expect(early.ends).toEqual(["abort"]);
    expect(early.sent).toEqual([]);

    const stream = new FakeStream();
    let open = () => {};
    stream.room = new Promise((resolve) => {
      open = resolve;
    });
    const giveUp = new AbortController();
    const piped = pipeFromFile(stream, path, { signal: giveUp.signal });
    await expect.poll(() => stream.sent.length).toBe(1);
    giveUp.abort("enough");
    expect(stream.ends).toEqual(["abort"]);
    open();
    await expect(piped).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
  });
});

test("progress and rate", async () => {
  await using folder = await inFolder();
  const clock = new FakeClock();
  const rate = new RateLimit({ bytesPerSecond: MIB, burst: MIB, clock });
  const stream = new FakeStream();
  const seen: Progress[] = [];
  const path = await fileOf(folder, pattern(4 * MIB));
  const piped = pipeFromFile(stream, path, { rate, progress: (progress) => seen.push(progress) });
  for (let second = 1; second <= 3; second++) {
    await expect.poll(() => [stream.sent.length, clock.timers]).toEqual([second, 1]);
    await clock.pass(1000);
  }
  await piped;
  expect(clock.now()).toBe(3000);
  expect(seen.at(-1)).toMatchObject({ bytes: 4 * MIB, holes: 0, total: 4 * MIB });
});
