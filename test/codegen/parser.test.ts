import { expect, test } from "vitest";
import { CodegenError, renderDiagnostic } from "../../codegen/diagnostics.ts";
import { parseModule } from "../../codegen/loader.ts";
import { diagnosticsOf, mistakesOf, moduleOf } from "./reading.ts";

test("a missing ';' is reported where it is missing, and the rest is still read", () => {
  expect(mistakesOf("struct a {\n  int x\n  int y;\n};\nconst B = 1\nstruct c { nothing z; };")).toEqual([
    "2:8 expected ';' after 'x', found 'int'",
    "5:12 expected ';' after the definition, found 'struct'",
    "6:12 unknown type 'nothing'",
  ]);
});

test("one run finds a mistake in each definition, and what follows from it is not a mistake", () => {
  const mistakes = mistakesOf(`struct one { int; int ok; };
    union two switch (int a) { int x; };
    enum three { A = , B = 2 };
    const = 4;
    typedef int five[;
    struct six { five f; two t; int 7; };`);
  expect(mistakes).toEqual([
    "1:17 expected a name after the type, found ';'",
    "2:32 expected 'case' or 'default', found 'int'",
    "3:22 expected a number, found ','",
    "4:11 expected a constant's name, found '='",
    "5:22 expected a length, found ';'",
    "6:37 expected a name after the type, found '7'",
  ]);
});

test.each([
  ["struct a { int x;", "1:18 expected '}' to close the '{' after 'a' in line 1, found the end of the file"],
  ["struct a { int x;\ntypedef int b;", "2:1 expected '}' to close the '{' after 'a' in line 1, found 'typedef'"],
  ["struct a { };", "1:12 expected a type, found '}'"],
  ["enum a { };", "1:10 expected an enumerator, found '}'"],
  ["enum a { B = 1, };", "1:17 expected an enumerator after ',', found '}'"],
  ["enum a { B = 1 C = 2 };", "1:16 expected ',' after 'B', found 'C'"],
  ["union a switch (int b) { };", "1:26 expected 'case' or 'default', found '}'"],
  ["union a { int b; };", "1:9 expected 'switch' after 'a', found '{'"],
  [
    "union a switch (int b) { default: void; case 1: void; };",
    "1:41 'default' must be the last arm, and there can be only one",
  ],
  [
    "union a switch (int b) { default: void; default: void; };",
    "1:41 'default' must be the last arm, and there can be only one",
  ],
  ["int x;", "1:1 expected a definition (const, typedef, enum, struct, union or program), found 'int'"],
  ["program P { } = 1;", "1:13 expected 'version', found '}'"],
  ["program P { version V { void F(void) = 1; }; } = 1;", "1:44 expected '=' after the version, found ';'"],
  ["struct union { int a; };", "1:8 'union' is a reserved word: expected a struct's name"],
  ["struct a { int case; };", "1:16 'case' is a reserved word: expected a name after the type"],
  ["const quadruple = 1;", "1:7 'quadruple' is a reserved word: expected a constant's name"],
  ["const A = 08;", "1:11 '08' is not a number"],
  ["const A = 18446744073709551616;", "1:11 '18446744073709551616' does not fit in 64 bits"],
  ["const A = $;", "1:11 unknown character '$'"],
  ["const A = 1; /* open", "1:14 a comment without its end"],
  ["struct a { int b; /* open", "1:19 a comment without its end"],
  ['const A = "open;', "1:11 a string without its end"],
  [`const ${"A".repeat(300)} = 1;`, "1:7 a name of 300 letters, longer than 255"],
  ["#if A(1)\n#endif", "1:1 cannot evaluate #if 'A(1)'"],
  ["#ifdef A", "1:1 #if without its #endif"],
  ["#endif", "1:1 #endif without its #if"],
  ["#if 1\n#else\n#else\n#endif", "3:1 #else without its #if"],
  ["#assert x", "1:1 unknown directive '#assert'"],
])("refused: %.60s", (source, mistake) => {
  expect(mistakesOf(source)[0]).toBe(mistake);
});

test.each([
  [
    "struct a {\n  int x y;\n};\nstruct b { nope z; };",
    ["2:9 expected ';' after 'x', found 'y'", "4:12 unknown type 'nope'"],
  ],
  [
    "struct a { int x };\nstruct c { nope z; a y; };",
    ["1:17 expected ';' after 'x', found '}'", "2:12 unknown type 'nope'"],
  ],
  [
    "struct a { lost x y; };\nstruct lost { int 7; };",
    ["1:19 expected ';' after 'x', found 'y'", "2:19 expected a name after the type, found '7'"],
  ],
  [
    "struct a\n  int x;\n};\nstruct b { nope z; a y; };",
    ["2:3 expected '{' after 'a', found 'int'", "4:12 unknown type 'nope'"],
  ],
  [
    "struct a {\n  int x;\n\nstruct b { int y; };\nunion c switch (nope t) { case 1: b z; };",
    [
      "4:1 'b' is defined inside another definition: is a '}' missing for the definition of line 1?",
      "5:17 unknown type 'nope'",
    ],
  ],
  [
    "struct a { struct b { int x; } y; nope z; };",
    [
      "1:12 'b' is defined inside another definition: leave its name out, or define it before",
      "1:35 unknown type 'nope'",
    ],
  ],
  [
    "enum a {\n  A = 1\n\nstruct b { a x; };\nstruct c { nope y; };",
    ["4:1 expected ',' after 'A', found 'struct'", "5:12 unknown type 'nope'"],
  ],
  [
    "program P {\n version V {\n  void F(void) = 1;\n } = 1;\nstruct c { nope y; };",
    ["5:1 expected '}' to close the '{' after 'P' in line 1, found 'struct'", "5:12 unknown type 'nope'"],
  ],
  [
    "struct a { int 'x'; int x-y; int z[1 + 2]; };",
    ["1:16 unknown character ''x''", "1:26 unknown character '-'", "1:38 unknown character '+'"],
  ],
  ["typedef void v;", ["1:9 a typedef cannot be void"]],
  ["struct a { long long x; };", ["1:17 XDR has no 'long long': its 64-bit integer is 'hyper'"]],
  [
    "struct a { string *s<10>; int x[2][3]; };",
    [
      "1:21 a declaration has one of '*', '[n]' and '<n>': name what comes first by a typedef, found '<'",
      "1:35 a declaration has one of '*', '[n]' and '<n>': name what comes first by a typedef, found '['",
    ],
  ],
  [
    "program P { version V { void F(opaque) = 1; void G(string *) = 2; } = 1; } = 1;",
    [
      "1:32 opaque cannot stand here so: name it by a typedef",
      "1:52 string cannot stand here so: name it by a typedef",
    ],
  ],
  [
    '#define A 5;\n#define B(x) 1\nconst C = "s";\nstruct s { int a<A>; int b<B>; int c<C>; };',
    [
      "3:11 'C' is a string, not a number: passed over",
      "4:18 'A' is no number: line 1 defines it as something else",
      "4:28 'B' is no number: line 2 defines it as something else",
      "4:38 'C' is no number: line 3 defines it as something else",
    ],
  ],
] as const)("one mistake is one report, and does not hide others: %j", (source, mistakes) => {
  expect(mistakesOf(source)).toEqual(mistakes);
});

test("the first 50 errors come in the order of the file too", () => {
  const places = diagnosticsOf(`${"struct a { b c; };\n".repeat(100)}const A = 08;`).map(({ at }) => at.line);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
});

test("'program' and 'version' are reserved where a program is: RFC 5531 section 12.3 (1), not RFC 4506", () => {
  const struct = "struct hello { int version; int program; };";
  expect(moduleOf(struct).definitions).toHaveLength(1);
  expect(mistakesOf(`${struct}\nprogram P { version V { void F(void) = 1; } = 1; } = 1;`)).toEqual([
    "1:20 'version' is a reserved word",
    "1:33 'program' is a reserved word",
  ]);
});

test("a diagnostic shows file, line, column, the source line and a caret", () => {
  const [diagnostic] = diagnosticsOf("struct a {\n\tremote_strin name;\n};", { file: "remote.x" });
  expect(renderDiagnostic(diagnostic!)).toBe(
    [
      "remote.x:2:2: error: unknown type 'remote_strin'",
      "    2 |         remote_strin name;",
      "      |         ^~~~~~~~~~~~",
    ].join("\n"),
  );
});

test("a diagnostic in a very long line shows a part of it, and control characters cannot reach the terminal", () => {
  const [diagnostic] = diagnosticsOf(
    `/* ${"x".repeat(1_000_000)} \u001b[31m */ struct a { b c; }; /* ${"y".repeat(1000)} */`,
  );
  const [, line, caret] = renderDiagnostic(diagnostic!).split("\n");
  expect(line!.length).toBeLessThan(140);
  expect(line).toContain("?[31m */ struct a { b c; };");
  expect(line!.indexOf("b c;")).toBe(caret!.indexOf("^"));
});

test("CodegenError's message is the whole report in the order of the file", () => {
  try {
    parseModule("struct a { b c; };\nstruct d { e f; };", { file: "x.x" });
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(CodegenError);
    expect((error as Error).message).toMatch(
      /^x\.x:1:12: error: unknown type 'b'\n.*\n\nx\.x:2:12: error: unknown type 'e'\n/s,
    );
  }
});

test("after 50 errors the reader gives up", () => {
  expect(mistakesOf("struct a { b c; };\n".repeat(1000))).toHaveLength(50);
});

test("#if and its kin choose lines as rpcgen -h does: RPC_HDR is defined", () => {
  const names = (source: string): string[] => moduleOf(source).constants.map(({ name }) => name);
  expect(names("#ifdef RPC_HDR\nconst A = 1;\n#else\nconst B = 1;\n#endif")).toEqual(["A"]);
  expect(
    names(
      "#if defined(RPC_XDR) || RPC_SVC\nconst A = 1;\n#elif !defined RPC_TBL && RPC_HDR\nconst B = 1;\n#else\nconst C = 1;\n#endif",
    ),
  ).toEqual(["B"]);
  expect(names("#ifndef RPC_HDR\n#if 1\nconst A = 1;\n#endif\n$ ' \" }\n#endif\nconst B = 1;")).toEqual(["B"]);
  expect(names("#define A 1\n#ifdef A\nconst B = A;\n#endif\n#undef A\n#ifdef A\nconst C = 1;\n#endif")).toEqual([
    "A",
    "B",
  ]);
  expect(names("#if 0\nconst A = 1;\n#elif 1\nconst B = 1;\n#elif 1\nconst C = 1;\n#endif")).toEqual(["B"]);
});
