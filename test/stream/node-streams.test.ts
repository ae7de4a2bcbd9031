import { once } from "node:events";
import { finished, pipeline } from "node:stream/promises";
import { describe, expect, test } from "vitest";
import { toDuplex, toReadable, toWritable } from "../../src/stream/index.ts";
import { turn } from "./fake-clock.ts";
import { FakeStream } from "./fake-stream.ts";

describe("Readable", () => {
  test("gives the bytes, then finishes the stream", async () => {
    const stream = new FakeStream().push("abc", 3n, "def").end();
    const chunks: Buffer[] = [];
    for await (const chunk of toReadable(stream)) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe("abc\0\0\0def");
    expect(stream.ends).toEqual(["finish"]);
    expect(stream.leases).toBe(0);
  });

  test("reads no further than somebody wants", async () => {
    const stream = new FakeStream();
    for (let i = 0; i < 100; i++) stream.push(Buffer.alloc(1000));
    const readable = toReadable(stream.end(), { highWaterMark: 5000 });
    readable.read(0);
    for (let i = 0; i < 20; i++) await turn();
    expect(stream.taken).toBe(5);
    for await (const _ of readable);
    expect(stream.taken).toBe(100);
  });

  test("a chunk is the reader's own: it stays when the memory is used again", async () => {
    const stream = new FakeStream().push("abc");
    const readable = toReadable(stream);
    const [chunk] = (await once(readable, "data")) as [Buffer];
    expect(stream.leases).toBe(0); // and in debug mode overwritten
    expect(chunk.toString()).toBe("abc");
    readable.destroy();
  });

  test("destroyed, it aborts the stream and gives everything back", async () => {
    const stream = new FakeStream().push("abc", "def", "ghi");
    const readable = toReadable(stream, { highWaterMark: 1 });
    await once(readable, "readable");
    readable.destroy();
    await once(readable, "close");
    await turn();
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);
  });

  test("a consumer that throws aborts the stream", async () => {
    const stream = new FakeStream().push("abc", "def");
    const consumed = pipeline(toReadable(stream), async (chunks) => {
      for await (const _ of chunks) throw new Error("no more");
    });
    await expect(consumed).rejects.toThrow("no more");
    await turn();
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);
  });

  test("a stream that fails destroys it with the error", async () => {
    const stream = new FakeStream().push("abc");
    const readable = toReadable(stream);
    readable.resume();
    await expect.poll(() => stream.taken).toBe(1);
    stream.fail(new Error("the daemon is gone"));
    await expect(finished(readable)).rejects.toThrow("the daemon is gone");
  });

  test("a finish that fails, too: what came is not the whole", async () => {
    const stream = new FakeStream().push("abc").end();
    stream.finishError = new Error("late");
    const readable = toReadable(stream);
    readable.resume();
    await expect(finished(readable)).rejects.toThrow("late");
  });
});

describe("Writable", () => {
  test("sends what is written, and `finish` comes after the confirmation", async () => {
    const stream = new FakeStream();
    const writable = toWritable(stream);
    writable.write("abc");
    writable.write(Buffer.from("def"));
    writable.end("ghi");
    await finished(writable);
    expect(stream.bytes.toString()).toBe("abcdefghi");
    expect(stream.ends).toEqual(["finish"]);
  });

  test("asks to wait where the stream has no room", async () => {
    const stream = new FakeStream();
    let open = () => {};
    stream.room = new Promise((resolve) => {
      open = resolve;
    });
    const writable = toWritable(stream, { highWaterMark: 5 });
    expect(writable.write("abc")).toBe(true);
    expect(writable.write("def")).toBe(false);
    await turn();
    expect(stream.sent.length).toBe(1);
    open();
    await once(writable, "drain");
    expect(stream.bytes.toString()).toBe("abcdef");
    writable.destroy();
  });

  test("destroyed, it aborts the stream, and never finishes", async () => {
    const stream = new FakeStream();
    const writable = toWritable(stream);
    writable.write("abc");
    writable.destroy();
    await once(writable, "close");
    expect(stream.ends).toEqual(["abort"]);
  });

  test("a producer that fails half-way aborts the stream", async () => {
    const stream = new FakeStream();
    async function* producer() {
      yield "abc";
      throw new Error("cannot go on");
    }
    await expect(pipeline(producer, toWritable(stream))).rejects.toThrow("cannot go on");
    expect(stream.ends).toEqual(["abort"]);
  });

  test("errors of writing and of the finish are its errors", async () => {
    const full = new FakeStream();
    full.writeError = new Error("disk full");
    const writable = toWritable(full);
    writable.write("abc");
    await expect(finished(writable)).rejects.toThrow("disk full");
    const late = new FakeStream();
    late.finishError = new Error("late");
    const other = toWritable(late);
    other.end("abc");
    await expect(finished(other)).rejects.toThrow("late");
  });
});

describe("Duplex", () => {
  test("carries both directions, and `end` finishes the stream", async () => {
    const stream = new FakeStream().push("login: ");
    const duplex = toDuplex(stream);
    const [chunk] = (await once(duplex, "data")) as [Buffer];
    expect(chunk.toString()).toBe("login: ");
    duplex.end("root\n");
    await once(duplex, "finish");
    expect(stream.bytes.toString()).toBe("root\n");
    expect(stream.ends).toEqual(["finish"]);
    duplex.destroy();
    expect(stream.ends).toEqual(["finish"]);
  });

  test("ends when the other side ends", async () => {
    const stream = new FakeStream().push("bye").end();
    const duplex = toDuplex(stream);
    duplex.resume();
    await finished(duplex);
    expect(stream.ends[0]).toBe("finish");
    expect(stream.ends).not.toContain("abort");
  });

  test("destroyed, it aborts once", async () => {
    const stream = new FakeStream().push("abc", "def");
    const duplex = toDuplex(stream);
    await once(duplex, "data");
    duplex.destroy(new Error("enough"));
    await expect(finished(duplex)).rejects.toThrow("enough");
    await turn();
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);
  });
});
