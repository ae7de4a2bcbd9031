import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadModule } from "../../codegen/loader.ts";
import { definitionOf, text } from "./reading.ts";

const fixture = (name: string): string => new URL(`fixtures/${name}.x`, import.meta.url).pathname;

const RPCSVC = "/usr/include/rpcsvc";
const present = existsSync(RPCSVC) ? readdirSync(RPCSVC).filter((name) => name.endsWith(".x")) : [];

describe("the .x files of libc and its friends", () => {
  test.skipIf(present.length === 0 && !process.env.CI)(
    `${RPCSVC} has some (skipped without: apt-get install libc6-dev rpcsvc-proto libnsl-dev)`,
    () => {
      expect(present.length).toBeGreaterThan(10);
    },
  );

  test.each(present)("%s", (name) => {
    const { module } = loadModule(join(RPCSVC, name));
    expect(module.definitions.length + module.programs.length).toBeGreaterThan(0);
  });

  test.skipIf(!present.includes("nfs_prot.x"))("NFS version 2 has its 18 procedures", () => {
    const [program] = loadModule(join(RPCSVC, "nfs_prot.x")).module.programs;
    expect(program).toMatchObject({ name: "NFS_PROGRAM", number: 100003, version: 2 });
    expect(program!.procedures).toHaveLength(18);
  });

  test.skipIf(!present.includes("nlm_prot.x"))("a macro in a %#define is a limit", () => {
    const { module } = loadModule(join(RPCSVC, "nlm_prot.x"));
    expect(text(definitionOf(module, "nlm_notify"))).toBe("struct nlm_notify { string name<1025>; int state; }");
  });
});

/** rpcgen calls the preprocessor of C, which its package does not bring. */
const rpcgen = ["rpcgen", "cpp"].every((command) => spawnSync(command, ["--version"]).error === undefined);

test.skipIf(!rpcgen).each(["pantry", "buoys"])("rpcgen reads %s.x too (skipped without rpcgen and cpp)", (name) => {
  const folder = mkdtempSync(join(tmpdir(), "virtwire-rpcgen-"));
  try {
    execFileSync("rpcgen", ["-h", "-o", join(folder, "out.h"), fixture(name)], { stdio: "pipe" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("pantry.x: an NFS-like protocol", () => {
  const { module } = loadModule(fixture("pantry"));
  expect(module.definitions.map(text)).toEqual([
    "typedef opaque netobj<1024>",
    "enum verdict { FINE = 0, SPOILT = 5, GONE = -1, LOCKED = 16 }",
    "enum rank { LOW = 0, MIDDLE = 1, HIGH = 10, HIGHEST = 11 }",
    "typedef opaque handle[32]",
    "typedef string label<40>",
    "typedef string note<4294967295>",
    "typedef jar *jars",
    "struct jar { label name; uint grams; char shelf; uchar row; short slot; ushort batch; int sold; uint bought; bool open; jars next; }",
    "struct shelf { handle id; jar first; rank ranks[16]; label notes<16>; opaque photo<4294967295>; netobj owner; }",
    "union outcome switch (verdict status) { case 0: shelf found; case 5: case -1: void; default: note why; }",
    "union maybe_count switch (bool known) { case 1: uint count; case 0: void; }",
  ]);
  expect(
    module.programs.map(({ name, number, version, procedures }) => [
      name,
      number,
      version,
      procedures.map((each) => each.name),
    ]),
  ).toEqual([
    ["PANTRY", 0x20000099, 1, ["PANTRY_NULL", "PANTRY_LOOK"]],
    ["PANTRY", 0x20000099, 2, ["PANTRY_NULL", "PANTRY_LOOK", "PANTRY_COUNT", "PANTRY_SUM"]],
    ["PANTRY_BELL", 0x20000100, 1, ["RING"]],
  ]);
  expect(module.programs[1]!.procedures[2]!.annotations.since).toBe("2.0.0");
  expect(module.constants.map(({ name, value }) => [name, value])).toEqual([
    ["PANTRY_LABELLEN", 40],
    ["HANDLE_BYTES", 32],
    ["SHELF_MAX", 16],
  ]);
});

test("ledger.x: a blockchain's protocol, with types in place", () => {
  const { module } = loadModule(fixture("ledger"));
  expect(module.definitions.map(text)).toEqual([
    "typedef uint uint32",
    "typedef hyper int64",
    "typedef uhyper uint64",
    "typedef opaque Hash[32]",
    "typedef opaque Signature<64>",
    "enum AssetKind { NATIVE = 0, CREDIT4 = 1, CREDIT12 = 2 }",
    "struct Asset_short4 { opaque code[4]; Hash issuer; }",
    "struct Asset_long12 { opaque code[12]; Hash issuer; }",
    "union Asset switch (AssetKind kind) { case 0: void; case 1: Asset_short4 short4; case 2: Asset_long12 long12; }",
    "enum Operation_body_verb { PAY = 1, TRUST = 2, BUMP = 3 }",
    "struct Operation_body_pay { Asset asset; int64 amount; }",
    "union Operation_body switch (Operation_body_verb verb) { case 1: Operation_body_pay pay; case 2: Asset trust; case 3: uint64 to; }",
    "union Operation_ext switch (int v) { case 0: void; case -1: Operation nested<2>; }",
    "struct Operation { Hash *source; Operation_body body; int version; Operation_ext ext; }",
    "struct Block { Hash previous; uint32 height; Operation ops<100>; Signature sigs<4294967295>; }",
    "enum Network { MAIN = 1, TEST = 2 }",
  ]);
  expect(module.constants.map(({ value }) => value)).toEqual([100, 2n ** 64n - 1n, -(2n ** 63n)]);
});

test("buoys.x: telemetry, with every primitive and odd white space", () => {
  const { module } = loadModule(fixture("buoys"));
  expect(module.constants.map(({ name, value }) => [name, value])).toEqual([
    ["CHANNELS", 8],
    ["DEPTHS", 12],
    ["NOTHING", 0],
    ["SINK", -32],
    ["ALIAS", 8],
  ]);
  expect(module.definitions.map(text)).toEqual([
    "typedef float celsius",
    "typedef double fix[2]",
    "typedef celsius profile[12]",
    "typedef profile *perhaps_profile",
    "typedef opaque blob<8>",
    "struct _sample_ { hyper when; uhyper seq; int int_; uint Unsigned; float f; double d; bool ok; fix where; perhaps_profile temps; " +
      "celsius latest<12>; blob raw; opaque mac[6]; string name<16>; _sample_ *previous; _sample_ replay<2>; }",
    "enum kind { REPORT = 1, ALARM = 2, MUTE = -32 }",
    "union message switch (uint type) { case 1: case 2: case 8: _sample_ sample; case 4294967295: void; default: opaque unknown<4294967295>; }",
    "union by_kind switch (kind k) { case 1: _sample_ report; case 2: string alarm<80>; case -32: void; }",
    "typedef message messages<4294967295>",
  ]);
});
