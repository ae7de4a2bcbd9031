/** The examples of docs/security.md, run. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../src/api/index.ts";
import { RemoteClient } from "../src/generated/remote/index.ts";
import type { VirtError } from "../src/rpc/index.ts";
import { knownRights } from "../src/server/access-rules.ts";
import type { Server } from "../src/server/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const document = await readFile(join(root, "docs/security.md"), "utf8");
const examples = new Map(
  [...document.matchAll(/<!-- example: (\w+) -->\n```ts\n(.*?)```/gs)].map(([, name = "", source = ""]) => [
    name,
    source,
  ]),
);

/** Runs an example in a folder of its own, as far as its files and sockets go. */
async function run(name: string): Promise<{ readonly server: Server; readonly uri: string }> {
  const dir = await mkdtemp(join(tmpdir(), "vw-doc-"));
  const source = (examples.get(name) as string)
    .replaceAll("/tmp/", `${dir}/`)
    .replaceAll('"users"', JSON.stringify(join(dir, "users")))
    .replace(/"virtwire\/(\w+)"/g, (_, folder: string) => JSON.stringify(join(root, "src", folder, "index.ts")));
  const file = join(dir, `${name}.ts`);
  await writeFile(file, `${source}\nexport { server };\n`);
  const { server } = (await import(/* @vite-ignore */ file)) as { readonly server: Server };
  onTestFinished(async () => {
    await server.close();
    await rm(dir, { recursive: true, force: true });
  });
  const socket = server.addresses[0]?.replace("unix:", "");
  return { server, uri: `test+unix:///default?socket=${socket}` };
}

test("the document has the examples that are run here, and no other TypeScript", () => {
  expect([...examples.keys()]).toEqual(["sasl", "rules"]);
  expect(document.match(/^```ts$/gm)).toHaveLength(examples.size);
});

test("sasl: the right password is let in, another is not", async () => {
  const { uri } = await run("sasl");
  const login = (password: string) => connect(uri, { auth: { credentials: { authname: "alice", password } } });
  const connection = await login("wonderland");
  expect(await connection.remote.connectGetType()).toBeDefined();
  await connection.close();
  await expect(login("looking-glass")).rejects.toMatchObject({ code: 45 });
});

test.skipIf(process.platform !== "linux")("rules: they are taken, and decide", async () => {
  const { uri } = await run("rules");
  const connection = await connect(uri);
  const remote = new RemoteClient(connection);
  expect(await remote.connectGetCapabilities()).toBeDefined(); // for everybody
  // Root may, and hears what is wrong with the XML.
  const refusal = await remote.domainCreateXml({ xmlDesc: "<domain/>", flags: 0 }).catch((error: unknown) => error);
  expect((refusal as VirtError).code === 88).toBe(process.getuid?.() !== 0);
  await connection.close();
});

test("rights that the document names exist", () => {
  const named = [...document.matchAll(/\b(connect|domain|storage_vol):(\w+)\b/g)].map(([right]) => right);
  expect(named.length).toBeGreaterThan(5);
  for (const right of named) expect(knownRights()).toContain(right.replace(/:search_$/, ":search_domains"));
});
