import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { XdrError, XdrReader, XdrWriter, xdrType } from "../../src/xdr/index.ts";
import { counted, hex, hyper, joined, padded, toHex, word } from "./plain.ts";

function written(write: (w: XdrWriter) => void): string {
  const w = new XdrWriter();
  write(w);
  expect(w.offset).toBe(w.bytes.byteLength);
  return toHex(w.bytes);
}

/** The message of the XdrError that `write` throws. */
function refusal(write: (w: XdrWriter) => void): string {
  try {
    write(new XdrWriter());
  } catch (error) {
    if (error instanceof XdrError) return error.message;
    throw new Error("not an XdrError", { cause: error });
  }
  throw new Error("nothing thrown");
}

/** What a caller without types might pass. */
const wrong = <T>(value: unknown): T => value as T;

describe("numbers", () => {
  test.each([
    ["int32", 0, "00000000"],
    ["int32", 2147483647, "7fffffff"],
    ["int32", -2147483648, "80000000"],
    ["uint32", 4294967295, "ffffffff"],
    ["float", 1.5, "3fc00000"],
    ["double", -0, "8000000000000000"],
    ["double", Number.NaN, "7ff8000000000000"],
    ["double", Infinity, "7ff0000000000000"],
    ["char", -128, "ffffff80"],
    ["char", 127, "0000007f"],
    ["uchar", 255, "000000ff"],
    ["short", -32768, "ffff8000"],
    ["ushort", 65535, "0000ffff"],
  ] as const)("%s %d", (method, value, digits) => {
    expect(written((w) => w[method](value))).toBe(digits);
  });
  test.each([
    ["int64", 2n ** 63n - 1n, "7fffffffffffffff"],
    ["int64", -(2n ** 63n), "8000000000000000"],
    ["uint64", 2n ** 64n - 1n, "ffffffffffffffff"],
  ] as const)("%s %d", (method, value, digits) => {
    expect(written((w) => w[method](value))).toBe(digits);
  });
  test("booleans and presence", () => {
    expect(written((w) => w.bool(true))).toBe("00000001");
    expect(written((w) => w.bool(false))).toBe("00000000");
    expect(written((w) => expect(w.present(null)).toBe(false))).toBe("00000000");
    expect(written((w) => expect(w.present(undefined)).toBe(false))).toBe("00000000");
    for (const there of [0, "", false, 0n])
      expect(written((w) => expect(w.present(there)).toBe(true))).toBe("00000001");
  });

  test.each([
    ["int32", 2147483648, "range at byte 0, n: 2147483648 is not a 32-bit integer"],
    ["int32", -2147483649, "range at byte 0, n: -2147483649 is not a 32-bit integer"],
    ["int32", 1.5, "range at byte 0, n: 1.5 is not a 32-bit integer"],
    ["int32", Number.NaN, "range at byte 0, n: NaN is not a 32-bit integer"],
    ["uint32", -1, "range at byte 0, n: -1 is not an unsigned 32-bit integer"],
    ["uint32", 4294967296, "range at byte 0, n: 4294967296 is not an unsigned 32-bit integer"],
    ["char", 128, "range at byte 0, n: 128 is not an integer from -128 to 127"],
    ["uchar", -1, "range at byte 0, n: -1 is not an integer from 0 to 255"],
    ["uchar", 256, "range at byte 0, n: 256 is not an integer from 0 to 255"],
    ["short", 32768, "range at byte 0, n: 32768 is not an integer from -32768 to 32767"],
    ["ushort", 65536, "range at byte 0, n: 65536 is not an integer from 0 to 65535"],
  ] as const)("%s %d is out of range", (method, value, text) => {
    expect(refusal((w) => w[method](value, "n"))).toBe(text);
  });
  test.each([
    ["int64", 2n ** 63n, "range at byte 0, n: 9223372036854775808n is not a 64-bit integer (bigint)"],
    ["uint64", -1n, "range at byte 0, n: -1n is not an unsigned 64-bit integer (bigint)"],
    ["uint64", 2n ** 64n, "range at byte 0, n: 18446744073709551616n is not an unsigned 64-bit integer (bigint)"],
  ] as const)("%s %d is out of range", (method, value, text) => {
    expect(refusal((w) => w[method](value, "n"))).toBe(text);
  });

  const numeric = ["int32", "uint32", "float", "double", "char", "uchar", "short", "ushort"] as const;
  test.each(numeric)("%s takes numbers only", (method) => {
    for (const other of ["1", null, undefined, true, {}, [], [1]]) {
      expect(
        refusal((w) => w[method](wrong(other), "n")),
        String(other),
      ).toMatch(/^type at byte 0, n: .* is not an? /);
    }
    expect(refusal((w) => w[method](wrong(1n), "n"))).toMatch(/^type at byte 0, n: 1n is not an? /);
  });
  test.each(["int64", "uint64"] as const)("%s takes bigints only", (method) => {
    expect(refusal((w) => w[method](wrong(1), "n"))).toMatch(/^type at byte 0, n: 1 is not /);
    for (const other of ["1", null, undefined, true, {}]) {
      expect(
        refusal((w) => w[method](wrong(other), "n")),
        String(other),
      ).toMatch(/^type at byte 0, n: /);
    }
  });
  test("bool takes booleans only", () => {
    expect(refusal((w) => w.bool(wrong("true"), "b"))).toBe("type at byte 0, b: a string is not a boolean");
    expect(refusal((w) => w.bool(wrong(1), "b"))).toBe("type at byte 0, b: 1 is not a boolean");
  });
});

describe("opaque and string", () => {
  test.each(["", "01", "0102", "010203", "01020304", "0102030405"])("opaque %s", (content) => {
    const raw = hex(content);
    expect(written((w) => w.opaque(raw, 5))).toBe(toHex(counted(raw)));
    expect(written((w) => w.fixedOpaque(raw, raw.length))).toBe(toHex(padded(raw)));
  });

  test("limits and lengths", () => {
    expect(refusal((w) => w.opaque(new Uint8Array(3), 2, "o"))).toBe("limit at byte 0, o: 3 bytes, limit 2");
    expect(refusal((w) => w.fixedOpaque(new Uint8Array(15), 16, "uuid"))).toBe(
      "limit at byte 0, uuid: 15 bytes, exactly 16 wanted",
    );
    expect(refusal((w) => w.chars(new Uint8Array(3), 2, "c"))).toBe("limit at byte 0, c: 3 bytes, limit 2");
    expect(refusal((w) => w.fixedChars(new Uint8Array(3), 2, "c"))).toBe(
      "limit at byte 0, c: 3 bytes, exactly 2 wanted",
    );
    expect(refusal((w) => w.array([1, 2, 3], 2, (v, n) => v.int32(n), "a"))).toBe(
      "limit at byte 0, a: 3 elements, limit 2",
    );
    expect(refusal((w) => w.fixedArray([1], 2, (v, n) => v.int32(n), "a"))).toBe(
      "limit at byte 0, a: 1 elements, exactly 2 wanted",
    );
  });

  test("other JavaScript types", () => {
    for (const other of ["00", null, undefined, [0], new ArrayBuffer(1), new Uint16Array(1)]) {
      expect(refusal((w) => w.opaque(wrong(other), 9, "o"))).toMatch(/^type at byte 0, o: .* is not a Uint8Array$/);
      expect(refusal((w) => w.fixedOpaque(wrong(other), 1, "o"))).toMatch(
        /^type at byte 0, o: .* is not a Uint8Array$/,
      );
      expect(refusal((w) => w.chars(wrong(other), 9, "o"))).toMatch(/^type at byte 0, o: .* is not a Uint8Array$/);
      expect(refusal((w) => w.fixedChars(wrong(other), 1, "o"))).toMatch(/^type at byte 0, o: .* is not a Uint8Array$/);
    }
    for (const other of [null, undefined, 1, {}, ["a"], new Uint8Array(1)]) {
      expect(refusal((w) => w.string(wrong(other), 9, "s"))).toMatch(/^(type|range) at byte 0, s: .* is not a string$/);
    }
    for (const other of [null, undefined, "ab", {}, new Uint8Array(1), { length: 1, 0: 1 }]) {
      expect(refusal((w) => w.array(wrong<number[]>(other), 9, (v, n) => v.int32(n), "a"))).toMatch(
        /^type at byte 0, a: .* is not an array$/,
      );
    }
  });

  test.each(["", "a", "grüße €/😀", "\uFEFFx", "x".repeat(24), "x".repeat(25), "ü".repeat(24), `${"x".repeat(500)}😀`])(
    "string %j",
    (text) => {
      expect(written((w) => w.string(text, 1000))).toBe(toHex(counted(text)));
    },
  );

  test("the limit of a string counts bytes", () => {
    expect(written((w) => w.string("üü", 4))).toBe(toHex(counted("üü")));
    expect(refusal((w) => w.string("üü", 3, "s"))).toBe("limit at byte 0, s: 4 bytes, limit 3");
    expect(refusal((w) => w.string("abcd", 3, "s"))).toBe("limit at byte 0, s: 4 bytes, limit 3");
    expect(written((w) => w.string("€".repeat(100), 300))).toBe(toHex(counted("€".repeat(100))));
    expect(refusal((w) => w.string("€".repeat(100), 299, "s"))).toBe("limit at byte 0, s: 300 bytes, limit 299");
    expect(refusal((w) => w.string("x".repeat(100), 99, "s"))).toMatch(/^limit at byte 0, s: 100 .*, limit 99$/);
  });

  test("a string that goes over its limit with its last character is refused, never cut", () => {
    for (const last of ["x", "ü", "€", "😀"]) {
      for (let max = 1; max <= 40; max++) {
        for (const first of ["", "é", "éé", "é".repeat(10), "€".repeat(10), "x".repeat(30)]) {
          const text = first + last;
          const bytes = Buffer.byteLength(text);
          if (bytes <= max) expect(written((w) => w.string(text, max))).toBe(toHex(counted(text)));
          else
            expect(refusal((w) => w.string(text, max, "s"))).toBe(`limit at byte 0, s: ${bytes} bytes, limit ${max}`);
        }
      }
    }
  });

  test("the limit of a payload is exact, however much room a text might have taken", () => {
    for (const size of [0, 16, undefined]) {
      const full = new XdrWriter(size, 1000);
      full.string("x".repeat(496), 4096);
      full.string("y".repeat(492), 4096);
      full.uint32(1);
      expect(full.finish()).toHaveLength(1000);
      for (const more of [(w: XdrWriter) => w.uint32(1), (w: XdrWriter) => w.string("", 1)]) {
        const w = new XdrWriter(size, 1000);
        w.fixedOpaque(new Uint8Array(1000), 1000);
        expect(() => {
          more(w);
          w.finish();
        }).toThrow("1004 bytes, limit 1000 for a payload");
      }
    }
  });

  test("a zero character and a lone surrogate are refused, in short strings and long ones", () => {
    for (const more of ["", "x".repeat(100), "ü".repeat(100)]) {
      expect(refusal((w) => w.string(`a\0b${more}`, 1000, "s"))).toMatch(/^nul at byte 0, s: zero character at 1$/);
      for (const half of ["\ud800", "\udc00", "\udc00\ud800"]) {
        expect(refusal((w) => w.string(`${more}${half}`, 1000, "s"))).toBe("utf8 at byte 0, s: a lone surrogate");
      }
    }
  });

  test("a refused string leaves nothing behind", () => {
    const w = new XdrWriter();
    w.int32(1);
    for (const bad of ["\0", "ü\ud800", "toolong", "ü".repeat(30)]) {
      expect(() => w.string(bad, 5)).toThrow(XdrError);
      expect(w.offset).toBe(4);
    }
    w.int32(2);
    expect(toHex(w.bytes)).toBe("0000000100000002");
  });

  test("a long text is told apart by its widest character", () => {
    for (const units of [39, 40, 41, 255, 256, 257, 1000]) {
      for (const last of ["x", "\x7f", "\x80", "é", "\u0141", "\u4141", "😀"]) {
        const text = "x".repeat(units - 1) + last;
        expect(written((w) => w.string(text, 9999))).toBe(toHex(counted(text)));
        const bytes = Buffer.byteLength(text);
        expect(refusal((w) => w.string(text, bytes - 1, "s"))).toBe(
          `limit at byte 0, s: ${bytes} bytes, limit ${bytes - 1}`,
        );
      }
      expect(refusal((w) => w.string(`${"x".repeat(units - 1)}\0`, 9999, "s"))).toBe(
        `nul at byte 0, s: zero character at ${units - 1}`,
      );
    }
  });

  test("a name is written like any string, whatever was written before it", () => {
    const names = fc.constantFrom(
      "",
      "a",
      "cpu.time",
      "vcpu.0.delay",
      "vcpu.1.delay",
      "ü",
      "x".repeat(64),
      "x".repeat(65),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(names, fc.string({ unit: "binary-ascii", maxLength: 70 }))), (texts) => {
        const w = new XdrWriter(8);
        for (const text of texts.map((each) => each.replaceAll("\0", "0"))) {
          const from = w.offset;
          w.name(text, 100);
          expect(toHex(w.bytes.subarray(from))).toBe(toHex(counted(text)));
        }
      }),
    );
  });

  test("more names than the table has places for", () => {
    const w = new XdrWriter();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5000; i++) {
        w.reset();
        w.name(`vcpu.${i}.delay`, 80);
        expect(toHex(w.bytes)).toBe(toHex(counted(`vcpu.${i}.delay`)));
      }
    }
  });

  test("a known name is held against the limit of each place and payload", () => {
    for (let again = 0; again < 3; again++) {
      expect(written((w) => w.name("cpu.time", 8))).toBe(toHex(counted("cpu.time")));
      expect(refusal((w) => w.name("cpu.time", 7, "field"))).toBe("limit at byte 0, field: 8 bytes, limit 7");
      expect(refusal((w) => w.name("cpu\0time", 8, "field"))).toBe("nul at byte 0, field: zero character at 3");
      expect(refusal((w) => w.name("cpu\ud800", 8, "field"))).toBe("utf8 at byte 0, field: a lone surrogate");
      expect(() => new XdrWriter(4, 11).name("cpu.time", 8)).toThrow("12 bytes, limit 11 for a payload");
      for (const other of [undefined, null, 8, ["cpu.time"]]) {
        expect(refusal((w) => w.name(wrong(other), 9, "field"))).toMatch(/^type at byte 0, field: .* is not a string$/);
      }
    }
  });

  test("bytes whose padding is beyond the payload's limit leave nothing behind", () => {
    const w = new XdrWriter(4, 10);
    expect(() => w.fixedOpaque(hex("0102030405060708 09"), 9, "o")).toThrow("12 bytes, limit 10 for a payload");
    expect(w.offset).toBe(0);
  });

  test("chars are widened with their sign, as C on x86 does", () => {
    expect(written((w) => w.chars(hex("417f80ff"), 4))).toBe("00000004000000410000007fffffff80ffffffff");
    expect(written((w) => w.fixedChars(hex("80"), 1))).toBe("ffffff80");
  });
});

describe("the rest", () => {
  test("arrays, and where in them an error is", () => {
    const int = (w: XdrWriter, n: number): void => w.int32(n, "value");
    expect(written((w) => w.array([1, 2], 2, int))).toBe("000000020000000100000002");
    expect(written((w) => w.fixedArray([1, 2], 2, int))).toBe("0000000100000002");
    expect(refusal((w) => w.array([1, 2, 3, 0.5], 9, int, "params"))).toBe(
      "range at byte 16, params[3].value: 0.5 is not a 32-bit integer",
    );
    // A hole is no number either.
    expect(refusal((w) => w.array(new Array<number>(2), 9, int, "params"))).toMatch(
      /^type at byte 4, params\[0\]\.value: /,
    );
  });

  test("an element that is no object is an XdrError that names it", () => {
    const item = (w: XdrWriter, v: { n: number }): void => w.int32(v.n, "n");
    expect(refusal((w) => w.array([{ n: 1 }, wrong<{ n: number }>(null)], 9, item, "list"))).toMatch(
      /^type at byte 8, list\[1\]: /,
    );
  });

  test("a whole value that is no object is an XdrError", () => {
    const type = xdrType<{ n: number }>(
      "t",
      (w, v) => w.int32(v.n, "n"),
      (r) => ({ n: r.int32() }),
    );
    for (const other of [null, undefined]) expect(() => type.encode(wrong(other))).toThrow(XdrError);
    expect(() => type.encode(wrong("text"))).toThrow(XdrError);
  });

  test("other errors than XdrError and TypeError pass unchanged", () => {
    const own = new RangeError("mine");
    const type = xdrType<null>(
      "t",
      () => {
        throw own;
      },
      () => null,
    );
    expect(() => type.encode(null)).toThrow(own);
  });

  test("what encode returns is a copy of its own", () => {
    const type = xdrType<number>(
      "t",
      (w, v) => w.int32(v),
      (r) => r.int32(),
    );
    expect(type.encode(1).buffer.byteLength).toBe(4);
  });

  test("a discriminant without an arm", () => {
    expect(refusal((w) => w.noArm(8, "value.type"))).toBe("union at byte 0, value.type: no arm for 8");
    expect(refusal((w) => w.noArm(undefined, "type"))).toBe("union at byte 0, type: no arm for undefined");
  });

  test("a value that contains itself ends as an error", () => {
    interface Node {
      next: Node | null;
    }
    const encode = (w: XdrWriter, node: Node): void => {
      w.enter("next");
      if (w.present(node.next)) encode(w, node.next);
      w.leave();
    };
    const loop: Node = { next: null };
    loop.next = loop;
    expect(refusal((w) => encode(w, loop))).toMatch(/^depth at byte \d+, next: nested more than 1024 deep$/);
  });

  test("the buffer grows, whatever it began with, and stays zero in the padding", () => {
    for (const size of [0, 1, 16, 17, 255]) {
      const w = new XdrWriter(size);
      const parts: Uint8Array[] = [];
      for (let i = 0; i < 300; i++) {
        const raw = new Uint8Array(i).fill(0xff);
        w.opaque(raw, 300);
        parts.push(counted(raw));
      }
      expect(toHex(w.bytes)).toBe(toHex(joined(...parts)));
    }
  });

  test("properties: as the plain writer, and the reader takes it back", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.string({ unit: "grapheme", maxLength: 60 }),
        fc.uint8Array({ maxLength: 60 }),
        fc.array(fc.double(), { maxLength: 5 }),
        (n, big, text, raw, doubles) => {
          const w = new XdrWriter(16);
          w.int32(n);
          w.uint64(big);
          w.string(text, 1000);
          w.opaque(raw, 60);
          w.chars(raw, 60);
          w.array(doubles, 5, (v, d) => v.double(d));
          const plain = joined(
            word(n),
            hyper(big),
            counted(text),
            counted(raw),
            word(raw.length),
            ...Array.from(raw, (byte) => word(byte > 127 ? byte - 256 : byte)),
          );
          expect(toHex(w.bytes.subarray(0, plain.length))).toBe(toHex(plain));
          const r = new XdrReader(w.bytes, { strict: true });
          expect([r.int32(), r.uint64(), r.string(1000)]).toEqual([n, big, text]);
          expect(r.opaque(60)).toEqual(raw);
          expect(r.chars(60)).toEqual(raw);
          expect(r.array(5, 8, (d) => d.double())).toEqual(doubles);
          r.end();
        },
      ),
    );
  });
});
