import { describe, expect, test } from "vitest";
import { parseModule } from "../../codegen/loader.ts";
import { NO_LIMIT } from "../../codegen/model.ts";
import { definitionOf, mistakesOf, moduleOf, text, typeText } from "./reading.ts";

const texts = (source: string): string[] => moduleOf(source).definitions.map(text);

describe("types", () => {
  test.each([
    ["int a", "int a"],
    ["unsigned int a", "uint a"],
    ["unsigned a", "uint a"],
    ["hyper a", "hyper a"],
    ["unsigned hyper a", "uhyper a"],
    ["float a", "float a"],
    ["double a", "double a"],
    ["quadruple a", "quadruple a"],
    ["bool a", "bool a"],
    ["char a", "char a"],
    ["unsigned char a", "uchar a"],
    ["short int a", "short a"],
    ["unsigned short a", "ushort a"],
    ["long a", "int a"],
    ["unsigned long int a", "uint a"],
    ["uint64_t a", "uhyper a"],
    ["bool_t a", "bool a"],
    ["opaque a[0x10]", "opaque a[16]"],
    ["opaque a<010>", "opaque a<8>"],
    ["string a<7>", "string a<7>"],
    ["string a<>", `string a<${NO_LIMIT}>`],
    ["int a[3]", "int a[3]"],
    ["int a<3>", "int a<3>"],
    ["int *a", "int *a"],
  ])("%s", (source, wanted) => {
    const [definition] = moduleOf(`struct s { ${source}; };`).definitions;
    expect(definition?.kind === "struct" && typeText(definition.fields[0]!.type, "a")).toBe(wanted);
  });

  test("a file's own name goes before C's", () => {
    expect(texts("typedef hyper uint32_t; typedef uint32_t a;")).toEqual([
      "typedef hyper uint32_t",
      "typedef uint32_t a",
    ]);
  });

  test("types may be used before they are defined", () => {
    expect(texts("struct a { b c; }; struct b { int d; };")).toHaveLength(2);
  });

  test("'struct foo' means foo, and 'typedef struct foo foo' says nothing new", () => {
    expect(texts("struct a { int b; }; typedef struct a a; struct c { struct a d; };")).toEqual([
      "struct a { int b; }",
      "struct c { a d; }",
    ]);
    expect(mistakesOf("struct a { int b; }; struct c { union a d; };")).toEqual(["1:39 'a' is a struct, not a union"]);
  });

  test("the RPC library's types join the file that uses them", () => {
    expect(texts("struct a { netobj b; des_block c; netobj d; };")).toEqual([
      "typedef opaque netobj<1024>",
      "typedef opaque des_block[8]",
      "struct a { netobj b; des_block c; netobj d; }",
    ]);
  });

  test("an anonymous type has the name of its place", () => {
    const source = `struct a { struct { enum { X = 3 } c; } b; union switch (bool t) { case TRUE: struct { int e; } d; default: void; } u; };
      typedef struct { int x; } f;
      typedef enum { Y = 1 } g<2>;
      program P { version V { struct { int r; } F(enum { Z = 1 }) = 1; } = 1; } = 1;`;
    expect(texts(source)).toEqual([
      "enum a_b_c { X = 3 }",
      "struct a_b { a_b_c c; }",
      "struct a_u_d { int e; }",
      "union a_u switch (bool t) { case 1: a_u_d d; default: void; }",
      "struct a { a_b b; a_u u; }",
      "struct f { int x; }",
      "enum g_element { Y = 1 }",
      "typedef g_element g<2>",
      "struct V_F_result { int r; }",
      "enum V_F_argument1 { Z = 1 }",
    ]);
    expect(mistakesOf("struct a_b { int c; }; struct a { struct { int d; } b; };")[0]).toMatch(
      "duplicate name 'a_b': first defined at line 1",
    );
  });

  test.each([
    ["struct a { b c; };", "1:12 unknown type 'b'"],
    ["const b = 1; struct a { b c; };", "1:25 'b' is not a type"],
    ["struct a { string b; };", "1:19 missing limit: write string b<n>"],
    ["struct a { string b[4]; };", "1:19 missing limit: write string b<n>"],
    ["struct a { string *b; };", "1:20 missing limit: write string b<n>"],
    ["struct a { opaque b; };", "1:19 missing limit: write opaque b[n] or opaque b<n>"],
    ["struct a { void; };", "1:12 a struct's field cannot be void"],
    ["typedef void;", "1:9 a typedef cannot be void"],
    ["struct a { int b; int b; };", "1:23 duplicate field 'b': first at line 1"],
    ["struct a { int b; };\nconst a = 1;", "2:7 duplicate name 'a': first defined at line 1"],
    ["enum a { B = 1 };\nstruct a { int c; };", "2:8 duplicate name 'a': first defined at line 1"],
    ["struct a { int b[-1]; };", "1:18 a length must be from 0 to 4294967295, not -1"],
    ["const N = 4294967296; struct a { int b<N>; };", "1:40 a limit must be from 0 to 4294967295, not N = 4294967296"],
    ["struct a { int b<N>; };", "1:18 unknown constant 'N'"],
    ["struct a { int b<a>; };", "1:18 'a' is a type, not a constant"],
  ])("refused: %s", (source, mistake) => {
    expect(mistakesOf(source)).toEqual([mistake]);
  });

  test("'<>' is an error on request", () => {
    expect(mistakesOf("struct a {\n string b<>;\n int c<>; };", { requireLimits: true })).toEqual([
      "2:9 missing limit: '<>' lets the peer choose any length",
      "3:6 missing limit: '<>' lets the peer choose any length",
    ]);
  });
});

describe("types that cannot be", () => {
  const inside = "contains itself without a pointer or a variable array on the way";
  test.each([
    ["struct a { a b; };", [`1:8 'a' ${inside}: a → a`]],
    ["struct a { b c; }; struct b { a d[2]; };", [`1:8 'a' ${inside}: a → b → a`]],
    ["typedef b c; struct a { c d; }; union b switch (int t) { case 1: a e; };", [`1:11 'c' ${inside}: c → b → a → c`]],
    ["typedef a b; typedef b a;", ["1:11 'b' is defined by itself: b → a → b"]],
    ["typedef a *b; typedef b a<>;", ["1:12 'b' is defined by itself: b → a → b"]],
    ["typedef opaque none[0]; typedef none a<10>;", ["1:38 the elements of 'a' take no bytes on the wire"]],
    [
      "struct a { opaque b[0]; int c[0]; }; struct d { a e<>; };",
      ["1:51 the elements of 'e' take no bytes on the wire"],
    ],
    [
      "struct a { opaque b[0]; }; struct d { a e[4000000000]; };",
      ["1:41 the elements of 'e' take no bytes on the wire"],
    ],
  ])("%s", (source, mistakes) => {
    expect(mistakesOf(source)).toEqual(mistakes);
  });

  test("types nest 200 deep and no deeper: a stack has an end", () => {
    const chain = (length: number, one: (index: number) => string): string =>
      `${Array.from({ length }, (_, index) => one(index)).join("\n")} typedef int t${length};`;
    const structs = (index: number): string => `struct t${index} { t${index + 1} a; };`;
    const arrays = (index: number): string => `typedef t${index + 1} t${index}<>;`;
    expect(texts(chain(199, structs))).toHaveLength(200);
    expect(mistakesOf(chain(1000, structs))).toEqual(["801:8 't800' nests deeper than 200 types"]);
    expect(mistakesOf(chain(1000, arrays))).toEqual(["801:14 't800' nests deeper than 200 types"]);
  });

  test("a pointer or a variable array ends the circle", () => {
    expect(
      texts(
        "struct a { a *b; c d; }; typedef a c<>; union e switch (int t) { case 1: f g; default: void; }; typedef e *f;",
      ),
    ).toHaveLength(4);
  });
});

describe("numbers", () => {
  const constants = (source: string, externals = {}): Record<string, number | bigint> =>
    Object.fromEntries(moduleOf(source, { externals }).constants.map(({ name, value }) => [name, value]));

  test("a constant is decimal, hexadecimal, octal, negative or another constant, in any order", () => {
    expect(constants("const A = B; const B = 0x10; const C = 010; const D = -5; const E = 9007199254740992;")).toEqual({
      A: 16,
      B: 16,
      C: 8,
      D: -5,
      E: 9007199254740992n,
    });
  });

  test("enumerators share the names of constants, and one without a value counts on", () => {
    expect(texts("const A = 7; enum e { B, C = A, D, E = 0x10, F = D }; typedef opaque o[E];")).toEqual([
      "enum e { B = 0, C = 7, D = 8, E = 16, F = 8 }",
      "typedef opaque o[16]",
    ]);
  });

  test("#define makes a constant; %#define and the caller's numbers only where they are used", () => {
    const source =
      "#define A 3\n%#define B A+1 /* c */\n%#define C 9\n%#define D(x) 1\nstruct s { int a<B>; int b[EXT]; };";
    expect(constants(source, { EXT: 5, OTHER: 6 })).toEqual({ A: 3, B: 4, EXT: 5 });
    expect(text(moduleOf(source, { externals: { EXT: 5 } }).definitions[0]!)).toBe("struct s { int a<4>; int b[5]; }");
  });

  test("a limit keeps the name it was written with", () => {
    const [definition] = moduleOf("const MAX = 4; typedef string s<MAX>;").definitions;
    expect(definition).toMatchObject({ type: { kind: "string", max: { value: 4, name: "MAX" } } });
  });

  test("a string constant is passed over with a warning", () => {
    expect(parseModule('const A = "x";', { file: "a.x" }).warnings.map(({ message }) => message)).toEqual([
      "'A' is a string, not a number: passed over",
    ]);
  });

  test.each([
    ["const A = A;", "1:11 a constant that is defined by itself"],
    ["const A = B; const B = A;", "1:11 a constant that is defined by itself"],
    ["enum a { B = C, C };", "1:14 a constant that is defined by itself"],
    ["const A = B;", "1:11 unknown constant 'B'"],
    ["enum a { B = 2147483648 };", "1:14 'B' = 2147483648 does not fit in 32 bits"],
    ["enum a { B = 2147483647,\n C };", "2:2 'C' = 2147483648 does not fit in 32 bits"],
    ["const A = 1;\nenum b { A = 2 };", "2:10 duplicate name 'A': first defined at line 1"],
    ["enum b { A = 1, A = 2 };", "1:17 duplicate name 'A': first defined at line 1"],
  ])("refused: %s", (source, mistake) => {
    expect(mistakesOf(source)).toEqual([mistake]);
  });

  test("a name of JavaScript's own is a name like any other", () => {
    expect(mistakesOf("struct a { int b<constructor>; __proto__ c; };", { externals: {} })).toEqual([
      "1:18 unknown constant 'constructor'",
      "1:32 unknown type '__proto__'",
    ]);
    expect(texts("struct __proto__ { int constructor; };")).toEqual(["struct __proto__ { int constructor; }"]);
  });
});

describe("unions", () => {
  test.each([
    ["enum e { A = 1, B = 2 }; union u switch (e t) { case A: case B: int x; };", "e t) { case 1: case 2: int x; }"],
    [
      "const N = -3; union u switch (int t) { case N: void; case 4: int x; };",
      "int t) { case -3: void; case 4: int x; }",
    ],
    [
      "union u switch (unsigned int t) { case 0xffffffff: void; default: int x; };",
      "uint t) { case 4294967295: void; default: int x; }",
    ],
    [
      "typedef bool b; typedef b c; union u switch (c t) { case FALSE: void; case TRUE: int x; };",
      "c t) { case 0: void; case 1: int x; }",
    ],
  ])("%s", (source, wanted) => {
    expect(text(definitionOf(moduleOf(source), "u"))).toBe(`union u switch (${wanted}`);
  });

  test.each([
    [
      "union u switch (hyper t) { case 1: void; };",
      "1:17 a union's discriminant must be an int, an unsigned int, a bool or an enum",
    ],
    [
      "union u switch (int *t) { case 1: void; };",
      "1:17 a union's discriminant must be an int, an unsigned int, a bool or an enum",
    ],
    [
      "union u switch (void) { case 1: void; };",
      "1:17 a union's discriminant must be an int, an unsigned int, a bool or an enum",
    ],
    ["union u switch (int t) { case 1: void;\n case 0x1: int a; };", "2:7 duplicate label 1: first at line 1"],
    ["const N = 1; union u switch (int t) { case 1: case N: void; };", "1:52 duplicate label N = 1: first at line 1"],
    [
      "union u switch (int t) { case 2147483648: void; };",
      "1:31 the label must be from -2147483648 to 2147483647, not 2147483648",
    ],
    ["union u switch (unsigned t) { case -1: void; };", "1:36 the label must be from 0 to 4294967295, not -1"],
    ["union u switch (bool t) { case 2: void; };", "1:32 the label must be from 0 to 1, not 2"],
    ["union u switch (int t) { case X: void; };", "1:31 unknown constant 'X'"],
    ["union u switch (int t) { case TRUE: void; };", "1:31 unknown constant 'TRUE'"],
    ["enum e { A = 1 }; union u switch (e t) { case 2: void; };", "1:47 '2' is no value of the enum 'e'"],
    [
      "enum e { A = 1 }; enum f { B = 1 }; union u switch (e t) { case B: void; };",
      "1:65 'B' is no value of the enum 'e'",
    ],
    ["union u switch (int t) { case 1: int a; case 2: int a; };", "1:53 duplicate field 'a': first at line 1"],
  ])("refused: %s", (source, mistake) => {
    expect(mistakesOf(source)).toEqual([mistake]);
  });
});

describe("RFC 5531's programs", () => {
  test("each version is a program of its own, with any number of arguments and results", () => {
    const { programs } = moduleOf(
      `typedef string name<8>;
      program P {
        version V1 { void NULLPROC(void) = 0; int ADD(int, int b) = 1; } = 1;
        version V2 { name *no_such(void) = 1; } = 2;
      } = 0x20000001;`.replace("name *no_such", "name GET"),
    );
    expect(programs.map(({ name, number, version, procedures }) => [name, number, version, procedures.length])).toEqual(
      [
        ["P", 0x20000001, 1, 2],
        ["P", 0x20000001, 2, 1],
      ],
    );
    expect(programs[0]!.procedures).toMatchObject([
      { name: "NULLPROC", number: 0, args: [], ret: null, msg: null },
      { name: "ADD", number: 1, args: [{ kind: "int" }, { kind: "int" }], ret: { kind: "int" } },
    ]);
    expect(programs[1]!.procedures[0]).toMatchObject({ name: "GET", args: [], ret: { kind: "ref", name: "name" } });
  });

  test("rpcgen's strings and pointers as arguments", () => {
    const [program] = moduleOf(
      "program P { version V { string F(string, string s<5>, int *, long) = 1; } = 1; } = 1;",
    ).programs;
    const [procedure] = program!.procedures;
    expect(procedure!.args.map((type) => typeText(type))).toEqual([
      `string x<${NO_LIMIT}>`,
      "string x<5>",
      "int *x",
      "int x",
    ]);
    expect(typeText(procedure!.ret!)).toBe(`string x<${NO_LIMIT}>`);
  });

  const version = (body: string): string => `program P { version V { ${body} } = 1; } = 1;`;
  test.each([
    [version("void F(void) = 1; void G(void) = 1;"), "1:58 duplicate procedure number 1: first at line 1"],
    [version("void F(void) = 1; void F(void) = 2;"), "1:48 duplicate procedure 'F': first at line 1"],
    [version("void F(void) = -1;"), "1:40 a procedure number must be from 0 to 4294967295, not -1"],
    [version("void F(int, void) = 1;"), "1:37 'void' stands alone"],
    [version("nothing F(void) = 1;"), "1:25 unknown type 'nothing'"],
    [
      "program P { version V { void F(void) = 1; } = 1; version V { void F(void) = 1; } = 2; } = 1;",
      "1:58 duplicate version 'V': first at line 1",
    ],
    [
      "program P { version V { void F(void) = 1; } = 1; version W { void F(void) = 1; } = 1; } = 1;",
      "1:84 duplicate version number 1: first at line 1",
    ],
    [
      "const P = 1; program P { version V { void F(void) = 1; } = 1; } = 1;",
      "1:22 duplicate name 'P': first defined at line 1",
    ],
  ])("refused: %s", (source, mistake) => {
    expect(mistakesOf(source)).toEqual([mistake]);
  });
});
