import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  askForStrings,
  type FieldTypes,
  inOrder,
  namedNumbers,
  type TypedParametersInput,
  typed,
  typedParameterList,
  typedParameters,
} from "../../src/api/typed-parameters.ts";
import type { TypedParam } from "../../src/generated/remote/index.ts";
import { VirtError } from "../../src/rpc/index.ts";

const types: FieldTypes = {
  i: "int",
  u: "uint",
  l: "llong",
  ul: "ullong",
  d: "double",
  b: "boolean",
  s: "string",
};

describe("typed-parameters/received", () => {
  const list: TypedParam[] = [
    { field: "i", value: typed.int(-2) },
    { field: "u", value: typed.uint(7) },
    { field: "l", value: typed.llong(-3) },
    { field: "ul", value: typed.ullong(2n ** 64n - 1n) },
    { field: "d", value: typed.double(1.5) },
    { field: "b", value: typed.boolean(true) },
    { field: "s", value: typed.string("hi") },
  ];

  test("a record: 64 bits as bigint, a boolean as boolean", () => {
    expect({ ...typedParameters(list) }).toEqual({
      i: -2,
      u: 7,
      l: -3n,
      ul: 18_446_744_073_709_551_615n,
      d: 1.5,
      b: true,
      s: "hi",
    });
  });

  test("a field that came several times has an array; the list stays as it came", () => {
    const disks = ["vda", "vdb", "vdc"].map((value) => ({ field: "migrate_disks", value: typed.string(value) }));
    const record = typedParameters([...disks, ...list.slice(0, 1)]);
    expect(record.migrate_disks).toEqual(["vda", "vdb", "vdc"]);
    expect(record[inOrder]).toEqual([...disks, ...list.slice(0, 1)]);
    expect(Object.keys(record)).toEqual(["migrate_disks", "i"]);
  });

  test.each(["__proto__", "constructor", "toString", "then"])("a field may be called %s", (field) => {
    const record = typedParameters([{ field, value: typed.int(1) }]);
    expect(Object.entries(record)).toEqual([[field, 1]]);
    expect(Object.entries(namedNumbers([{ field, value: 1n }]))).toEqual([[field, 1n]]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test("a boolean is any number but 0", () => {
    expect(typedParameters([{ field: "b", value: { type: 6, value: 2 } }]).b).toBe(true);
  });
});

describe("typed-parameters/sent", () => {
  test("the type comes from the field", () => {
    const sent = typedParameterList({ i: -1, u: 1, l: 2, ul: 3n, d: 4, b: true, s: "x" }, types);
    expect(sent.map(({ field, value }) => [field, value.type, value.value])).toEqual([
      ["i", 1, -1],
      ["u", 2, 1],
      ["l", 3, 2n],
      ["ul", 4, 3n],
      ["d", 5, 4],
      ["b", 6, 1],
      ["s", 7, "x"],
    ]);
  });

  test("an array is sent as several, undefined not at all, in the order of the record", () => {
    const sent = typedParameterList({ s: ["a", "b"], i: undefined, u: 1 }, types);
    expect(sent.map(({ field, value }) => `${field}=${value.value}`)).toEqual(["s=a", "s=b", "u=1"]);
  });

  test("a value with its type goes as it is, also where the field says otherwise", () => {
    expect(typedParameterList({ u: typed.ullong(1), other: typed.double(2) }, types)).toEqual([
      { field: "u", value: { type: 4, value: 1n } },
      { field: "other", value: { type: 5, value: 2 } },
    ]);
  });

  test("a list goes as it is", () => {
    const list = [{ field: "x", value: typed.int(1) }];
    expect(typedParameterList(list, types)).toEqual(list);
  });

  test.each<[string, TypedParametersInput]>([
    ["its type is not known", { other: 1 }],
    ["its type is not known", { toString: 1 }],
    ["a string is wanted", { s: 1 }],
    ["a string is wanted", { s: null as never }],
    ["a whole number is wanted", { u: [1, null as never] }],
    ["true or false is wanted", { b: 1 }],
    ["a number is wanted", { d: "1" }],
    ["a whole number is wanted", { i: 1.5 }],
    ["a whole number is wanted", { u: "1" }],
    ["a whole number is wanted", { ul: 2 ** 60 }],
    ["a whole number is wanted", { ul: true }],
    ["-2147483649 is not in -2147483648..2147483647", { i: -(2 ** 31) - 1 }],
    ["4294967296 is not in 0..4294967295", { u: 2 ** 32 }],
    ["-1 is not in 0..18446744073709551615", { ul: -1 }],
    ["9223372036854775808 is not in", { l: 2n ** 63n }],
  ])("refused: %s", (why, params) => {
    expect(() => typedParameterList(params, types)).toThrow(VirtError);
    expect(() => typedParameterList(params, types)).toThrow(why);
  });

  test("what was received can be sent again", () => {
    const value = fc.oneof(
      fc.record({ field: fc.constant("i"), value: fc.integer().map(typed.int) }),
      fc.record({ field: fc.constant("u"), value: fc.nat().map(typed.uint) }),
      fc.record({ field: fc.constant("l"), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(typed.llong) }),
      fc.record({ field: fc.constant("ul"), value: fc.bigInt(0n, 2n ** 64n - 1n).map(typed.ullong) }),
      fc.record({ field: fc.constant("d"), value: fc.double().map(typed.double) }),
      fc.record({ field: fc.constant("b"), value: fc.boolean().map(typed.boolean) }),
      fc.record({ field: fc.constant("s"), value: fc.string().map(typed.string) }),
    );
    fc.assert(
      fc.property(fc.array(value), (list) => {
        const record = typedParameters(list);
        const order = (sent: readonly TypedParam[]) =>
          [...sent].sort((a, b) => (a.field < b.field ? -1 : a.field > b.field ? 1 : 0));
        expect(order(typedParameterList(record, types))).toEqual(order(list));
      }),
    );
  });
});

describe("typed-parameters/strings", () => {
  const connection = (known: boolean) => {
    let asked = 0;
    return {
      supportsFeature: async () => {
        asked += 1;
        return known;
      },
      asked: () => asked,
    };
  };

  test("asked for where the daemon knows the flag, and whether it does, once", async () => {
    const daemon = connection(true);
    expect(await askForStrings(daemon, 1)).toBe(5);
    expect(await askForStrings(daemon, 0x8000_0000)).toBe(0x8000_0004);
    expect(daemon.asked()).toBe(1);
    expect(await askForStrings(connection(false), 1)).toBe(1);
  });

  test("a failed question is put again", async () => {
    let fail = true;
    const daemon = {
      async supportsFeature() {
        if (fail) throw new Error("gone");
        return true;
      },
    };
    await expect(askForStrings(daemon, 0)).rejects.toThrow("gone");
    fail = false;
    expect(await askForStrings(daemon, 0)).toBe(4);
  });
});
