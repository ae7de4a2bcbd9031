import { afterEach, describe, expect, test } from "vitest";
import { decodeVirNetMessageError } from "../../src/generated/netmessage/index.ts";
import { connectGetLibVersion, storageVolDownload, storageVolUpload } from "../../src/generated/remote/index.ts";
import { type ServerStream, virtError } from "../../src/rpc/index.ts";
import { XdrReader } from "../../src/xdr/index.ts";
import type { RawMessage } from "./raw-end.ts";
import {
  bothHalves,
  bytesBeforeServer,
  CONSOLE,
  DOWNLOAD,
  openLeases,
  pattern,
  readAll,
  streamFrame,
  UPLOAD,
  volArgs,
} from "./stream-ends.ts";
import { CONTINUE, ERROR, frame, OK, REPLY, STREAM, STREAM_HOLE, words } from "./wire.ts";

const LIB_VERSION = 157;
const errorOf = ({ payload }: RawMessage) => decodeVirNetMessageError(new XdrReader(payload));
const later = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

/** What a handler of ours saw. */
function recorder() {
  const seen: unknown[] = [];
  const run = async (stream: ServerStream) => {
    try {
      seen.push((await readAll(stream)).byteLength);
    } catch (error) {
      seen.push((error as Error).name, stream.signal.aborted);
      throw error;
    }
  };
  return { seen, run };
}

/** That the connection goes on: a call gets its answer, and nothing came before that. */
async function goesOn({ raw }: ReturnType<typeof bytesBeforeServer>, serial = 900) {
  raw.write(frame({ proc: LIB_VERSION, serial }));
  expect(await raw.expect()).toMatchObject({ type: REPLY, status: OK, serial });
}

afterEach(() => {
  expect(openLeases()).toBe(0);
});

describe("the end", () => {
  test("server/finish: confirmed when the handler is done, once", async () => {
    const { seen, run } = recorder();
    const ends = bytesBeforeServer(run);
    const call = await ends.open(UPLOAD, 5);
    expect(call).toMatchObject({ type: REPLY, status: OK });
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(70_000)));
    ends.raw.write(streamFrame(call, STREAM, CONTINUE)); // means nothing from a client
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(7)));
    ends.raw.write(streamFrame(call, STREAM, OK, pattern(3)));
    expect(await ends.raw.expect()).toMatchObject({ type: STREAM, status: OK, serial: 5, payload: new Uint8Array(0) });
    expect(seen).toEqual([70_007]);
    ends.raw.write(streamFrame(call, STREAM, OK), streamFrame(call, STREAM, ERROR));
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(70)));
    await goesOn(ends);
    expect(ends.dropped).toEqual(["unknown-stream", "unknown-stream", "unknown-stream"]);
    await ends.server.close();
  });

  test("server/download: data, an empty CONTINUE, and the confirmation only when it is asked for", async () => {
    const ends = bytesBeforeServer((stream) => stream.write(pattern(5)));
    const call = await ends.open(DOWNLOAD, 3);
    expect(await ends.raw.expect()).toMatchObject({ type: STREAM, status: CONTINUE, payload: pattern(5) });
    expect(await ends.raw.expect()).toMatchObject({ type: STREAM, status: CONTINUE, payload: new Uint8Array(0) });
    await goesOn(ends);
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(70)), streamFrame(call, STREAM, OK));
    expect(await ends.raw.expect()).toMatchObject({ type: STREAM, status: OK });
    await ends.server.close();
  });

  test("server/end: end() tells it early, and the handler may read on", async () => {
    const { seen, run } = recorder();
    const ends = bytesBeforeServer(async (stream) => {
      await stream.write(pattern(5));
      await stream.end();
      await expect(stream.write(pattern(5))).rejects.toMatchObject({ code: 9 });
      await run(stream);
    });
    const call = await ends.open(CONSOLE, 3);
    await ends.raw.expect();
    expect((await ends.raw.expect()).payload).toHaveLength(0);
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(6)), streamFrame(call, STREAM, OK));
    expect(await ends.raw.expect()).toMatchObject({ type: STREAM, status: OK });
    expect(seen).toEqual([6]);
    await ends.server.close();
  });

  test("server/finish-early: a client may finish a download before its end", async () => {
    let stopped: Error | undefined;
    const ends = bytesBeforeServer(async (stream) => {
      try {
        for (;;) await stream.write(new Uint8Array(65_536));
      } catch (error) {
        stopped = error as Error;
        throw error;
      }
    });
    const call = await ends.open(DOWNLOAD, 3);
    ends.raw.write(streamFrame(call, STREAM, OK));
    let last = await ends.raw.expect();
    while (last.status === CONTINUE) last = await ends.raw.expect();
    expect(last).toMatchObject({ type: STREAM, status: OK });
    expect(stopped?.name).toBe("AbortError");
    await goesOn(ends);
    await ends.server.close();
  });

  test("server/abort: confirmed at once, the handler is told, what was received goes back", async () => {
    const { seen, run } = recorder();
    const ends = bytesBeforeServer(run);
    const call = await ends.open(UPLOAD, 3);
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(1000)), streamFrame(call, STREAM, ERROR));
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(1000)));
    expect(await ends.raw.expect()).toMatchObject({ type: STREAM, status: OK });
    await later();
    expect(seen).toEqual(["AbortError", true]);
    await goesOn(ends);
    await ends.server.close();
  });

  test("server/gone: the handler is told when its client goes in the middle", async () => {
    const { seen, run } = recorder();
    const ends = bytesBeforeServer(run);
    const call = await ends.open(UPLOAD, 3);
    ends.raw.write(streamFrame(call, STREAM, CONTINUE, pattern(1000)).subarray(0, 600));
    await later();
    await ends.raw.close();
    await later();
    expect(seen).toEqual(["AbortError", true]);
    await ends.server.close();
  });

  test("server/handler-fails: a VirtError as it is, anything else VIR_ERR_INTERNAL_ERROR, and finish gets no answer", async () => {
    const errors: unknown[] = [];
    let thrown: Error = virtError(38, 38, "no space");
    const ends = bytesBeforeServer(() => Promise.reject(thrown), {}, { onError: (error) => errors.push(error) });
    const call = await ends.open(UPLOAD, 3);
    const failed = await ends.raw.expect();
    expect(failed).toMatchObject({ type: STREAM, status: ERROR, serial: 3, proc: UPLOAD });
    expect(errorOf(failed)).toMatchObject({ code: 38, domain: 38, message: "no space" });
    ends.raw.write(streamFrame(call, STREAM, OK));
    thrown = new Error("secret");
    await ends.open(UPLOAD, 4);
    expect(errorOf(await ends.raw.expect())).toMatchObject({
      code: 1,
      message: "internal error: virStorageVolUpload: unexpected failure of the stream",
    });
    expect(errors).toEqual([thrown]);
    thrown = virtError(1, 1, "a\0b");
    await ends.open(UPLOAD, 5);
    expect(errorOf(await ends.raw.expect()).message).toContain("its error cannot be sent");
    await goesOn(ends);
    await ends.server.close();
  });

  test("server/consumer-throws: the client learns it in the middle of its upload", async () => {
    const { peer, server } = bothHalves(async (stream) => {
      for await (const lease of stream) {
        lease.release();
        throw virtError(38, 38, "no space");
      }
    });
    const { stream } = await peer.open(storageVolUpload, volArgs());
    const endless = async () => {
      for (;;) await stream.write(new Uint8Array(100_000));
    };
    await expect(endless()).rejects.toMatchObject({ code: 38 });
    await expect(stream.finish()).rejects.toMatchObject({ code: 38 });
    expect((await peer.call(connectGetLibVersion, undefined)).libVer).toBe(11_000_000n);
    await peer.close();
    await server.close();
  });
});

describe("bad input", () => {
  test("server/hole-not-sparse: STREAM/ERROR, never a reply", async () => {
    const { seen, run } = recorder();
    const ends = bytesBeforeServer(run);
    const call = await ends.open(UPLOAD, 3);
    ends.raw.write(streamFrame(call, STREAM_HOLE, CONTINUE, words(0, 10, 0)));
    const failed = await ends.raw.expect();
    expect(failed).toMatchObject({ type: STREAM, status: ERROR, serial: 3 });
    expect(errorOf(failed)).toMatchObject({ code: 39, domain: 38 });
    expect(errorOf(failed).message).toContain("Unexpected stream hole");
    await later();
    expect(seen[1]).toBe(true);
    await goesOn(ends);
    await ends.server.close();
  });

  test.each([
    ["length 0", words(0, 0, 0), 39],
    ["length -1", words(-1, -1, 0), 39],
    ["flags", words(0, 5, 2), 39],
    ["cut short", words(0, 5), 39],
    ["nothing", words(), 39],
  ])("server/hole-%s", async (_, payload, code) => {
    const ends = bytesBeforeServer(recorder().run, { sparse: true });
    const call = await ends.open(UPLOAD, 3, 1);
    ends.raw.write(streamFrame(call, STREAM_HOLE, CONTINUE, payload));
    const failed = await ends.raw.expect();
    expect(failed).toMatchObject({ type: STREAM, status: ERROR });
    expect(errorOf(failed).code).toBe(code);
    await goesOn(ends);
    await ends.server.close();
  });

  test("server/hole-overflow: two holes of 2^62 and one more byte than there is", async () => {
    const ends = bytesBeforeServer(
      async (stream) => {
        for await (const _ of stream.parts());
      },
      { sparse: true },
    );
    const call = await ends.open(UPLOAD, 3, 1);
    const half = streamFrame(call, STREAM_HOLE, CONTINUE, words(0x40000000, 0, 0));
    ends.raw.write(half, half);
    expect(errorOf(await ends.raw.expect()).code).toBe(82);
    await ends.server.close();
  });

  test("server/status-unknown: STREAM/ERROR with libvirt's words", async () => {
    const ends = bytesBeforeServer(recorder().run);
    const call = await ends.open(UPLOAD, 3);
    ends.raw.write(streamFrame(call, STREAM, 7));
    expect(errorOf(await ends.raw.expect()).message).toContain("stream aborted with unexpected status 7");
    await goesOn(ends);
    await ends.server.close();
  });

  test("server/no-such-stream: data, end, abort and hole of no stream are dropped, and read past", async () => {
    const ends = bytesBeforeServer(recorder().run);
    const nobody: RawMessage = {
      prog: 0x20008086,
      vers: 1,
      proc: UPLOAD,
      type: 0,
      serial: 9,
      status: 0,
      payload: words(),
    };
    ends.raw.write(
      streamFrame(nobody, STREAM, CONTINUE, pattern(300_000)),
      streamFrame(nobody, STREAM, OK),
      streamFrame(nobody, STREAM, ERROR),
      streamFrame(nobody, STREAM_HOLE, CONTINUE, words(0, 1, 0)),
    );
    await goesOn(ends);
    expect(ends.dropped).toHaveLength(4);
    await ends.server.close();
  });

  test("server/serial-twice: a second stream with a serial that has one is refused", async () => {
    const ends = bytesBeforeServer(recorder().run);
    expect((await ends.open(UPLOAD, 3)).status).toBe(OK);
    const refused = await ends.open(DOWNLOAD, 3);
    expect(refused).toMatchObject({ type: REPLY, status: ERROR });
    expect(errorOf(refused).code).toBe(87);
    await ends.raw.close();
    await ends.server.close();
  });

  test("server/too-many: never finished downloads are bounded, and room comes back when one is ended", async () => {
    const ends = bytesBeforeServer((stream) => stream.write(pattern(3)), {}, { limits: { maxStreams: 10 } });
    const open = async (serial: number) => {
      let reply = await ends.open(DOWNLOAD, serial);
      while (reply.type !== REPLY) reply = await ends.raw.expect();
      return reply;
    };
    const replies: RawMessage[] = [];
    for (let serial = 0; serial < 1000; serial++) replies.push(await open(serial));
    expect(replies.filter(({ status }) => status === OK)).toHaveLength(10);
    expect(errorOf(replies[10] as RawMessage)).toMatchObject({ code: 87, domain: 38 });
    ends.raw.write(streamFrame(replies[0] as RawMessage, STREAM, ERROR));
    for (;;) {
      const message = await ends.raw.expect();
      if (message.type === STREAM && message.status === OK) break;
    }
    expect((await open(5000)).status).toBe(OK);
    await ends.raw.close();
    await ends.server.close();
  });

  test("server/too-many-running: an abort gives no room while the handler goes on", async () => {
    let end!: () => void;
    const hanging = new Promise<void>((resolve) => {
      end = resolve;
    });
    const ends = bytesBeforeServer(() => hanging, {}, { limits: { maxStreams: 1 } });
    const call = await ends.open(UPLOAD, 1);
    ends.raw.write(streamFrame(call, STREAM, ERROR));
    expect(await ends.raw.expect()).toMatchObject({ type: STREAM, status: OK });
    expect((await ends.open(UPLOAD, 2)).status).toBe(ERROR);
    end();
    await later();
    expect((await ends.open(UPLOAD, 3)).status).toBe(OK);
    await ends.raw.close();
    await ends.server.close();
  });
});

describe("a server that closes", () => {
  const HOUR = 3_600_000;

  test("server/drain-upload: an upload may come to its end, with calls beside it; no stream begins", async () => {
    let bytes = 0;
    const { peer, server } = bothHalves(async (stream) => {
      bytes = (await readAll(stream)).byteLength;
    });
    const { stream } = await peer.open(storageVolUpload, volArgs());
    await stream.write(new Uint8Array(400_000));
    const closing = server.close({ drain: HOUR });
    await stream.write(new Uint8Array(600_000));
    expect((await peer.call(connectGetLibVersion, undefined)).libVer).toBe(11_000_000n);
    await expect(peer.open(storageVolUpload, volArgs())).rejects.toThrow("about to be closed");
    await stream.finish();
    expect(bytes).toBe(1_000_000);
    await closing;
    expect(await peer.closed).toMatchObject({ code: "eof" });
  });

  test("server/drain-download: to its end and the client's finish, the same", async () => {
    const { peer, server } = bothHalves((stream) => stream.write(new Uint8Array(3_000_000)));
    const { stream } = await peer.open(storageVolDownload, volArgs());
    const closing = server.close({ drain: HOUR });
    expect((await readAll(stream)).byteLength).toBe(3_000_000);
    await stream.finish();
    await closing;
  });

  test("server/drain-offered: also where its call is not answered yet", async () => {
    let answer!: () => void;
    const { peer, server } = bothHalves(
      async (stream) => {
        await readAll(stream);
      },
      {},
      {
        access: {
          allows: () =>
            new Promise<boolean>((resolve) => {
              answer = () => resolve(true);
            }),
        },
      },
    );
    const opening = peer.open(storageVolUpload, volArgs());
    const refused = expect(opening).rejects.toThrow("about to be closed");
    await later();
    const closing = server.close({ drain: HOUR });
    answer();
    await refused;
    await closing;
  });

  test("server/drain-console: a console ends when somebody wants it, so nothing waits for it", async () => {
    const { raw, server, open } = bytesBeforeServer((stream) => stream.write(Uint8Array.of(1)));
    await open(CONSOLE, 5);
    await server.close({ drain: HOUR });
    await raw.close();
  });
});

describe("a slow side", () => {
  test("server/slow-sink: bounded, and it goes on when the handler takes what came", async () => {
    let start!: () => void;
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    let bytes = 0;
    const { peer, server } = bothHalves(
      async (stream) => {
        await started;
        bytes = (await readAll(stream)).byteLength;
      },
      {},
      { limits: { receiveWindow: 100_000 } },
    );
    const { stream } = await peer.open(storageVolUpload, volArgs());
    let written = 0;
    const writing = (async () => {
      for (let i = 0; i < 100; i++) {
        await stream.write(new Uint8Array(50_000));
        written++;
      }
      await stream.finish();
    })();
    let before = -1;
    while (before !== written) {
      before = written;
      await later();
      await later();
    }
    expect(written * 50_000).toBeLessThan(1_000_000);
    start();
    await writing;
    expect(bytes).toBe(5_000_000);
    await peer.close();
    await server.close();
  });

  test("server/reader-stops: the handler's write waits, others are served", async () => {
    let written = 0;
    const ends = bytesBeforeServer(async (stream) => {
      for (;;) {
        await stream.write(new Uint8Array(100_000));
        written++;
      }
    });
    await ends.open(DOWNLOAD, 1);
    ends.raw.transport.pause();
    await later();
    let before = -1;
    while (before !== written) {
      before = written;
      await later();
    }
    expect(written).toBeLessThan(20);
    await ends.raw.close();
    await ends.server.close();
  });

  test("server/several: a download that nobody reads holds no other back for longer than its window", async () => {
    const { peer, server } = bothHalves((stream) => stream.write(pattern(300_000)));
    const unread = await peer.open(storageVolDownload, volArgs());
    const read = await peer.open(storageVolDownload, volArgs());
    expect((await readAll(read.stream)).byteLength).toBe(300_000);
    await read.stream.finish();
    await unread.stream.abort();
    await peer.close();
    await server.close();
  });
});
