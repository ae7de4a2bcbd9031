import { describe, expect, test } from "vitest";
import { toReadableStream, toWritableStream } from "../../src/stream/index.ts";
import { turn } from "./fake-clock.ts";
import { FakeStream } from "./fake-stream.ts";

const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

describe("ReadableStream", () => {
  test("gives the bytes, then finishes the stream", async () => {
    const stream = new FakeStream().push("abc", 3n, "def").end();
    let text = "";
    for await (const chunk of toReadableStream(stream)) text += decode(chunk);
    expect(text).toBe("abc\0\0\0def");
    expect(stream.ends).toEqual(["finish"]);
    expect(stream.leases).toBe(0);
  });

  test("fills the reader's own buffer, with what is left of a lease first", async () => {
    const stream = new FakeStream().push("abcdef", "ghi").end();
    const reader = toReadableStream(stream).getReader({ mode: "byob" });
    const texts: string[] = [];
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(4));
      if (done) break;
      texts.push(decode(value));
    }
    expect(texts).toEqual(["abcd", "ef", "ghi"]);
    expect(stream.ends).toEqual(["finish"]);
    expect(stream.leases).toBe(0);
  });

  test("reads nothing ahead", async () => {
    const stream = new FakeStream().push("abc", "def", "ghi");
    const reader = toReadableStream(stream).getReader();
    await turn();
    expect(stream.taken).toBe(0);
    expect(decode((await reader.read()).value)).toBe("abc");
    await turn();
    expect(stream.taken).toBe(1);
    await reader.cancel();
  });

  test("cancelled, it aborts the stream and gives everything back, in the middle of a lease too", async () => {
    const stream = new FakeStream().push("abcdef", "ghi");
    const reader = toReadableStream(stream).getReader({ mode: "byob" });
    await reader.read(new Uint8Array(4));
    await reader.cancel("enough");
    await turn();
    expect(stream.ends).toEqual(["abort"]);
    expect(stream.leases).toBe(0);

    const waiting = new FakeStream();
    const other = toReadableStream(waiting).getReader();
    const read = other.read();
    await turn();
    await other.cancel();
    expect(await read).toMatchObject({ done: true });
    expect(waiting.ends).toEqual(["abort"]);
  });

  test("fails with the stream, and with a finish that fails", async () => {
    const stream = new FakeStream();
    const read = toReadableStream(stream).getReader().read();
    await turn();
    stream.fail(new Error("the daemon is gone"));
    await expect(read).rejects.toThrow("the daemon is gone");
    const late = new FakeStream().end();
    late.finishError = new Error("late");
    await expect(toReadableStream(late).getReader().read()).rejects.toThrow("late");
  });
});

describe("WritableStream", () => {
  test("sends what is written, and `close` waits for the confirmation", async () => {
    const stream = new FakeStream();
    const writer = toWritableStream(stream).getWriter();
    void writer.write(Buffer.from("abc"));
    void writer.write(Buffer.from("def"));
    await writer.close();
    expect(stream.bytes.toString()).toBe("abcdef");
    expect(stream.ends).toEqual(["finish"]);
    const late = new FakeStream();
    late.finishError = new Error("late");
    await expect(toWritableStream(late).close()).rejects.toThrow("late");
  });

  test("asks to wait where the stream has no room", async () => {
    const stream = new FakeStream();
    let open = () => {};
    stream.room = new Promise((resolve) => {
      open = resolve;
    });
    const writer = toWritableStream(stream).getWriter();
    await writer.ready;
    const writing = writer.write(Buffer.from("abc"));
    expect(writer.desiredSize).toBe(0);
    open();
    await writing;
    expect(writer.desiredSize).toBe(1);
  });

  test("aborted, it aborts the stream; what pipes into it and fails, too", async () => {
    const stream = new FakeStream();
    await toWritableStream(stream).abort("enough");
    expect(stream.ends).toEqual(["abort"]);
    const other = new FakeStream();
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error("cannot go on"));
      },
    });
    await expect(source.pipeTo(toWritableStream(other))).rejects.toThrow("cannot go on");
    expect(other.ends).toEqual(["abort"]);
  });

  test("fails with the stream", async () => {
    const stream = new FakeStream();
    stream.writeError = new Error("disk full");
    await expect(toWritableStream(stream).getWriter().write(Buffer.from("abc"))).rejects.toThrow("disk full");
  });
});
