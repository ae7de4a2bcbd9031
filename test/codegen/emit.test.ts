import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { emitModule } from "../../codegen/emit/module.ts";
import { parseModule } from "../../codegen/loader.ts";

const here = join(import.meta.dirname, "emit");

/**
 * The output for each language feature is committed beside its input, so that a change to an emitter shows.
 * `npx vitest run test/codegen/emit.test.ts -u` writes it anew.
 */
for (const name of ["structs", "unions", "recursive", "calculator", "dialect", "records", "names"]) {
  test(`emit/${name}: the TypeScript is as committed`, async () => {
    const source = readFileSync(join(here, `${name}.x`), "utf8");
    const { module } = parseModule(source, { file: `${name}.x` });
    const files = emitModule(module, { runtime: "../../../../../src/xdr/index.js" });
    expect([...files.keys()].toSorted()).toMatchSnapshot();
    for (const [path, text] of files) await expect(text).toMatchFileSnapshot(join(here, "expected", path));
  });
}

test("emit/deterministic: the same input gives the same bytes", () => {
  const source = readFileSync(join(here, "dialect.x"), "utf8");
  const once = (): string =>
    JSON.stringify([...emitModule(parseModule(source, { file: "d.x" }).module, { runtime: "r" })]);
  expect(once()).toBe(once());
});
