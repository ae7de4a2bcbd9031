import { expect, test } from "vitest";
import { lex } from "../../codegen/lexer.ts";
import { parseNumber } from "../../codegen/number.ts";

const words = (text: string): string[] => [...lex(text)].map((token) => `${token.kind} ${token.text}`.trim());
const places = (text: string): string[] => [...lex(text)].map((token) => `${token.line}:${token.column}`);

test("names, numbers, strings and punctuation need no blanks between them", () => {
  expect(words('a<b>[-1]{0x1F}"s\\"t"*')).toEqual(
    [
      "name a",
      "punctuation <",
      "name b",
      "punctuation >",
      "punctuation [",
      "number -1",
      "punctuation ]",
      "punctuation {",
    ].concat(["number 0x1F", "punctuation }", 'string "s\\"t"', "punctuation *", "end"]),
  );
});

test("comments separate tokens, may span lines, do not nest and belong to the token after them", () => {
  const tokens = [...lex("a/* one\n /* two */b // three\nc")];
  expect(tokens.map(({ text, line, column }) => [text, line, column])).toEqual([
    ["a", 1, 1],
    ["b", 2, 11],
    ["c", 3, 1],
    ["", 3, 2],
  ]);
  expect(tokens.map(({ comments }) => comments.map(({ text }) => text.trim()))).toEqual([
    [],
    ["one\n /* two"],
    ["three"],
    [],
  ]);
});

test("a line that begins with % or # is one token, joined with the next by a backslash", () => {
  expect(words("%#include <x.h>\n  %{\n#define A 1 /* c */\n%a \\\nb\nc % d")).toEqual([
    "passed #include <x.h>",
    "passed {",
    "directive define A 1",
    "passed a  b",
    "name c",
    "unknown %",
    "name d",
    "end",
  ]);
});

test("lines end with \\n or \\r\\n, and columns count UTF-16 units", () => {
  expect(places("a\r\n\tb\n/* 𝄞 */ c\r\n%x\r\nd")).toEqual(["1:1", "2:2", "3:10", "4:1", "5:1", "5:2"]);
  expect(words("\uFEFFa")).toEqual(["name a", "end"]);
});

test("what is no token is a token too", () => {
  expect(words("a @$ b")).toEqual(["name a", "unknown @$", "name b", "end"]);
  expect(words("a /* b")).toEqual(["name a", "unclosed /*", "end"]);
  expect(words('"a\nb')).toEqual(['unclosed "a', "name b", "end"]);
  expect(words('"a\\')).toEqual(['unclosed "a', "unknown \\", "end"]);
  expect(words("")).toEqual(["end"]);
});

test.each([
  ["0", 0n],
  ["-0", 0n],
  ["10", 10n],
  ["-10", -10n],
  ["0x1f", 31n],
  ["0X1F", 31n],
  ["-0x10", -16n],
  ["017", 15n],
  ["000", 0n],
  ["18446744073709551615", 2n ** 64n - 1n],
  ["18446744073709551616", "range"],
  ["-9223372036854775808", -(2n ** 63n)],
  ["-9223372036854775809", "range"],
  ["0x10000000000000000", "range"],
  ["9".repeat(100), "range"],
  ["08", "digits"],
  ["0x", "digits"],
  ["1a", "digits"],
  ["0b1", "digits"],
] as const)("RFC 4506 section 6.3, constants: %s", (text, value) => {
  expect(parseNumber(text)).toBe(value);
});
