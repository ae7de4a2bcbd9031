// check.mjs FOLDER: FOLDER has the packed package installed, as a user has it. Imports every export as ESM, and writes
// FOLDER/all.ts, which names every export for the type check.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const app = process.argv[2] ?? "";
const home = join(app, "node_modules/virtwire");
const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));

// Nothing of ours, and nothing of what we depend on, runs a script at installation.
const lock = JSON.parse(readFileSync(join(app, "package-lock.json"), "utf8"));
const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
assert.deepEqual(
  scripted.map(([name]) => name),
  [],
  "packages with install scripts",
);
for (const hook of ["preinstall", "install", "postinstall"]) assert.equal(manifest.scripts?.[hook], undefined, hook);
for (const file of ["README.md", "LICENSE", "CHANGELOG.md", "protocol/remote.x"]) {
  assert.ok(existsSync(join(home, file)), `${file} is not in the package`);
}
for (const folder of ["test", "src", "node_modules", "bench"]) {
  assert.ok(!existsSync(join(home, folder)), `${folder} should not be in the package`);
}

const names = Object.keys(manifest.exports).flatMap((path) => {
  const name = `virtwire${path.slice(1)}`;
  if (!path.includes("*")) return [name];
  const folders = readdirSync(join(home, "dist/src/generated"), { withFileTypes: true }).filter((e) => e.isDirectory());
  return folders.map((folder) => name.replace("*", folder.name));
});
const from = createRequire(join(app, "app.js"));
const lines = [];
for (const [i, name] of names.entries()) {
  if (name.endsWith(".json")) {
    assert.equal(from(name).name, "virtwire");
    continue;
  }
  const module = await import(pathToFileURL(from.resolve(name)).href);
  assert.ok(Object.keys(module).length > 0, `${name} exports nothing`);
  lines.push(`import * as m${i} from "${name}";`, `console.log(Object.keys(m${i}).length);`);
}
writeFileSync(join(app, "all.ts"), `${lines.join("\n")}\n`);
console.log(`${names.length} exports load`);
