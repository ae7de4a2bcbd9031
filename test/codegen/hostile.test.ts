import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodegenError, MAX_ERRORS } from "../../codegen/diagnostics.ts";
import { emitModule } from "../../codegen/emit/module.ts";
import { parseModule } from "../../codegen/loader.ts";

/** Reads it and writes code for it. Takes nothing but files or a CodegenError of a bounded size for an answer. */
function read(source: string): "read" | "refused" {
  try {
    const resolve = (file: string) => ({ file, source: "typedef int imported;" });
    emitModule(parseModule(source, { file: "hostile.x", resolve }).module, { runtime: "r" });
    return "read";
  } catch (error) {
    if (!(error instanceof CodegenError)) throw error;
    expect(error.diagnostics.length).toBeLessThanOrEqual(2 * MAX_ERRORS);
    expect(error.message.length).toBeLessThan(100_000);
    for (const { at } of error.diagnostics) expect(at.line > 0 && at.column > 0).toBe(true);
    return "refused";
  }
}

const words =
  'bool case const default double quadruple enum float hyper int opaque string struct switch typedef union unsigned void program version char short long { } ( ) [ ] < > , ; : = * a b c A B 0 1 -1 0x10 08 99999999999999999999 TRUE " @ /* */ // \n %\n #if\n #endif\n #define\n #else\n %#include"a.x"\n #define\tA\t1\n /**@acl:none*/ A_PROC_B A_PROGRAM a_procedure'.split(
    " ",
  );

/** Pieces that are right by themselves meet in wrong places far more often than random words do. */
const pieces = [
  "struct a { b c; };",
  "typedef a b;",
  "typedef a *c<>;",
  "union d switch (int e) { case 1: a f; default: void; };",
  "enum g { H, I = 3 };",
  "const J = H;",
  "program P { version V { a F(b, c) = 1; } = 1; } = J;",
  "struct { struct { int x; } y[J]; } z;",
  "const K_PROGRAM = 1; const K_PROTOCOL_VERSION = 1;",
  "enum k_procedure { /** @acl: none */ K_PROC_A = 1 };",
  "struct k_a_args { int a; };",
  "}",
  "{",
  ";",
];

describe("any input gives code or a CodegenError", () => {
  const { runs, fixtures } = {
    runs: 200,
    fixtures: ["pantry", "ledger", "buoys"].map((name) =>
      readFileSync(new URL(`fixtures/${name}.x`, import.meta.url), "utf8"),
    ),
  };
  const inputs = {
    "random characters": fc.string({ unit: "binary", maxLength: 300 }),
    "random bytes": fc.uint8Array({ maxLength: 300 }).map((bytes) => new TextDecoder().decode(bytes)),
    "random words": fc.array(fc.constantFrom(...words), { maxLength: 80 }).map((soup) => soup.join(" ")),
    "random definitions": fc
      .array(fc.constantFrom(...pieces, ...words), { maxLength: 40 })
      .map((soup) => soup.join(" ")),
    "good files with a piece cut out, moved and replaced": fc
      .tuple(fc.constantFrom(...fixtures), fc.nat(), fc.nat(60), fc.nat(), fc.constantFrom(...words, "", "\0"))
      .map(([text, from, length, to, word]) => {
        const start = from % text.length;
        const piece = text.slice(start, start + length);
        const rest = text.slice(0, start) + word + text.slice(start + length);
        return rest.slice(0, to % rest.length) + piece + rest.slice(to % rest.length);
      }),
  };
  test.each(Object.entries(inputs))("%s", (_, input) => {
    fc.assert(
      fc.property(input, (source) => {
        read(source);
      }),
      { numRuns: runs },
    );
  });
});

/** Time of this process alone: a busy machine must not fail a test about growth. */
function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  return process.cpuUsage(start).user / 1e6;
}

describe("size costs time in proportion, and no stack", () => {
  // What is quadratic takes minutes at these sizes, what is linear takes less than a second.
  const SIZE = 1 << 18;
  const SECONDS = 5;
  const many = (count: number, make: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => make(index)).join("\n");
  const N = 4_000;

  test.each([
    ["256 KiB of (", "(".repeat(SIZE)],
    ["256 KiB of {", "{".repeat(SIZE)],
    ["256 KiB of }", "}".repeat(SIZE)],
    ["256 KiB of open comments", "/*".repeat(SIZE / 2)],
    ["256 KiB of comments", "/**/".repeat(SIZE / 2)],
    ["256 KiB of /", "/".repeat(SIZE)],
    ['256 KiB of "', '"'.repeat(SIZE + 1)],
    ['256 KiB of \\"', '\\"'.repeat(SIZE / 2)],
    ['256 KiB of \\" that does not count', `#if 0\n${'\\"'.repeat(SIZE / 2)}\n#endif`],
    ["256 KiB of unknown characters", "@".repeat(SIZE)],
    ["256 KiB of one name", "a".repeat(SIZE)],
    ["256 KiB of one number", `const A = ${"1".repeat(SIZE)};`],
    ["256 KiB of blanks", " ".repeat(SIZE)],
    ["256 KiB of empty lines and a mistake", `${"\n".repeat(SIZE)}x`],
    ["256 KiB of one directive", `#if ${"! ".repeat(SIZE / 2)}`],
    ["256 KiB of one %#define", `%#define A ${" ".repeat(SIZE)}1`],
    ["256 KiB of one joined line", `#define A ${"\\\n".repeat(SIZE / 2)}`],
    ["256 KiB of one annotation", `/** @acl: ${"a:".repeat(SIZE / 2)} */ const A = 1;`],
    [
      "256 KiB of stars in a comment",
      `program P { version V { /*${"*".repeat(SIZE)}@*/ void F(void) = 1; } = 1; } = 1;`,
    ],
    ["comments and % lines by turns", "/* @ */\n%\n".repeat(SIZE / 16)],
    ["nested structs", "struct a { struct { ".repeat(N)],
    ["nested anonymous structs", `struct a { ${"struct { ".repeat(N)}`],
    ["nested unions", "typedef union switch (union switch (".repeat(N)],
    ["nested #if", "#if 1\n".repeat(N)],
  ])("%s", { timeout: 120_000 }, (_, source) => {
    expect(cpuSeconds(() => read(source))).toBeLessThan(SECONDS);
  });

  test.each([
    ["4000 structs", many(N, (i) => `struct s${i} { int a; string b<${i}>; };`), "read"],
    ["4000 typedefs in a chain", `${many(N, (i) => `typedef t${i + 1} t${i};`)} typedef int t${N};`, "refused"],
    ["4000 arrays in a chain", `${many(N, (i) => `typedef t${i + 1} t${i}<>;`)} typedef int t${N};`, "refused"],
    ["4000 structs in a chain", `${many(N, (i) => `struct s${i} { s${i + 1} a; };`)} typedef int s${N};`, "refused"],
    ["4000 structs in a ring of pointers", many(N, (i) => `struct s${i} { s${(i + 1) % N} *a; s0 *b; };`), "read"],
    [
      "4000 types that are alike",
      many(4000, (i) => `typedef int a${"_".repeat(1 + (i % 200))}${"b".repeat(i / 200)};`),
      "read",
    ],
    ["200 fields alike", `struct s { ${many(200, (i) => `int a${"_".repeat(i)};`)} };`, "read"],
    ["2000 programs", many(2000, (i) => `program P${i} { version V { void F(void) = 1; } = 1; } = ${i};`), "read"],
    ["4000 constants in a chain", `${many(N, (i) => `const C${i} = C${i + 1};`)} const C${N} = 1;`, "read"],
    ["a circle of 4000 structs", many(N, (i) => `struct s${i} { s${(i + 1) % N} a; s0 b; };`), "refused"],
    ["4000 counted enumerators", `enum e { ${many(N, (i) => `E${i},`)} LAST };`, "read"],
    ["a union of 4000 labels", `union u switch (int t) { ${many(N, (i) => `case ${i}:`)} void; };`, "read"],
    [
      "4000 unions by one long typedef chain",
      `${many(100, (i) => `typedef t${i + 1} t${i};`)} typedef int t100; ${many(N, (i) => `union u${i} switch (t0 t) { case 1: void; };`)}`,
      "read",
    ],
    ["a struct of 4000 fields", `struct s { ${many(N, (i) => `int f${i};`)} };`, "read"],
    [
      "4000 procedures",
      `const A_PROGRAM = 1; const A_PROTOCOL_VERSION = 1; enum a_procedure { ${many(N, (i) => `/** @acl: none */ A_PROC_P${i} = ${i + 1},`).slice(0, -1)} };`,
      "read",
    ],
    ["4000 mistakes", many(N, (i) => `struct s${i} { none a; };`), "refused"],
    ["4000 syntax mistakes", many(N, (i) => `struct s${i} { int; };`), "refused"],
  ] as const)("%s", { timeout: 120_000 }, (_, source, wanted) => {
    expect(cpuSeconds(() => expect(read(source)).toBe(wanted))).toBeLessThan(SECONDS);
  });
});
