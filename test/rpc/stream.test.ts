import { afterEach, describe, expect, test } from "vitest";
import {
  connectGetLibVersion,
  domainMigratePrepareTunnel3Params,
  domainOpenConsole,
  domainScreenshot,
  storageVolDownload,
  storageVolUpload,
} from "../../src/generated/remote/index.ts";
import { virtError } from "../../src/rpc/index.ts";
import { bothHalves, dom, openLeases, pattern, readAll, volArgs } from "./stream-ends.ts";

afterEach(() => {
  expect(openLeases()).toBe(0);
});

describe("both halves of ours", () => {
  test.each([0, 1, 27, 512, 513, 65_536, 262_144, 262_145, 3_000_000])("download of %i bytes", async (size) => {
    const bytes = pattern(size);
    const { peer, server } = bothHalves((stream) => stream.write(bytes));
    const { stream } = await peer.open(storageVolDownload, volArgs());
    expect(Buffer.compare(await readAll(stream), bytes)).toBe(0);
    await stream.finish();
    await peer.close();
    await server.close();
  });

  test.each([0, 1, 512, 262_144, 262_145, 3_000_000])("upload of %i bytes", async (size) => {
    const bytes = pattern(size);
    let received: Uint8Array | undefined;
    const { peer, server } = bothHalves(async (stream) => {
      received = await readAll(stream);
    });
    const { stream } = await peer.open(storageVolUpload, volArgs());
    await stream.write(bytes);
    await stream.finish();
    expect(Buffer.compare(received as Uint8Array, bytes)).toBe(0);
    await peer.close();
    await server.close();
  });

  test("console: both directions at once, until the client finishes", async () => {
    const { peer, server } = bothHalves(async (stream) => {
      for await (const lease of stream) {
        await stream.write(Uint8Array.from(lease.bytes, (byte) => byte ^ 0x20));
        lease.release();
      }
    });
    const { stream } = await peer.open(domainOpenConsole, { dom, devName: null, flags: 0 });
    const heard: string[] = [];
    const iterator = stream[Symbol.asyncIterator]();
    for (const line of ["abc", "xyz"]) {
      await stream.write(Buffer.from(line));
      const { value } = await iterator.next();
      heard.push(Buffer.from(value?.bytes ?? []).toString());
      value?.release();
    }
    expect(heard).toEqual(["ABC", "XYZ"]);
    await stream.finish();
    await peer.close();
    await server.close();
  });

  test("what the opening call returns comes with the stream: screenshot, tunnelled migration", async () => {
    const { peer, server } = bothHalves(async (stream) => {
      await stream.write(Uint8Array.of(1, 2, 3));
      await readAll(stream);
    });
    const shot = await peer.open(domainScreenshot, { dom, screen: 0, flags: 0 });
    expect(shot.ret.mime).toBe("image/png");
    await shot.stream.abort();
    const tunnel = await peer.open(domainMigratePrepareTunnel3Params, {
      params: [],
      cookieIn: new Uint8Array(0),
      flags: 0,
    });
    expect(tunnel.ret.cookieOut).toEqual(Uint8Array.of(7));
    await tunnel.stream.write(pattern(100_000));
    await tunnel.stream.finish();
    await peer.close();
    await server.close();
  });

  test("several at once, calls beside them", async () => {
    const bytes = pattern(2_000_000);
    const { peer, server } = bothHalves((stream) => stream.write(bytes));
    const opened = await Promise.all([1, 2, 3].map(() => peer.open(storageVolDownload, volArgs())));
    const all = opened.map(async ({ stream }) => {
      const got = await readAll(stream);
      await stream.finish();
      return Buffer.compare(got, bytes);
    });
    expect((await peer.call(connectGetLibVersion, undefined)).libVer).toBe(11_000_000n);
    expect(await Promise.all(all)).toEqual([0, 0, 0]);
    await peer.close();
    await server.close();
  });

  test("sparse: holes come as holes, or as zeros", async () => {
    for (const asHoles of [true, false]) {
      const { peer, server } = bothHalves(
        async (stream) => {
          await stream.writeHole(100_000n);
          await stream.write(Uint8Array.of(1, 2, 3));
          await stream.writeHole(5n);
        },
        { sparse: true },
      );
      const { stream } = await peer.open(storageVolDownload, volArgs(1));
      expect(stream.sparse).toBe(true);
      if (asHoles) {
        const parts: unknown[] = [];
        for await (const part of stream.parts()) {
          parts.push("hole" in part ? part.hole : [...part.bytes]);
          if (!("hole" in part)) part.release();
        }
        expect(parts).toEqual([100_000n, [1, 2, 3], 5n]);
      } else {
        const got = await readAll(stream);
        expect(got.byteLength).toBe(100_008);
        expect(got.findIndex((byte) => byte !== 0)).toBe(100_000);
      }
      await stream.finish();
      await peer.close();
      await server.close();
    }
  });

  test("sparse upload: the server gets holes", async () => {
    const parts: unknown[] = [];
    const { peer, server } = bothHalves(
      async (stream) => {
        for await (const part of stream.parts()) {
          parts.push("hole" in part ? part.hole : part.bytes.byteLength);
          if (!("hole" in part)) part.release();
        }
      },
      { sparse: true },
    );
    const { stream } = await peer.open(storageVolUpload, volArgs(1));
    await stream.writeHole(10n ** 10n);
    await stream.write(new Uint8Array(700));
    await stream.finish();
    expect(parts).toEqual([10n ** 10n, 700]);
    await peer.close();
    await server.close();
  });

  test("an upload that fails at the server: finish and write reject with its error", async () => {
    const full = virtError(38, 38, "cannot write to stream: No space left on device");
    const { peer, server } = bothHalves(async (stream) => {
      for await (const lease of stream) {
        lease.release();
        throw full;
      }
    });
    const { stream } = await peer.open(storageVolUpload, volArgs());
    await stream.write(pattern(1000)).catch(() => {});
    await expect(stream.finish()).rejects.toMatchObject({ name: "VirtError", code: 38, message: full.message });
    await expect(stream.write(pattern(10))).rejects.toMatchObject({ code: 38 });
    expect(stream.signal.aborted).toBe(true);
    await peer.close();
    await server.close();
  });

  test("the producer fails half-way: the server never takes it for the end", async () => {
    const ends: string[] = [];
    const { peer, server } = bothHalves(async (stream) => {
      try {
        await readAll(stream);
        ends.push("whole");
      } catch (error) {
        ends.push((error as Error).name);
        throw error;
      }
    });
    const { stream } = await peer.open(storageVolUpload, volArgs());
    await stream.write(pattern(500_000));
    await stream.abort(new Error("the disk broke"));
    await peer.call(connectGetLibVersion, undefined);
    expect(ends).toEqual(["AbortError"]);
    await peer.close();
    await server.close();
  });
});
