import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CodegenError, generate } from "../../codegen/index.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "virtwire-generate-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes the `.x` files and generates code from the last. */
function generated(files: Record<string, string>): ReadonlyMap<string, string> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return generate([join(folder, Object.keys(files).at(-1)!)]).files;
}

const program = (name: string, procedures: string, version = 1): string =>
  `program ${name} { version V${name} { ${procedures} } = ${version}; } = 5;`;

test("types of two files that are called alike stay apart", () => {
  const files = generated({
    "foo.x": `struct foo_state { int a; }; struct stream { int b; }; ${program("FOO", "void F(foo_state) = 1;")}`,
    "bar.x": `struct bar_state { int a; }; ${program("BAR", "void F(bar_state) = 1;")}`,
    "both.x":
      '%#include "foo.x"\n%#include "bar.x"\nstruct both_state { foo_state a<>; bar_state b<>; };' +
      program("BOTH", "stream F(both_state) = 1;"),
  });
  const types = files.get("both/types.ts");
  expect(types).toMatch(/^\/\/ Generated from both\.x by/);
  expect(types).toContain(
    "import { decodeState as decodeState2, encodeState as encodeState2, type State as State2 } from",
  );
  expect(types).toContain("export interface BothState {\n  a: State[];\n  b: State2[];\n}");
  // the functions for arrays as well
  expect(types?.match(/^function \w+/gm)?.toSorted()).toEqual([
    "function decodeEachState",
    "function decodeEachState2",
    "function encodeEachState",
    "function encodeEachState2",
  ]);
  expect(files.get("both/client.ts")).toContain('import type { Stream as Stream2 } from "../foo/types.js";');
  expect(files.get("both/client.ts")).toContain("Promise<Stream2>");
});

test("files without types or constants are modules too, and import nothing that they do not use", () => {
  const files = generated({ "bare.x": program("BARE", "void F(int, string) = 1;") });
  expect(files.get("bare/types.ts")).toMatch(/\n\nexport \{\};\n$/);
  expect(files.get("bare/registry.ts")).not.toContain("import");
});

test("programs that differ by case only have folders and namespaces of their own", () => {
  const files = generated({
    "cases.x": `${program("A_B", "void F(void) = 1;")}${program("a_b", "void F(void) = 1;")}`,
  });
  expect(files.get("cases/index.ts")).toContain(
    'export * as aBV1 from "./a-b-v1/index.js";\nexport * as aBV12 from "./a-b-v12/index.js";',
  );
});

test("many files that import each other's imports are visited once each", () => {
  const files = Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [
      `d${i}.x`,
      `${i === 0 ? "" : `%#include "d${i - 1}.x"\n`}${i < 2 ? "" : `%#include "d${i - 2}.x"\n`}typedef int d${i};`,
    ]),
  );
  expect(generated(files).size).toBe(60 * 3 + 1);
});

test.each([
  [{ "...x": "const A = 1;" }, "cannot name a folder after this file"],
  [{ "a b.x": "const A = 1;" }, "cannot name a folder after this file"],
  [{ "A.x": "const A = 1;", "a.x": '%#include "A.x"' }, "would be written to the folder a/ too"],
])("refused, as a CodegenError: %j", (files, why) => {
  expect(() => generated(files)).toThrow(CodegenError);
  expect(() => generated(files)).toThrow(why);
});

test("a pointer to a pointer is refused where it stands: null could not say which of the two is absent", () => {
  const text = "typedef int *maybe;\ntypedef maybe once;\nstruct s {\n    int a;\n    once *twice;\n};\n";
  expect(() => generated({ "twice.x": text })).toThrow(
    expect.objectContaining({
      diagnostics: [expect.objectContaining({ message: "a pointer to a pointer has no TypeScript type" })],
    }),
  );
  expect(() => generated({ "twice.x": text })).toThrow(/twice\.x:5:11: error/);
});
