import { expect, test } from "vitest";
import { reasonWord, stateWord } from "../../src/cli/domain-words.ts";
import { fact, printable, table, toJson } from "../../src/cli/output.ts";

// Expected texts are what virsh 9.0.0 printed on test:///default.

test("cli/table: as wide as its cells, the last column not padded", () => {
  expect(table(["Id", "Name", "State"], [["1", "test", "running"]])).toBe(
    " Id   Name   State\n----------------------\n 1    test   running",
  );
});

test("cli/table: a short cell before a longer one, and no rows at all", () => {
  const rows = [
    ["1", "test", "running"],
    ["-", "t2", "shut off"],
  ];
  expect(table(["Id", "Name", "State"], rows)).toBe(
    " Id   Name   State\n-----------------------\n 1    test   running\n -    t2     shut off",
  );
  expect(table(["Id", "Name", "State"], [])).toBe(" Id   Name   State\n--------------------");
});

test("cli/table: an empty cell in the last column leaves the padding of the one before", () => {
  const rows = [["1", "test", "running", ""]];
  expect(table(["Id", "Name", "State", "Title"], rows)).toBe(
    " Id   Name   State     Title\n------------------------------\n 1    test   running   ",
  );
});

test("cli/printable: a daemon's text does not drive the terminal", () => {
  expect(printable("a\x1b]0;x\x07\u009b2J grüße\n\tb")).toBe("a\\x1b]0;x\\x07\\x9b2J grüße\n\tb");
  expect(table(["Name"], [["a\u0085\nb"]])).toBe(" Name\n-------------\n a\\x85\\x0ab");
  expect(fact("Name", "\x1bc")).toBe("Name:           \\x1bc\n");
});

test("cli/fact: labels take 15 columns", () => {
  expect(fact("OS Type", "linux")).toBe("OS Type:        linux\n");
  expect(fact("Security label", "x (enforcing)")).toBe("Security label: x (enforcing)\n");
});

test("cli/words: states and reasons that this version does not know", () => {
  expect([stateWord(1), stateWord(5), stateWord(99)]).toEqual(["running", "shut off", "no state"]);
  expect([reasonWord(1, 1), reasonWord(3, 10), reasonWord(1, 99), reasonWord(99, 0)]).toEqual([
    "booted",
    "crashed",
    "unknown",
    "unknown",
  ]);
});

test("cli/json: 64-bit numbers as strings, bytes as hexadecimal", () => {
  expect(toJson({ size: 2n ** 64n - 1n, bytes: Uint8Array.of(0, 255), none: null })).toBe(
    '{"size":"18446744073709551615","bytes":"00ff","none":null}',
  );
});
