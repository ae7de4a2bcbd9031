import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ReaderOptions, XdrError, XdrReader, xdrType } from "../../src/xdr/index.ts";
import { counted, hex, hyper, joined, padded, word } from "./plain.ts";

const reader = (bytes: Uint8Array | string, options?: ReaderOptions): XdrReader =>
  new XdrReader(typeof bytes === "string" ? hex(bytes) : bytes, options);

/** The message of the XdrError that `run` throws. */
function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof XdrError) return error.message;
    throw new Error("not an XdrError", { cause: error });
  }
  throw new Error("nothing thrown");
}
const refusal = (digits: string, read: (r: XdrReader) => unknown, options?: ReaderOptions): string =>
  message(() => read(reader(digits, options)));
const strict = { strict: true };

describe("numbers", () => {
  test.each([
    ["int32", "00000000", 0],
    ["int32", "7fffffff", 2147483647],
    ["int32", "80000000", -2147483648],
    ["int32", "ffffffff", -1],
    ["uint32", "ffffffff", 4294967295],
    ["int64", "7fffffffffffffff", 9223372036854775807n],
    ["int64", "8000000000000000", -9223372036854775808n],
    ["int64", "ffffffffffffffff", -1n],
    ["uint64", "ffffffffffffffff", 18446744073709551615n],
    ["float", "3fc00000", 1.5],
    ["float", "ff800000", -Infinity],
    ["double", "3ff8000000000000", 1.5],
    ["double", "8000000000000000", -0],
    ["double", "7ff8000000000000", Number.NaN],
    ["bool", "00000000", false],
    ["bool", "00000001", true],
    ["present", "00000000", false],
    ["present", "00000001", true],
    ["char", "ffffff80", -128],
    ["char", "0000007f", 127],
    ["uchar", "000000ff", 255],
    ["short", "ffff8000", -32768],
    ["short", "00007fff", 32767],
    ["ushort", "0000ffff", 65535],
  ] as const)("%s of %s is %s, strictly too", (method, digits, value) => {
    for (const options of [{}, strict]) {
      const r = reader(digits, options);
      expect(r[method]()).toBe(value);
      expect(r.left).toBe(0);
      expect(r.offset).toBe(digits.length / 2);
    }
  });

  test.each(["int32", "uint32", "float", "bool", "present", "char", "uchar", "short", "ushort"] as const)(
    "%s wants four bytes",
    (method) => {
      expect(refusal("000000", (r) => r[method]("n"))).toBe("short at byte 0, n: 4 wanted, 3 left");
    },
  );
  test.each(["int64", "uint64", "double"] as const)("%s wants eight bytes", (method) => {
    expect(refusal("00000000000000", (r) => r[method]("n"))).toBe("short at byte 0, n: 8 wanted, 7 left");
  });

  test("of a narrow type only the low bytes count, as in C", () => {
    expect(reader("12345680").char()).toBe(-128);
    expect(reader("123456ff").uchar()).toBe(255);
    expect(reader("1234ffff").short()).toBe(-1);
    expect(reader("1234ffff").ushort()).toBe(65535);
  });

  test.each([
    ["char", "00000080", "word at byte 0, n: 128 is outside -128 to 127"],
    ["char", "ffffff7f", "word at byte 0, n: -129 is outside -128 to 127"],
    ["uchar", "00000100", "word at byte 0, n: 256 is outside 0 to 255"],
    ["uchar", "ffffffff", "word at byte 0, n: -1 is outside 0 to 255"],
    ["short", "00008000", "word at byte 0, n: 32768 is outside -32768 to 32767"],
    ["ushort", "00010000", "word at byte 0, n: 65536 is outside 0 to 65535"],
    ["bool", "00000002", "bool at byte 0, n: 2 is neither 0 nor 1"],
    ["present", "ffffffff", "presence at byte 0, n: 4294967295 is neither 0 nor 1"],
  ] as const)("strict: %s of %s is refused", (method, digits, text) => {
    reader(digits)[method]();
    expect(refusal(digits, (r) => r[method]("n"), strict)).toBe(text);
  });

  test("any word but zero is true, and present", () => {
    for (const digits of ["00000002", "80000000", "ffffffff"]) {
      expect(reader(digits).bool()).toBe(true);
      expect(reader(digits).present()).toBe(true);
    }
  });

  test("an enumeration takes any number; strict wants a member", () => {
    const known = { A: 0, B: -1 };
    expect(reader("0000004d").enumeration(known)).toBe(77);
    expect(reader("ffffffff", strict).enumeration(known)).toBe(-1);
    expect(refusal("0000004d", (r) => r.enumeration(known, "t"), strict)).toBe("enum at byte 0, t: 77 is not a member");
  });
});

describe("opaque and string", () => {
  test.each([
    ["", ""],
    ["61", "61000000"],
    ["6162", "61620000"],
    ["616263", "61626300"],
    ["61626364", "61626364"],
  ])("fixed opaque of %s", (content, digits) => {
    const r = reader(digits, strict);
    expect(r.fixedOpaque(content.length / 2)).toEqual(hex(content));
    expect(r.left).toBe(0);
  });

  test("counted opaque: the limit counts bytes and is inclusive", () => {
    expect(reader("00000003 61626300").opaque(3)).toEqual(hex("616263"));
    expect(refusal("00000003 61626300", (r) => r.opaque(2, "o"))).toBe("limit at byte 0, o: 3 bytes, limit 2");
  });

  test("the limit comes before the bytes left", () => {
    expect(refusal("ffffffff", (r) => r.opaque(16, "o"))).toBe("limit at byte 0, o: 4294967295 bytes, limit 16");
    expect(refusal("ffffffff", (r) => r.string(16, "s"))).toBe("limit at byte 0, s: 4294967295 bytes, limit 16");
    expect(refusal("ffffffff", (r) => r.chars(16, "c"))).toBe("limit at byte 0, c: 4294967295 elements, limit 16");
    expect(refusal("ffffffff", (r) => r.array(16, 4, (e) => e.int32(), "a"))).toBe(
      "limit at byte 0, a: 4294967295 elements, limit 16",
    );
  });

  test("every short text, with a zero or another byte at each place and behind it", () => {
    for (let length = 0; length <= 14; length++) {
      for (const byte of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
        for (let at = 0; at < length + (-length & 3); at++) {
          const bytes = padded(new Uint8Array(length).fill(0x61));
          bytes[at] = byte;
          const payload = joined(word(length), bytes, word(-1));
          const text = Buffer.from(bytes.subarray(0, length)).toString("latin1").replace(/\0.*/s, "");
          if (at < length && byte >= 0x80) {
            expect(() => new XdrReader(payload).string(99, "s")).toThrow(`utf8 at byte 4, s: ${length} bytes that`);
          } else expect(new XdrReader(payload).string(99)).toBe(text);
          if (at < length ? byte !== 0x00 : byte === 0x00) continue;
          expect(() => new XdrReader(payload, strict).string(99, "s")).toThrow(at < length ? /^nul/ : /^padding/);
        }
      }
    }
  });

  test("more names than the table has places for", () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5000; i++) {
        expect(reader(counted(`vcpu.${i}.delay`)).name(80)).toBe(`vcpu.${i}.delay`);
      }
    }
  });

  test("data and padding must be there", () => {
    expect(refusal("00000005 61626364", (r) => r.opaque(16, "o"))).toBe("short at byte 4, o: 5 wanted, 4 left");
    expect(refusal("00000005 6162636465", (r) => r.opaque(16, "o"))).toBe("short at byte 9, o: 3 wanted, 0 left");
    expect(refusal("00000001 61", (r) => r.string(16, "s"))).toBe("short at byte 5, s: 3 wanted, 0 left");
  });

  test("padding that is not zero: libvirt takes it, strict does not", () => {
    expect(reader("00000002 61620001").opaque(16)).toEqual(hex("6162"));
    expect(reader("00000002 61620001").string(16)).toBe("ab");
    expect(refusal("00000002 61620001", (r) => r.opaque(16, "o"), strict)).toBe(
      "padding at byte 7, o: byte 1 after the data",
    );
    expect(refusal("00000001 61ff0000", (r) => r.string(16, "s"), strict)).toBe(
      "padding at byte 5, s: byte 255 after the data",
    );
  });

  test("opaque data is a copy", () => {
    const bytes = hex("00000004 01020304");
    const copy = reader(bytes).opaque(4);
    bytes.fill(0);
    expect(copy).toEqual(hex("01020304"));
    expect(copy.buffer.byteLength).toBe(4);
  });

  test("a reader of a part of a larger buffer stays inside it", () => {
    const part = hex("ffffffff 00000001 61000000 ffffffff").subarray(4, 12);
    const r = reader(part);
    expect(r.string(8)).toBe("a");
    expect(message(() => r.int32())).toBe("short at byte 8: 4 wanted, 0 left");
  });

  test.each(["", "a", "grüße €/😀", "\uFEFFbyte order mark", "x".repeat(24), "x".repeat(25), `${"x".repeat(30)}ü`])(
    "string %j",
    (text) => {
      const r = reader(counted(text), strict);
      expect(r.string(100)).toBe(text);
      expect(r.left).toBe(0);
    },
  );

  test.each([
    ["a lone continuation byte", "80"],
    ["an overlong slash", "c0af"],
    ["a surrogate", "eda080"],
    ["above U+10FFFF", "f4908080"],
    ["cut short", "e282"],
  ])("bytes that are not UTF-8 are never replaced: %s", (_, content) => {
    for (const bytes of [hex(content), joined(new Uint8Array(40).fill(0x61), hex(content))]) {
      const text = message(() => reader(counted(bytes)).string(100, "args.name"));
      expect(text).toBe(`utf8 at byte 4, args.name: ${bytes.length} bytes that are not UTF-8`);
    }
  });

  test("a zero byte ends a string, as in C; what follows it need not be UTF-8; strict refuses it", () => {
    expect(reader(counted(hex("6100ff"))).string(10)).toBe("a");
    expect(reader(counted(hex("00"))).string(10)).toBe("");
    expect(reader(counted(`${"x".repeat(40)}\0rest`)).string(100)).toBe("x".repeat(40));
    const r = reader(joined(counted("a\0b"), word(7)));
    r.string(10);
    expect(r.int32()).toBe(7);
    expect(message(() => reader(counted("a\0b"), strict).string(10, "s"))).toBe(
      "nul at byte 4, s: zero byte at 1 of 3",
    );
  });

  test("chars: four bytes each, of which the low one counts", () => {
    expect(reader("00000002 ffffff80 12345641").chars(2)).toEqual(hex("8041"));
    expect(reader("ffffff80 00000041").fixedChars(2)).toEqual(hex("8041"));
    expect(refusal("00000002 00000041", (r) => r.chars(2, "c"))).toBe(
      "short at byte 4, c: 2 elements of at least 4 bytes wanted, 4 left",
    );
    expect(refusal("00000041", (r) => r.fixedChars(2, "c"))).toBe("short at byte 0, c: 8 wanted, 4 left");
  });

  test("strict chars: with or without sign extension, as C's char is signed here and unsigned there", () => {
    expect(reader("00000002 ffffff80 00000080", strict).chars(2)).toEqual(hex("8080"));
    expect(refusal("00000002 00000041 00000141", (r) => r.chars(2, "c"), strict)).toMatch(
      /^word at byte \d+, c\[1\]: /,
    );
  });
});

describe("arrays", () => {
  const int = (r: XdrReader): number => r.int32("value");

  test("fixed and counted", () => {
    expect(reader("00000001 00000002").fixedArray(2, int)).toEqual([1, 2]);
    expect(reader("00000002 00000001 00000002").array(2, 4, int)).toEqual([1, 2]);
    expect(reader("00000000").array(0, 4, int)).toEqual([]);
  });

  test("a count that the bytes left cannot hold allocates nothing", () => {
    let decoded = 0;
    const text = refusal("00100000 00000000", (r) => r.array(0x100000, 4, () => decoded++, "list"));
    expect(text).toBe("short at byte 4, list: 1048576 elements of at least 4 bytes wanted, 4 left");
    expect(decoded).toBe(0);
  });

  test("elements without bytes are bounded by the limit alone", () => {
    expect(reader("00000003").array(3, 0, () => null)).toEqual([null, null, null]);
  });

  test("errors name the element and the field in it", () => {
    expect(
      refusal("00000002 00000001 00000002 0000", (r) => {
        r.array(9, 0, (e) => ({ a: e.int32("a") }), "first");
        return r.array(9, 4, int, "params");
      }),
    ).toBe("short at byte 12, params: 4 wanted, 2 left");
    expect(refusal("00000004 00000001 00000001 00000001 0000", (r) => r.array(9, 0, int, "params"))).toBe(
      "short at byte 16, params[3].value: 4 wanted, 2 left",
    );
  });

  test("nested lists make a path", () => {
    const text = refusal("00000001 00000001 00000001", (r) =>
      r.array(9, 4, (a) => a.array(9, 0, (b) => b.opaque(4, "o"), "inner"), "outer"),
    );
    expect(text).toBe("short at byte 12, outer[0].inner[0].o: 1 wanted, 0 left");
  });
});

describe("the rest", () => {
  test("bytes left over: only strict minds", () => {
    const r = reader("00000001 deadbeef");
    r.int32();
    r.end();
    const s = reader("00000001 deadbeef", strict);
    s.int32();
    expect(message(() => s.end())).toBe("trailing at byte 4: 4 bytes after the last field");
  });

  test("a discriminant without an arm", () => {
    expect(refusal("00000008", (r) => r.noArm(r.int32("type"), "value.type"))).toBe(
      "union at byte 0, value.type: no arm for 8",
    );
  });

  test("a recursive type ends at a depth, not with the stack", () => {
    const list = xdrType<unknown>(
      "list",
      () => {},
      function decode(r): unknown {
        r.enter("next");
        const next = r.present("next") ? decode(r) : null;
        r.leave();
        return next;
      },
    );
    const deep = (length: number): Uint8Array => joined(...new Array(length).fill(word(1)), word(0));
    list.decode(deep(1023));
    expect(message(() => list.decode(deep(1024)))).toBe("depth at byte 4096, next: nested more than 1024 deep");
    expect(message(() => list.decode(deep(100_000)))).toMatch(/^depth /);
    expect(message(() => list.decode(deep(4), { maxDepth: 3 }))).toBe(
      "depth at byte 12, next: nested more than 3 deep",
    );
    // As wide as you like: leaving gives the depth back.
    const r = reader(joined(...new Array(5000).fill(word(0))));
    for (let i = 0; i < 5000; i++) {
      r.enter();
      r.int32();
      r.leave();
    }
  });

  test("an error carries code, offset and path as data", () => {
    try {
      reader("00000001").fixedArray(2, (r) => r.int32("n"), "args.list");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ name: "XdrError", code: "short", offset: 4, path: "args.list[1].n" });
    }
  });

  test("properties: what the plain writer writes comes back", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.string({ unit: "grapheme", maxLength: 60 }),
        fc.uint8Array({ maxLength: 60 }),
        (n, big, text, raw) => {
          const r = reader(joined(word(n), hyper(big), counted(text), counted(raw)), strict);
          expect(r.int32()).toBe(n);
          expect(r.int64()).toBe(big);
          expect(r.string(1000)).toBe(text);
          expect(r.opaque(1000)).toEqual(raw);
          r.end();
        },
      ),
    );
  });
});
