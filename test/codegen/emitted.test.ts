import { describe, expect, test } from "vitest";
import { XdrError, type XdrType } from "../../src/xdr/index.ts";
import { types as calculator, calculatorV1, calculatorV2 } from "./emit/expected/calculator/index.ts";
import { animalFeed, animalWatch, close, eventHungry, petDescription } from "./emit/expected/dialect/index.ts";
import * as names from "./emit/expected/names/index.ts";
import { type List, types as recursive } from "./emit/expected/recursive/index.ts";
import { Colour, type Lengths, type Scalars, types as structs } from "./emit/expected/structs/index.ts";
import { Status, types as unions } from "./emit/expected/unions/index.ts";

// The committed output of the emitter, run. Expected bytes are written out by hand from RFC 4506.

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s+/g, ""), "hex"));
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

function both<T>(type: XdrType<T>, value: T, wire: string): void {
  expect(hex(type.encode(value))).toBe(hex(bytes(wire)));
  expect(type.decode(bytes(wire))).toEqual(value);
  expect(type.decode(bytes(wire), { strict: true })).toEqual(value);
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(XdrError);
    return (error as XdrError).message;
  }
  throw new Error("nothing was refused");
}

const scalars: Scalars = {
  i: -2,
  ui: 0xfffffffe,
  h: -3n,
  uh: 2n ** 64n - 1n,
  f: 1.5,
  d: -0.25,
  flag: true,
  q: Uint8Array.from({ length: 16 }, (_, i) => i),
  c: -1,
  uc: 255,
  s: -32768,
  us: 65535,
  paint: Colour.BLUE,
};
const scalarsWire = `fffffffe fffffffe fffffffffffffffd ffffffffffffffff 3fc00000 bfd0000000000000 00000001
  000102030405060708090a0b0c0d0e0f ffffffff 000000ff ffff8000 0000ffff fffffffb`;

const lengths: Lengths = {
  name: "grüße",
  any: "",
  key: new Uint8Array(16).fill(0xab),
  blob: Uint8Array.of(1, 2, 3, 4, 5),
  odd: Uint8Array.of(9, 8, 7),
  label: Uint8Array.of(0x61, 0x80, 0xff, 0),
  text: Uint8Array.of(0x62),
  pair: [1, -1],
  times: [1n, -1n],
  corners: [{ x: 1, y: 2 }],
  names: ["a", "bcdef"],
  where: { x: -7, y: 7 },
  nick: null,
  other: null,
};
const lengthsWire = `00000007 6772c3bcc39f6500 00000000 abababababababababababababababab 00000005 0102030405000000
  09080700 00000061 ffffff80 ffffffff 00000000 00000001 00000062 00000001 ffffffff
  00000002 0000000000000001 ffffffffffffffff 00000001 00000001 00000002
  00000002 00000001 61000000 00000005 6263646566000000 00000001 fffffff9 00000007 00000000 00000000`;

describe("structs", () => {
  test("every primitive type", () => both(structs.scalars, scalars, scalarsWire));
  test("every kind of length", () => both(structs.lengths, lengths, lengthsWire));
  test("an array of optional data", () => {
    both(structs.empty_list, { points: [null, { x: 1, y: 1 }] }, "00000002 00000000 00000001 00000001 00000001");
  });
  test("decoded bytes are copies", () => {
    for (const wire of [bytes(lengthsWire), Buffer.from(bytes(lengthsWire))]) {
      const value = structs.lengths.decode(wire);
      wire.fill(0xee);
      expect(value).toEqual(lengths);
    }
  });
  test("an enumeration stays open, and strict closes it", () => {
    expect(structs.colour.decode(bytes("00000063"))).toBe(99);
    expect(refusal(() => structs.colour.decode(bytes("00000063"), { strict: true }))).toBe(
      "enum at byte 0: 99 is not a member",
    );
  });
  test("errors name the field, inside arrays too", () => {
    const cases: [Partial<Record<keyof Lengths, unknown>>, string][] = [
      [{ name: "x".repeat(13) }, "limit at byte 0, name: 13 bytes, limit 12"],
      [{ blob: new Uint8Array(9) }, "limit at byte 32, blob: 9 bytes, limit 8"],
      [{ key: new Uint8Array(15) }, "limit at byte 16, key: 15 bytes, exactly 16 wanted"],
      [
        {
          corners: [
            { x: 1, y: 2 },
            { x: 1, y: -1 },
          ],
        },
        "range at byte 116, corners[1].y: -1 is not an unsigned 32-bit integer",
      ],
      [{ corners: [undefined] }, "type at byte 104, corners[0]: Cannot read properties of undefined (reading 'x')"],
      [{ where: { x: 2 ** 31, y: 1 } }, "range at byte 140, where.x: 2147483648 is not a 32-bit integer"],
      [{ names: ["a", "b", "c"] }, "limit at byte 112, names: 3 elements, limit 2"],
      [{ times: "no" }, "type at byte 80, times: a string is not an array"],
    ];
    for (const [change, message] of cases) {
      expect(refusal(() => structs.lengths.encode({ ...lengths, ...change } as Lengths))).toBe(message);
    }
    expect(refusal(() => structs.lengths.decode(bytes(lengthsWire).subarray(0, 106)))).toBe(
      "short at byte 104, corners: 1 elements of at least 8 bytes wanted, 2 left",
    );
  });
});

describe("unions", () => {
  test("int labels, named and negative", () => {
    both(unions.by_int, { type: 1, value: -1 }, "00000001 ffffffff");
    both(unions.by_int, { type: 9, value: "hi" }, "00000009 00000002 68690000");
    both(unions.by_int, { type: -4 }, "fffffffc");
    expect(refusal(() => unions.by_int.decode(bytes("00000002")))).toBe("union at byte 0, type: no arm for 2");
    expect(refusal(() => unions.by_int.encode({ type: 2 } as never))).toBe("union at byte 4, type: no arm for 2");
  });
  test("enum labels, stacked, with a discriminant called value", () => {
    both(unions.by_enum, { discriminant: Status.STATUS_OK, value: Uint8Array.of(1) }, "00000000 00000001 01000000");
    both(unions.by_enum, { discriminant: Status.STATUS_LATER, value: 5n }, "00000002 0000000000000005");
  });
  test("bool labels and a nested union", () => {
    both(unions.by_bool, { present: true, value: { type: -4 } }, "00000001 fffffffc");
    both(unions.by_bool, { present: false }, "00000000");
    expect(refusal(() => unions.by_bool.decode(bytes("00000001 00000009 00000002 68")))).toBe(
      "short at byte 12, value.value: 2 wanted, 1 left",
    );
  });
  test("default arms", () => {
    both(unions.with_default, { kind: 0 }, "00000000");
    both(unions.with_default, { kind: 0xffffffff, value: [1] }, "ffffffff 00000001 00000001");
    both(unions.void_default, { kind: 7, value: 1.5 }, "00000007 3ff8000000000000");
    both(unions.void_default, { kind: 8 }, "00000008");
  });
});

describe("types that contain themselves", () => {
  const nested = (depth: number): List => {
    let list: List = null;
    for (let i = 0; i < depth; i++) list = { item: "", next: list };
    return list;
  };
  test("a list", () => {
    both(
      recursive.list,
      { item: "a", next: { item: "", next: null } },
      "00000001 00000001 61000000 00000001 00000000 00000000",
    );
  });
  test("a tree", () => {
    const tree = { leaf: 0, value: [{ leaf: 1, value: 5 }] } as const;
    expect(recursive.tree.decode(recursive.tree.encode(tree as never))).toEqual(tree);
  });
  test("depth is bounded both ways, by a typed error", () => {
    expect(recursive.list.decode(recursive.list.encode(nested(1024)))).toEqual(nested(1024));
    expect(refusal(() => recursive.list.encode(nested(1025)))).toMatch(/^depth at byte \d+, next/);
    const hostile = bytes("00000001 00000000".repeat(100_000));
    expect(refusal(() => recursive.list.decode(hostile))).toMatch(/^depth at byte \d+, next/);
    const loop = { item: "", next: null as List };
    loop.next = loop;
    expect(refusal(() => recursive.list.encode(loop))).toMatch(/^depth/);
  });
});

describe("names", () => {
  test("what meets in TypeScript is kept apart, and nothing is lost", () => {
    const point: names.Point2 = {
      ...{ a: 1, a2: 2, aB: [3], aB2: [4], proto: "five", proto2: "six", constructor: true, value: [7], type: 8 },
    };
    expect(names.types.point.decode(names.types.point.encode(point))).toEqual(point);
    expect(() => names.types.point.encode({ ...point, aB: [1, 2, 3, 4] })).toThrow("aB: 4 elements, limit 3");
    both(names.types.by_odd, { discriminant: names.Odd.__proto___, value: 1 }, "00000005 00000001");
    both(
      names.types.codecs,
      { a: [true], b: [], c: [], d: [2] },
      "00000001 00000001 00000000 00000000 00000001 00000002",
    );
    expect([
      names.class_,
      names.w_,
      names.at_,
      names._inField,
      names._encodeInt,
      names.undefined_,
      names.Point,
    ]).toEqual([1, 3, 4, 5, 7, 9, 6]);
    expect(Object.keys(names.types)).toContain("Promise_");
  });
  test("each procedure has a name of its own", () => {
    expect(names.program).toEqual({ name: "NAMES", number: 77, version: 1 });
    const { procedures } = names.namesDescription;
    expect(Object.entries(procedures).map(([name, { number }]) => `${name} ${number}`)).toEqual([
      ...[
        "program2 0",
        "t 1",
        "nothing 2",
        "types2 3",
        "class_2 4",
        "constructor_ 5",
        "getInfo 6",
        "getInfo2 7",
        "w 8",
      ],
    ]);
    expect(names.getInfo2.name).toBe("GET_INFO");
  });
});

describe("programs", () => {
  test("a program block: versions apart, argument lists as tuples", () => {
    expect(calculatorV1.program).toEqual({ name: "CALCULATOR", number: 0x20000099, version: 1 });
    expect(calculatorV2.program.version).toBe(2);
    expect(calculatorV2.add.number).toBe(1);
    expect(Object.keys(calculatorV2.calculatorDescription.procedures)).toEqual(["null_", "add", "spell", "delete_"]);
    expect(calculator.pair.encode({ a: 1, b: 2 })).toEqual(bytes("00000001 00000002"));
  });
  test("libvirt's dialect: rights, streams, descriptors, events", () => {
    expect(animalFeed).toMatchObject({
      number: 1,
      priority: "high",
      acl: ["animal:write", "animal:hold:PET_HOLD"],
      since: "1.2.3",
    });
    expect(animalWatch).toMatchObject({ priority: "low", stream: "read", sparseFlag: "PET_SPARSE" });
    expect(close).toMatchObject({ fds: "out" });
    expect(eventHungry).toMatchObject({ number: 3, aclFilter: ["animal:getattr"] });
    expect(Object.keys(petDescription.procedures)).toEqual(["animalFeed", "animalWatch", "close"]);
    expect(Object.keys(petDescription.events)).toEqual(["eventHungry"]);
  });
});
