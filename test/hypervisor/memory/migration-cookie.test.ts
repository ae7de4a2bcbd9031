import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readCookie, writeCookie } from "../../../src/hypervisor/memory/migration-cookie.ts";

const guest = new Uint8Array(16).fill(1);
const cookie = { token: new Uint8Array(32).fill(2), memory: 4096 };
const good = writeCookie("prepare", guest, cookie);
const plain = { mark: "virtwire", version: 1, step: "prepare", guest, ...cookie };

function refusal(bytes: Uint8Array): unknown {
  try {
    readCookie("prepare", guest, bytes);
  } catch (error) {
    return error;
  }
  throw new Error("was taken");
}

test("comes back as it went", () => {
  expect(readCookie("prepare", guest, good)).toEqual(cookie);
});

test.each([
  ["none", new Uint8Array(0), /is missing$/],
  ["libvirt's own", Buffer.from("<qemu-migration>\n</qemu-migration>\n\0"), /cannot be decoded|is not a map/],
  ["another step's", writeCookie("finish", guest, { digest: new Uint8Array(32) }), /belongs to another step/],
  ["another guest's", writeCookie("prepare", new Uint8Array(16), cookie), /unexpected UUID 00000000-/],
  ["another program's", encode({ ...plain, mark: "other" }), /another kind of host/],
  ["a newer version's", encode({ ...plain, version: 2 }), /unknown version/],
  ["a short token", encode({ ...plain, token: new Uint8Array(31) }), /no good field 'token'/],
  ["a token of text", encode({ ...plain, token: "x".repeat(32) }), /no good field 'token'/],
  ["no memory", encode({ ...plain, memory: undefined }), /no good field 'memory'/],
  ["memory below zero", encode({ ...plain, memory: -1 }), /no good field 'memory'/],
  ["memory beyond numbers", encode({ ...plain, memory: 2 ** 60 }), /no good field 'memory'/],
  ["an array", encode([plain]), /cannot be decoded/],
  ["a number", encode(7), /is not a map/],
  ["nil", encode(null), /is not a map/],
  ["a key that is none", Uint8Array.from([0x81, 0xa9, ...Buffer.from("__proto__"), 1]), /cannot be decoded/],
  ["trailing bytes", Buffer.concat([good, Uint8Array.of(0)]), /cannot be decoded/],
  ["a claim of 4 GiB", Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff), /cannot be decoded/],
  ["a claim of many entries", Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff), /cannot be decoded/],
  ["too many bytes", new Uint8Array((4 << 20) + 1), /4194304 at most/],
])("a cookie that is %s is refused", (_what, bytes, message) => {
  expect(refusal(bytes)).toMatchObject({ name: "VirtError", code: 9, message: expect.stringMatching(message) });
});

test("a cookie cut anywhere is refused", () => {
  for (let length = 0; length < good.byteLength; length++) {
    expect(refusal(good.subarray(0, length))).toMatchObject({ code: 9 });
  }
});

test("bytes of any kind give a clear error, never another one", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(refusal(bytes)).toMatchObject({ name: "VirtError", code: 9 });
    }),
    { numRuns: 300 },
  );
});
