// nodes.mjs FOLDER SOCKET TSC NODE...: FOLDER has the packed package installed, SOCKET is that of a libvirtd, TSC the
// TypeScript compiler. What users write first has to work there in each NODE: in TypeScript, in JavaScript, with
// exports of several entry points in one program, and on the command line.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [app = "", socket = "", tsc = "", ...nodes] = process.argv.slice(2);
assert.ok(nodes.length > 0, "nodes.mjs FOLDER SOCKET TSC NODE...");
const uri = `test+unix:///default?socket=${encodeURIComponent(socket)}`;
const put = (name, text) => writeFileSync(join(app, name), text);

const main = `import { connect, type Domain, VirtError } from "virtwire";

{
  await using conn = await connect(process.argv[2]);
  const domains: Domain[] = await conn.listAllDomains();
  console.log(await conn.getLibVersion() >= 9_000_000, domains.map((domain) => domain.getName()).join());
  const events = await conn.domainEvents("lifecycle");
  await domains[0]!.suspend();
  for await (const event of events) {
    console.log(event.kind);
    break;
  }
  await domains[0]!.resume();
  try {
    await conn.lookupDomainByName("nope");
  } catch (error) {
    console.log(error instanceof VirtError && error.code);
  }
}
console.log("closed");
`;
const options = {
  strict: true,
  skipLibCheck: false,
  types: ["node"],
  lib: ["es2022", "esnext.disposable"],
  module: "nodenext",
  moduleResolution: "nodenext",
};
for (const [target, name] of [
  ["es2022", "compiled"],
  ["esnext", "native"],
]) {
  put(`${name}.mts`, main);
  put(`tsconfig.${name}.json`, JSON.stringify({ compilerOptions: { ...options, target }, files: [`${name}.mts`] }));
  execFileSync(tsc, ["-p", `tsconfig.${name}.json`], { cwd: app, stdio: "inherit" });
}
assert.match(readFileSync(join(app, "native.mjs"), "utf8"), /await using conn/);

put(
  "plain.mjs",
  `import { connect } from "virtwire";
const conn = await connect(process.argv[2], { readOnly: true });
try {
  console.log((await conn.listAllDomains()).map((domain) => domain.getName()).join());
} finally {
  await conn.close();
}
`,
);
put(
  "plain.cjs",
  `const { connect } = require("virtwire");
connect(process.argv[2]).then(async (conn) => {
  console.log((await conn.listAllDomains()).map((domain) => domain.getName()).join());
  await conn.close();
});
`,
);

// However many doors a program comes in by, there is one of each class.
put(
  "mixed.mjs",
  `import assert from "node:assert/strict";
import * as api from "virtwire";
import * as core from "virtwire/core";
import * as rpc from "virtwire/rpc";
import * as transport from "virtwire/transport";
import * as xdr from "virtwire/xdr";
import * as libvirt from "virtwire/protocol/libvirt";
import { connectListAllDomains, domainLookupByName } from "virtwire/protocol/remote";

for (const name of ["VirtError", "TransportError", "ProtocolError", "TimeoutError", "AbortError", "XdrError"]) {
  const classes = [api, core, rpc, transport, xdr].map((module) => module[name]).filter(Boolean);
  assert.equal(new Set(classes).size, 1, name);
  assert.ok(classes.length > 1, name);
}
for (const { connect } of [api, core]) {
  const conn = await connect(process.argv[2]);
  assert.ok(conn instanceof core.CoreConnection);
  assert.equal(conn instanceof api.Connection, connect === api.connect);
  await assert.rejects(conn.call(domainLookupByName, { name: "nope" }), (error) => {
    assert.ok(error instanceof api.VirtError && error instanceof core.VirtError && error instanceof rpc.VirtError);
    assert.ok(core.isNotFound(error) && rpc.isNotFound(error));
    assert.equal(error.code, libvirt.VirErrorNumber.VIR_ERR_NO_DOMAIN);
    return true;
  });
  await assert.rejects(conn.call(connectListAllDomains, { needResults: 1, flags: -1 }), (error) => {
    assert.ok(error instanceof api.XdrError && error instanceof core.XdrError && error instanceof xdr.XdrError);
    return true;
  });
  await conn.close();
  await assert.rejects(conn.call(connectListAllDomains, { needResults: 1, flags: 0 }), rpc.TransportError);
}
console.log("one of each class");
`,
);

const cli = join(
  "node_modules/virtwire",
  JSON.parse(readFileSync(join(app, "node_modules/virtwire/package.json"), "utf8")).bin.virtwire,
);
for (const node of nodes) {
  /** Runs a program, which has to end by itself. */
  const run = (program, ...args) => {
    const env = { ...process.env, NODE_OPTIONS: "" };
    const { status, signal, stdout, stderr } = spawnSync(node, [program, ...args], {
      cwd: app,
      env,
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(status, 0, `${node} ${program}: ${signal ?? status}\n${stdout}${stderr}`);
    return { stdout, stderr };
  };
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  const wanted = "true test\nlifecycle\n42\nclosed\n";
  const using = Number.parseInt(version.slice(1), 10) >= 24 ? ["compiled.mjs", "native.mjs"] : ["compiled.mjs"];
  for (const program of using)
    assert.deepEqual(run(program, uri), { stdout: wanted, stderr: "" }, `${version} ${program}`);
  assert.deepEqual(run("plain.mjs", uri), { stdout: "test\n", stderr: "" }, version);
  // Some versions warn that this is new.
  assert.equal(run("plain.cjs", uri).stdout, "test\n", version);
  assert.deepEqual(run("mixed.mjs", uri), { stdout: "one of each class\n", stderr: "" }, version);
  assert.match(run(cli, "--help").stdout, /migrate/);
  console.log(`${version}: ${using.join(", ")}, plain.mjs, plain.cjs, mixed.mjs, virtwire --help`);
}
