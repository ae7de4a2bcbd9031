import { expect, test } from "vitest";
import { matchesGlob } from "../../src/auth/glob.ts";

test.each([
  ["", "", true],
  ["*", "", true],
  ["*", "anything\nat all", true],
  ["?", "", false],
  ["?", "\u{1f600}", true],
  ["a*c", "abc", true],
  ["a*c", "abcd", false],
  ["a?c", "abc", true],
  ["*b*", "abc", true],
  ["a*b*c", "a-b-b-c", true],
  ["C=GB,O=wire,CN=*", "C=GB,O=wire,CN=cli", true],
  ["C=GB,O=wire,CN=*", "C=DE,O=wire,CN=cli", false],
  ["a.c", "abc", false],
  ["[ab]", "a", false],
  ["A", "a", false],
])("%j and %j: %s", (pattern, text, matches) => {
  expect(matchesGlob(pattern, text)).toBe(matches);
});

test("no pattern takes time out of proportion", () => {
  expect(matchesGlob(`${"*a".repeat(50)}b`, "a".repeat(20_000))).toBe(false);
});
