/** The examples of docs/testing.md, run. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = await readFile(join(root, "docs/testing.md"), "utf8");
const examples = [...text.matchAll(/<!-- example: (\w+) -->\n```ts\n(.*?)```/gs)];
const folders: Record<string, string> = { virtwire: "api", "virtwire/protocol/remote": "generated/remote" };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vw-testing-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("the document has the examples that are run here, and no other TypeScript", () => {
  expect(examples.map(([, name]) => name)).toEqual(["daemon", "faults", "clock"]);
  expect(text.match(/^```ts$/gm)).toHaveLength(examples.length);
});

test.each(examples.map(([, name = "", source = ""]) => [name, source]))("%s", async (name, source) => {
  const placed = source.replace(/"(virtwire[\w/]*)"/g, (_, entry: string) => {
    return JSON.stringify(join(root, "src", folders[entry] ?? entry.replace("virtwire/", ""), "index.ts"));
  });
  const file = join(folder, `${name}.ts`);
  await writeFile(file, `${placed}\nexport {};\n`);
  await import(/* @vite-ignore */ file);
});
