import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type DataRange, dataRanges } from "../../src/stream/data-ranges.ts";
import { inFolder, MIB } from "./folder.ts";

async function rangesOf(
  path: string,
  start: number,
  end: number,
  options: { signal?: AbortSignal; perl?: string } = {},
): Promise<DataRange[]> {
  await using file = await open(path, "r");
  const found: DataRange[] = [];
  for await (const range of dataRanges(file, start, end, options)) found.push(range);
  return found;
}

/** 1 MiB of data at each of the positions, and holes. */
async function sparse(path: string, size: number, positions: readonly number[]): Promise<void> {
  await using file = await open(path, "w");
  for (const at of positions) await file.write(Buffer.alloc(MIB, "x"), 0, MIB, at);
  await file.truncate(size);
}

test("data of a sparse file, in order and within bounds", async () => {
  await using folder = await inFolder();
  const path = join(folder.path, "sparse");
  const size = 10_240 * MIB;
  await sparse(path, size, [0, 4096 * MIB, size - 2 * MIB]);
  const range = (start: number, end: number) => ({ start: start * MIB, end: end * MIB, sure: true });
  expect(await rangesOf(path, 0, size)).toEqual([range(0, 1), range(4096, 4097), range(10_238, 10_239)]);
  expect(await rangesOf(path, 4096.5 * MIB, 10_238.25 * MIB)).toEqual([range(4096.5, 4097), range(10_238, 10_238.25)]);
  expect(await rangesOf(path, 100 * MIB, 200 * MIB)).toEqual([]);
});

test("the position of the caller's descriptor stays where it is", async () => {
  await using folder = await inFolder();
  const path = join(folder.path, "sparse");
  await sparse(path, 10 * MIB, [4 * MIB]);
  await using file = await open(path, "r");
  for await (const range of dataRanges(file, 0, 10 * MIB)) expect(range.sure).toBe(true);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(5 * MIB), 0, 5 * MIB, null);
  expect(bytesRead).toBe(5 * MIB);
  expect(buffer.indexOf("x")).toBe(4 * MIB);
});

test("a file without holes needs no tool; one of nothing but a hole has no data", async () => {
  await using folder = await inFolder();
  const dense = join(folder.path, "dense");
  await writeFile(dense, Buffer.alloc(8192, 1));
  expect(await rangesOf(dense, 10, 8192, { perl: "/nonexistent" })).toEqual([{ start: 10, end: 8192, sure: true }]);
  const empty = join(folder.path, "empty");
  await sparse(empty, 10 * MIB, []);
  expect(await rangesOf(empty, 0, 10 * MIB)).toEqual([]);
});

test.each([
  ["is not there", undefined],
  ["fails", "exit 3"],
  ["prints what is no range", "echo nonsense"],
  ["prints a range outside", "echo 0 999999999999"],
  ["ends in the middle", "echo 0 1048576"],
])("where the tool %s, the rest is unsure", async (_, script) => {
  await using folder = await inFolder();
  const path = join(folder.path, "sparse");
  await sparse(path, 10 * MIB, [0]);
  const perl = join(folder.path, "perl");
  if (script !== undefined) await writeFile(perl, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const found = await rangesOf(path, 0, 10 * MIB, { perl });
  const known = script === "echo 0 1048576";
  const first = { start: 0, end: MIB, sure: true };
  expect(found).toEqual([...(known ? [first] : []), { start: known ? MIB : 0, end: 10 * MIB, sure: false }]);
});

test("a tool that hangs ends with the signal", async () => {
  await using folder = await inFolder();
  const path = join(folder.path, "sparse");
  await sparse(path, 10 * MIB, [0]);
  const perl = join(folder.path, "perl");
  await writeFile(perl, "#!/bin/sh\necho 0 1048576\nexec sleep 1000\n", { mode: 0o755 });
  const giveUp = new AbortController();
  await using file = await open(path, "r");
  const ranges = dataRanges(file, 0, 10 * MIB, { perl, signal: giveUp.signal });
  expect((await ranges.next()).value).toMatchObject({ start: 0, end: MIB });
  const waiting = ranges.next();
  giveUp.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
});

test("a loop that is left ends the tool", async () => {
  await using folder = await inFolder();
  const path = join(folder.path, "sparse");
  await sparse(path, 10 * MIB, [0]);
  const perl = join(folder.path, "perl");
  await writeFile(perl, `#!/bin/sh\necho $$ > ${folder.path}/pid\necho 0 1048576\nexec sleep 1000\n`, { mode: 0o755 });
  await using file = await open(path, "r");
  for await (const range of dataRanges(file, 0, 10 * MIB, { perl })) {
    expect(range.start).toBe(0);
    break;
  }
  expect(await folder.isAlive("pid")).toBe(false);
});
