import { describe, expect, test } from "vitest";
import { parseModule } from "../../codegen/loader.ts";
import type { Procedure } from "../../codegen/model.ts";
import { mistakesOf, moduleOf, typeText } from "./reading.ts";

const program = (procedures: string, more = ""): string =>
  `const TEST_PROGRAM = 0x20;\nconst TEST_PROTOCOL_VERSION = 2;\n${more}\nenum test_procedure {\n${procedures}\n};`;

function procedureOf(source: string): Procedure {
  return moduleOf(source).programs[0]!.procedures[0]!;
}

describe("programs", () => {
  test("an enum of procedures and two constants are a program", () => {
    expect(moduleOf(program("TEST_PROC_OPEN = 1,\nTEST_PROC_CLOSE = 2")).programs).toMatchObject([
      {
        name: "TEST",
        number: 0x20,
        version: 2,
        procedures: [
          { name: "OPEN", number: 1 },
          { name: "CLOSE", number: 2 },
        ],
      },
    ]);
  });

  test("the daemons' spelling: PROGRAM_VERSION and camel case", () => {
    const { programs } = moduleOf(`const VIR_TEST_PROTOCOL_PROGRAM = 1; const VIR_TEST_PROTOCOL_PROGRAM_VERSION = 1;
      struct virTestProtocolOpenFileArgs { int a; };
      struct virTestProtocolOpenFileRet { int a; };
      enum virTestProtocolProcedure { VIR_TEST_PROTOCOL_PROC_OPEN_FILE = 1 };`);
    expect(programs).toMatchObject([
      {
        name: "VIR_TEST_PROTOCOL",
        procedures: [
          {
            name: "OPEN_FILE",
            args: [{ kind: "ref", name: "virTestProtocolOpenFileArgs" }],
            ret: { name: "virTestProtocolOpenFileRet" },
            msg: null,
          },
        ],
      },
    ]);
  });

  test("structs are found by name whatever the case and underscores, in this file first and then in imports", () => {
    const structs =
      "struct test_get_xml2_args { int a; }; struct test_getxml2_ret { int a; }; struct test_other_args { int a; };";
    const procedure = procedureOf(program("TEST_PROC_GET_XML_2 = 1", structs));
    expect(procedure.args.map((type) => typeText(type, "a"))).toEqual(["test_get_xml2_args a"]);
    expect(procedure.ret).toEqual({ kind: "ref", name: "test_getxml2_ret" });
    expect(procedureOf(program("TEST_PROC_EVENT = 1", "struct test_event_msg { int a; };"))).toMatchObject({
      args: [],
      ret: null,
      msg: { kind: "ref", name: "test_event_msg" },
    });
  });

  test("an enum without the constants is an enum", () => {
    expect(moduleOf("enum test_procedure { TEST_PROC_OPEN = 5 };").programs).toEqual([]);
    expect(moduleOf("const TEST_PROGRAM = 1; enum test_kind { TEST_PROC_OPEN = 5 };").programs).toEqual([]);
  });

  test.each([
    [program("TEST_PROC_A = 1,\nTEST_PROC_B = 1"), "6:1 duplicate procedure number 1: first at line 5, TEST_PROC_A"],
    [program("TEST_PROC_A = 1,\nTEST_PROC_B = 3"), "6:1 procedure number 3: 2 is missing"],
    [program("TEST_PROC_A = 4"), "5:1 procedure number 4: 1 to 3 are missing"],
    [program("TEST_PROC_A = 0,\nTEST_PROC_B = 1"), "5:1 procedure number 0: the first must be 1"],
    [program("TEST_PROC_A = 1,\nTEST_B = 2"), "6:1 'TEST_B' does not begin with 'TEST_PROC_'"],
    [
      "const T_PROGRAM = 1;\nenum t_procedure { T_PROC_A = 1 };",
      "2:6 there is T_PROGRAM but neither T_PROTOCOL_VERSION nor T_PROGRAM_VERSION",
    ],
    [
      "const T_PROGRAM = -1;\nconst T_PROTOCOL_VERSION = 1; enum t_procedure { T_PROC_A = 1 };",
      "2:36 the program number -1 does not fit in 32 bits",
    ],
  ])("refused: %#", (source, mistake) => {
    expect(mistakesOf(source)).toEqual([mistake]);
  });

  test("the order of the procedures is free", () => {
    expect(
      moduleOf(program("TEST_PROC_B = 2,\nTEST_PROC_A = 1")).programs[0]!.procedures.map(({ number }) => number),
    ).toEqual([2, 1]);
  });
});

describe("annotations", () => {
  const annotated = (...lines: string[]): string =>
    program(`/**\n${lines.map((line) => ` * ${line}`).join("\n")}\n */\nTEST_PROC_A = 1`);

  test("all of libvirt's and ours", () => {
    const source = annotated(
      "@generate: both",
      "@priority: high",
      "@readstream: 2",
      "@writestream: 1",
      "@sparseflag: VIR_SPARSE",
      "@acl: domain:read",
      "@acl: domain:save:!VIR_A|VIR_B",
      "@acl: network:start::kind:3",
      "@aclfilter: domain:getattr",
      "@stream: both",
      "@fds: out",
      "@since: 1.2.3",
    );
    expect(procedureOf(source).annotations).toEqual({
      generate: "both",
      priority: "high",
      readstream: 2,
      writestream: 1,
      sparseflag: "VIR_SPARSE",
      acl: ["domain:read", "domain:save:!VIR_A|VIR_B", "network:start::kind:3"],
      aclfilter: ["domain:getattr"],
      stream: "both",
      fds: "out",
      since: "1.2.3",
    });
  });

  test("prose about annotations is no annotation, and each procedure has its own", () => {
    const source = program(`/* Each has a comment:
      * - @generate: none|client
      *   The @readstream says it. */

      /** @generate: none */
      TEST_PROC_A = 1,
      /** @acl: none */
      TEST_PROC_B = 2, /* not the next one's: @priority */
      TEST_PROC_C = 3`);
    expect(moduleOf(source).programs[0]!.procedures.map(({ annotations }) => annotations)).toEqual([
      { generate: "none", acl: [], aclfilter: [] },
      { acl: ["none"], aclfilter: [] },
      { acl: [], aclfilter: [] },
    ]);
  });

  test.each([
    ["@generate: all", "6:4 'all' is no value for @generate"],
    ["@generate", "6:4 @generate needs a value: '@generate: ...'"],
    ["@priority:", "6:4 @priority needs a value: '@priority: ...'"],
    ["@readstream: 0", "6:4 '0' is no value for @readstream"],
    ["@acl: domain", "6:4 'domain' is no value for @acl"],
    ["@since: 1.2", "6:4 '1.2' is no value for @since"],
    ["@stream: up", "6:4 'up' is no value for @stream"],
    ["@sparseflag: A", "6:4 @sparseflag without a stream: it needs @readstream, @writestream or @stream"],
    ["@fds: in\n * @fds: in", "7:4 duplicate annotation @fds: first at line 6"],
  ])("refused: %s", (line, mistake) => {
    expect(mistakesOf(annotated(line))).toEqual([mistake]);
  });

  test("an unknown annotation is a warning; a word of a documentation tool is not", () => {
    const { warnings } = parseModule(annotated("@genrate: both", "@param x what"), { file: "test.x" });
    expect(warnings.map(({ severity, message, at }) => `${severity} ${at.line}:${at.column} ${message}`)).toEqual([
      "warning 6:4 unknown annotation '@genrate'",
    ]);
  });
});

test("the comments behind members and braces that the generator reads become notes", () => {
  const [struct] = moduleOf(`struct s { /* insert@1 */
    int a; /* insert@2 */
    int b<4>; /* (const char **) */
    int c; /* call-by-reference */
    int d; /* alloc@1@unsigned int@2 */
    int e; /* the fifth */
    /* insert@9 */ int f;
  };`).definitions;
  expect(struct).toMatchObject({ notes: ["insert@1"] });
  expect(struct!.kind === "struct" && struct!.fields.map(({ notes }) => notes)).toEqual([
    ["insert@2"],
    ["(const char **)"],
    ["call-by-reference"],
    ["alloc@1@unsigned int@2"],
    [],
    [],
  ]);
});

test("a procedure enum that makes no program, and a payload that is nobody's, are warnings", () => {
  const warnings = (source: string): string[] =>
    parseModule(source, { file: "test.x" }).warnings.map(({ message, at }) => `${at.line}:${at.column} ${message}`);
  const procedures = "enum pet_procedure { PET_PROC_FEED = 1 };\nstruct pet_fed_args { int a; };";
  expect(warnings(procedures)).toEqual(["1:6 no program: there is no constant 'PET_PROGRAM'"]);
  expect(warnings(`${procedures} const PET_PROGRAM = 1; const PET_PROTOCOL_VERSION = 1;`)).toEqual([
    "2:8 no procedure of PET has 'pet_fed_args'",
  ]);
});
