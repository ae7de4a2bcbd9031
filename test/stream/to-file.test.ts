import { constants, open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import { AbortError } from "../../src/rpc/index.ts";
import { type Progress, pipeToFile, RateLimit } from "../../src/stream/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeStream } from "./fake-stream.ts";
import { inFolder, MIB } from "./folder.ts";

const text = (path: string) => readFile(path, "utf8");

describe("what is written", () => {
  test("data in order, then the finish, and every lease is given back", async () => {
    await using folder = await inFolder();
    const path = join(folder.path, "new");
    const stream = new FakeStream();
    const pieces = Array.from({ length: 300 }, (_, i) => Buffer.alloc(1 + ((i * 7919) % 40_000), i));
    stream.push(...pieces).end();
    const result = await pipeToFile(stream, path);
    expect((await readFile(path)).equals(Buffer.concat(pieces))).toBe(true);
    expect(result).toEqual({ bytes: Buffer.concat(pieces).length, holes: 0 });
    expect(stream.ends).toEqual(["finish"]);
    expect(stream.leases).toBe(0);
  });

  test("a path is emptied, unless an offset says where to write in it", async () => {
    await using folder = await inFolder();
    const path = join(folder.path, "old");
    await writeFile(path, "0123456789");
    await pipeToFile(new FakeStream().push("abc").end(), path, { offset: 4 });
    expect(await text(path)).toBe("0123abc789");
    await pipeToFile(new FakeStream().push("abc").end(), path);
    expect(await text(path)).toBe("abc");
    await pipeToFile(new FakeStream().end(), path);
    expect(await text(path)).toBe("");
  });

  test("a file that was handed in stays open, and keeps what the stream does not reach", async () => {
    await using folder = await inFolder();
    const path = join(folder.path, "old");
    await writeFile(path, "0123456789");
    await using file = await open(path, "r+");
    await pipeToFile(new FakeStream().push("abc").end(), file);
    await pipeToFile(new FakeStream().push("xyz").end(), file, { offset: 5 });
    expect(await text(path)).toBe("abc34xyz89");
  });

  test("what is no regular file, in order", async () => {
    await using null_ = await open("/dev/null", "w");
    const stream = new FakeStream().push("abc", 100_000n, "def").end();
    expect(await pipeToFile(stream, null_)).toEqual({ bytes: 6, holes: 100_000 });
    expect(stream.leases).toBe(0);
  });
});

describe("holes", () => {
  test("stay holes, the one at the end too", async () => {
    await using folder = await inFolder();
    const path = join(folder.path, "sparse");
    const stream = new FakeStream();
    stream.push(BigInt(5000 * MIB), Buffer.alloc(MIB, "x"), BigInt(5239 * MIB)).end();
    expect(await pipeToFile(stream, path)).toEqual({ bytes: MIB, holes: 10_239 * MIB });
    expect((await stat(path)).size).toBe(10_240 * MIB);
    expect(await folder.used("sparse")).toBeLessThanOrEqual(MIB + 65_536);
    await using file = await open(path, "r");
    const { buffer } = await file.read(Buffer.alloc(MIB + 2), 0, MIB + 2, 5000 * MIB - 1);
    expect(buffer.equals(Buffer.concat([Buffer.alloc(1), Buffer.alloc(MIB, "x"), Buffer.alloc(1)]))).toBe(true);
  });

  test("over what a file had are zeros", async () => {
    await using folder = await inFolder();
    const path = join(folder.path, "old");
    await writeFile(path, Buffer.alloc(200_000, "o"));
    await using file = await open(path, "r+");
    await pipeToFile(new FakeStream().push("ab", 150_000n, "cd", 100_000n).end(), file);
    const bytes = await readFile(path);
    expect(
      bytes.equals(Buffer.concat([Buffer.from("ab"), Buffer.alloc(150_000), Buffer.from("cd"), Buffer.alloc(100_000)])),
    ).toBe(true);
  });

  test("of an absurd length are refused", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream().push("abc", 2n ** 63n - 1n).end();
    const piped = pipeToFile(stream, join(folder.path, "new"));
    await expect(piped).rejects.toMatchObject({ code: VirErrorNumber.VIR_ERR_SYSTEM_ERROR, int1: 27 });
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);
  });
});

describe("memory", () => {
  test("a file that takes nothing stops the stream after a few MiB", async () => {
    await using folder = await inFolder();
    await using file = await open(join(folder.path, "new"), "w");
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { writev } = file;
    file.writev = (async (...args: Parameters<typeof writev>) => {
      await gate;
      return writev.apply(file, args);
    }) as typeof writev;
    const stream = new FakeStream();
    for (let i = 0; i < 40; i++) stream.push(Buffer.alloc(262_120, i));
    const piped = pipeToFile(stream.end(), file);
    await expect.poll(() => stream.taken).toBe(6); // the first at once, five more as one write
    go();
    await piped;
    expect((await file.stat()).size).toBe(40 * 262_120);
    expect(stream.leases).toBe(0);
  });

  test("a write that takes only a part goes on with the rest", async () => {
    await using folder = await inFolder();
    const path = join(folder.path, "new");
    await using file = await open(path, "w");
    const { writev } = file;
    file.writev = (async (parts: readonly Uint8Array[], position?: number) => {
      const [first] = parts as [Uint8Array];
      return writev.call(file, [first.subarray(0, Math.max(1, first.length >> 1))], position);
    }) as typeof writev;
    const pieces = Array.from({ length: 20 }, (_, i) => Buffer.alloc(i, i + 65));
    await pipeToFile(new FakeStream().push(...pieces.slice(1)).end(), file);
    expect(await readFile(path)).toEqual(Buffer.concat(pieces));
  });
});

describe("what fails aborts the stream and gives everything back", () => {
  test("a path that cannot be created", async () => {
    const stream = new FakeStream().push("abc");
    await expect(pipeToFile(stream, "/nonexistent/file")).rejects.toMatchObject({ int1: 2 });
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);
  });

  test("a full disk", async () => {
    const stream = new FakeStream();
    for (let i = 0; i < 40; i++) stream.push(Buffer.alloc(262_120, i));
    await using full = await open("/dev/full", constants.O_WRONLY);
    const piped = pipeToFile(stream, full);
    await expect(piped).rejects.toThrow("cannot write the file: No space left on device");
    await expect(piped).rejects.toMatchObject({ int1: 28 });
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);
  });

  test("a stream that fails half-way", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream().push("abc", "def");
    const piped = pipeToFile(stream, join(folder.path, "new"));
    await expect.poll(() => stream.taken).toBe(2);
    stream.fail(new Error("the daemon is gone"));
    await expect(piped).rejects.toThrow("the daemon is gone");
    expect(stream.ends).toEqual([]);
    expect(stream.leases).toBe(0);
  });

  test("a finish that is not confirmed", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream().push("abc").end();
    stream.finishError = new Error("late");
    await expect(pipeToFile(stream, join(folder.path, "new"))).rejects.toThrow("late");
    expect(stream.leases).toBe(0);
  });

  test("the signal", async () => {
    await using folder = await inFolder();
    const stream = new FakeStream().push("abc");
    const giveUp = new AbortController();
    const piped = pipeToFile(stream, join(folder.path, "new"), { signal: giveUp.signal });
    await expect.poll(() => stream.taken).toBe(1);
    giveUp.abort("enough");
    await expect(piped).rejects.toThrow(AbortError);
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);
  });
});

test("progress and rate", async () => {
  await using folder = await inFolder();
  const clock = new FakeClock();
  const rate = new RateLimit({ bytesPerSecond: 1000, burst: 1000, clock });
  const seen: Progress[] = [];
  const stream = new FakeStream().push(Buffer.alloc(1000), Buffer.alloc(1000), Buffer.alloc(1000)).end();
  const piped = pipeToFile(stream, join(folder.path, "new"), {
    rate,
    total: 3000,
    progress: (progress) => seen.push(progress),
  });
  await expect.poll(() => [stream.taken, clock.timers]).toEqual([2, 1]);
  await clock.pass(1000);
  await expect.poll(() => [stream.taken, clock.timers]).toEqual([3, 1]);
  await clock.pass(1000);
  await piped;
  expect(seen.at(-1)).toMatchObject({ bytes: 3000, holes: 0, total: 3000 });
});
