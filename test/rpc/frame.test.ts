import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeFrame, FrameScanner, ProtocolError } from "../../src/rpc/index.ts";
import { everySplit, frame, hex, join, singly, words } from "./wire.ts";

/** All frames that come out when the pieces go in one after the other, as copies. */
function scan(pieces: readonly Uint8Array[], scanner = new FrameScanner()): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const piece of pieces) {
    const chunk = piece.slice();
    scanner.push(chunk);
    for (let found = scanner.next(); found !== undefined; found = scanner.next()) frames.push(found.slice());
    scanner.keep();
    chunk.fill(0xee); // as a transport may: the bytes were valid for that moment only
  }
  return frames;
}

const authList = hex`
  0000001c                       # length 28
  20008086 00000001 00000042     # program remote, version 1, procedure AUTH_LIST
  00000000 00000001 00000000`; // type CALL, serial 1, status OK

describe("frames in", () => {
  test("frame/length-counts-itself: the length word includes its own four bytes", () => {
    for (const pieces of everySplit(authList)) expect(scan(pieces)).toEqual([authList.subarray(4)]);
  });

  test("frame/many-per-read: several frames in a chunk, cut at every place", () => {
    const frames = [authList, frame({ proc: 60, serial: 2 }, words(10)), frame({ proc: 2 }, new Uint8Array(5).fill(7))];
    for (const pieces of everySplit(join(...frames))) expect(scan(pieces)).toEqual(frames.map((f) => f.subarray(4)));
  });

  test("frame/any-pieces: any frames in any pieces come out as they went in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 20 }),
        (payloads, sizes) => {
          const frames = payloads.map((payload, serial) => frame({ serial }, payload));
          const all = join(...frames);
          const pieces: Uint8Array[] = [];
          for (let at = 0, i = 0; at < all.byteLength; i++) {
            const size = sizes[i % sizes.length] as number;
            pieces.push(all.subarray(at, at + size));
            at += size;
          }
          expect(scan(pieces)).toEqual(frames.map((f) => f.subarray(4)));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("frame/in-place: a frame that lies whole in the chunk is not copied", () => {
    const chunk = join(authList, authList);
    const scanner = new FrameScanner();
    scanner.push(chunk);
    expect(scanner.next()?.buffer).toBe(chunk.buffer);
    expect(scanner.next()?.buffer).toBe(chunk.buffer);
    expect(scanner.capacity).toBe(0);
  });

  test.each([0, 1, 2, 3, 4, 5, 27])("frame/too-short: length %i is refused before anything else comes", (length) => {
    for (const pieces of everySplit(words(length))) {
      expect(() => scan(pieces)).toThrow(
        expect.objectContaining({ code: "frame-length", details: { length, min: 28 } }),
      );
    }
  });

  test.each([33_554_437, 0x7fffffff, 0x80000000, 0xffffffff])("frame/too-long: length %i is refused", (length) => {
    for (const pieces of everySplit(words(length))) expect(() => scan(pieces)).toThrow(ProtocolError);
  });

  test("frame/longest: 33554436 bytes are taken, in one chunk and in many", () => {
    const longest = frame({}, new Uint8Array(33_554_408).fill(9));
    expect(longest.byteLength).toBe(33_554_436);
    const scanner = new FrameScanner();
    scanner.push(longest);
    expect(scanner.next()?.byteLength).toBe(33_554_432);
    let frames = 0;
    for (let at = 0; at < longest.byteLength; at += 65_536) {
      scanner.push(longest.subarray(at, at + 65_536));
      for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
        frames++;
        expect(found.byteLength).toBe(33_554_432);
        expect(found[found.byteLength - 1]).toBe(9);
      }
      scanner.keep();
    }
    expect(frames).toBe(1);
    expect(scanner.capacity).toBe(0); // a large buffer is given back
  });

  test("frame/own-limit: a smaller limit of ours is held", () => {
    expect(scan([frame({}, new Uint8Array(72))], new FrameScanner(100))).toHaveLength(1);
    expect(() => scan([frame({}, new Uint8Array(73))], new FrameScanner(100))).toThrow(ProtocolError);
  });

  test("frame/no-memory-on-announcement: the buffer grows with what arrives, not with the length word", () => {
    const scanner = new FrameScanner();
    const announced = frame({}, new Uint8Array(0), 33_554_436);
    scan(singly(announced), scanner);
    expect(scanner.pending).toBe(28);
    expect(scanner.capacity).toBeLessThanOrEqual(1024);
    let arrived = 28;
    for (let i = 0; i < 40; i++) {
      scan([new Uint8Array(10_000)], scanner);
      arrived += 10_000;
      expect(scanner.capacity).toBeLessThanOrEqual(2 * arrived);
    }
  });

  test("frame/data-in-pieces: of the longest frame of stream data nothing is kept, however slowly it comes", () => {
    const scanner = new FrameScanner();
    const head = words(33_554_436, 0x20008086, 1, 208, 3, 5, 2); // STREAM, CONTINUE
    const heads: Uint8Array[] = [];
    let data = 0;
    const pieces = Array.from({ length: 512 }, (_, i) => new Uint8Array(i < 511 ? 65_536 : 65_512));
    for (const chunk of [...singly(head), ...pieces]) {
      scanner.push(chunk);
      for (;;) {
        const piece = scanner.data > 0 ? scanner.piece() : undefined;
        const found = scanner.data > 0 || piece !== undefined ? undefined : scanner.next();
        if (found !== undefined) heads.push(found.slice());
        data += piece?.byteLength ?? 0;
        if (piece === undefined && found === undefined) break;
      }
      scanner.keep();
      expect(scanner.capacity).toBeLessThanOrEqual(1024);
    }
    expect(heads).toEqual([head.subarray(4)]);
    expect(data).toBe(33_554_436 - 28);
    expect(scanner.pending).toBe(0);
  });

  test("frame/buffer-reuse: small cut frames use one buffer again and again", () => {
    const scanner = new FrameScanner();
    for (let i = 0; i < 100; i++) scan(singly(authList), scanner);
    expect(scanner.capacity).toBe(1024);
  });

  test("frame/fd-bytes: bytes outside frames are passed over, wherever they are cut", () => {
    for (const pieces of everySplit(join(authList, new Uint8Array(3), authList))) {
      const scanner = new FrameScanner();
      const frames: Uint8Array[] = [];
      for (const piece of pieces) {
        scanner.push(piece);
        for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
          frames.push(found.slice());
          if (frames.length === 1) scanner.skip(3);
        }
        scanner.keep();
      }
      expect(frames).toEqual([authList.subarray(4), authList.subarray(4)]);
    }
  });
});

describe("frames out", () => {
  const header = { prog: 0x20008086, vers: 1, proc: 60, type: 0, serial: 3, status: 0 } as const;

  test("frame/one-buffer: header and payload lie in one piece, with the right length", () => {
    const bytes = encodeFrame(header, (w, v: number) => w.int32(v), 10, "args");
    expect(bytes).toEqual(hex`00000020 20008086 00000001 0000003c 00000000 00000003 00000000 0000000a`);
  });

  test("frame/out-limit: a payload above 33554408 bytes is an error of its call", () => {
    const encode = (w: { fixedOpaque(v: Uint8Array, n: number): void }, v: Uint8Array) =>
      w.fixedOpaque(v, v.byteLength);
    expect(encodeFrame(header, encode, new Uint8Array(33_554_408), "args").byteLength).toBe(33_554_436);
    expect(() => encodeFrame(header, encode, new Uint8Array(33_554_412), "args")).toThrow(/^limit at byte/);
  });
});
