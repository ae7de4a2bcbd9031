import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CodegenError } from "../../codegen/diagnostics.ts";
import { type Loaded, loadModule } from "../../codegen/loader.ts";
import { mistakesOf, moduleOf } from "./reading.ts";

const resolve = (files: Record<string, string>) => (name: string) =>
  Object.hasOwn(files, name) ? { file: name, source: files[name]! } : undefined;

test("an imported file's types, constants and enumerators are visible, also through another", () => {
  const files = {
    "b.x": '%#include "c.x"\ntypedef c b;',
    "c.x": "const N = 4; struct c { int d<N>; }; enum e { E = 2 };",
  };
  const module = moduleOf('%#include "b.x"\nstruct a { b x; c y[E]; int z<N>; };', { resolve: resolve(files) });
  expect(module.definitions).toHaveLength(1);
  expect(module.constants).toEqual([]);
  expect(module.imports.map(({ file, imports }) => [file, imports.map((each) => each.file)])).toEqual([
    ["b.x", ["c.x"]],
  ]);
});

test("a file that two others import is read once", () => {
  const files = {
    "b.x": '%#include "d.x"\ntypedef d b;',
    "c.x": '%#include "d.x"\ntypedef d c;',
    "d.x": "typedef int d;",
  };
  const { imports } = moduleOf('%#include "b.x"\n%#include "c.x"\nstruct a { b x; c y; d z; };', {
    resolve: resolve(files),
  });
  expect(imports[0]!.imports[0]).toBe(imports[1]!.imports[0]);
});

test("a header stands for the .x file it was made from, where there is one", () => {
  const files = { "b.x": "typedef int b;" };
  const source = '%#include <stdio.h>\n%#include "b.h"\ntypedef b a;';
  expect(moduleOf(source, { resolve: resolve(files) }).imports.map(({ file }) => file)).toEqual(["b.x"]);
});

test("what is wrong with imports", () => {
  const files = {
    "a.x": '%#include "b.x"',
    "b.x": '%#include "a.x"',
    "n.x": "const N = 1;",
    "bad.x": "typedef nothing x;",
  };
  expect(mistakesOf('%#include "b.x"', { file: "a.x", resolve: resolve(files) })).toEqual([
    "1:1 import cycle: a.x → b.x → a.x",
  ]);
  expect(mistakesOf('%#include "z.x"')).toEqual(["1:1 cannot find 'z.x'"]);
  expect(mistakesOf('#include "n.x"\nconst N = 2;', { resolve: resolve(files) })).toEqual([
    "2:7 duplicate name 'N': first defined in n.x at line 1",
  ]);
  expect(mistakesOf('#include "bad.x"', { resolve: resolve(files) })).toEqual(["1:9 unknown type 'nothing'"]);
});

test("imports without an end have one", () => {
  const endless = (name: string): { file: string; source: string } => ({
    file: name,
    source: `#include "${name.length}${name}"`,
  });
  expect(mistakesOf('#include "1.x"', { resolve: endless })).toEqual(["1:1 imports nested deeper than 100"]);
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "virtwire-codegen-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("loadModule reads from the disk, and only once with a cache", () => {
  writeFileSync(join(folder, "a.x"), '%#include "b.x"\ntypedef b a;');
  writeFileSync(join(folder, "b.x"), "typedef int b;");
  const cache = new Map<string, Loaded>();
  const { module } = loadModule(join(folder, "a.x"), { cache });
  expect(module.imports[0]).toBe(loadModule(join(folder, "b.x"), { cache }).module);
  expect(loadModule(join(folder, "a.x"), { cache }).module).toBe(module);
});

test("a file that cannot be read is a CodegenError", () => {
  expect(() => loadModule(join(folder, "none.x"))).toThrow(CodegenError);
  expect(() => loadModule(folder)).toThrow(CodegenError);
  writeFileSync(join(folder, "odd.x"), `#include "\0.x"\n#include "${"d/".repeat(400)}.x"\n#include "."`);
  expect(() => loadModule(join(folder, "odd.x"))).toThrow(CodegenError);
});
