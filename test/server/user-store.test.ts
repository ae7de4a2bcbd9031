import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scramKeys } from "../../src/auth/scram.ts";
import { passwordUsers, removeUser, setUser, userFile } from "../../src/server/index.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "vw-users-"));
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

const { signal } = new AbortController();

test("a file has keys that fit the password, and nothing that it could be read from", async () => {
  const path = join(dir, "users");
  await setUser(path, "alice", "wonderland");
  await setUser(path, "bob smith", "builder");
  const text = await readFile(path, "utf8");
  expect(text).not.toMatch(/wonderland|builder/);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const store = userFile(path);
  const record = await store.scram!("alice", "SHA-256", signal);
  const { storedKey, serverKey } = await scramKeys("SHA-256", "wonderland", Uint8Array.from(record!.salt), 65_536);
  expect(record).toEqual({ salt: record!.salt, iterations: 65_536, storedKey, serverKey });
  expect(record!.salt).toHaveLength(16);
  expect(await store.scram!("bob smith", "SHA-256", signal)).toBeDefined();
  expect(await store.scram!("bob", "SHA-256", signal)).toBeUndefined();
  expect(await store.scram!("alice", "SHA-1", signal)).toBeUndefined();
  expect(store.password).toBeUndefined();
});

test("changes are seen at once; a password is replaced, not added", async () => {
  const path = join(dir, "changing");
  await setUser(path, "alice", "one");
  const store = userFile(path);
  const first = await store.scram!("alice", "SHA-256", signal);
  await setUser(path, "alice", "two");
  const second = await store.scram!("alice", "SHA-256", signal);
  expect(second!.storedKey).not.toEqual(first!.storedKey);
  expect((await readFile(path, "utf8")).match(/^alice:/gm)).toHaveLength(1);
  expect(await removeUser(path, "alice")).toBe(true);
  expect(await removeUser(path, "alice")).toBe(false);
  expect(await store.scram!("alice", "SHA-256", signal)).toBeUndefined();
  expect((await readdir(dir)).filter((name) => name.startsWith("changing"))).toEqual(["changing"]);
});

test("the salts of users who do not exist are as lasting as the file", async () => {
  const path = join(dir, "seeded");
  await setUser(path, "alice", "one");
  const seeds = [];
  for (const store of [userFile(path), userFile(path)]) {
    await store.scram!("nobody", "SHA-256", signal);
    seeds.push(store.seed);
  }
  expect(seeds[0]).toEqual(seeds[1]);
  expect(seeds[0]).toHaveLength(32);
});

test.each(["", "a:b", "a\nb", "#a", " a", "a\0b"])("%j is no name", async (name) => {
  await expect(setUser(join(dir, "names"), name, "x")).rejects.toThrow(TypeError);
});

test.each([
  "alice",
  "alice:wonderland",
  "alice:SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA",
  `alice:SCRAM-SHA-256$1:c2FsdA==$${Buffer.alloc(32).toString("base64")}:${Buffer.alloc(32).toString("base64")}`,
  `alice:SCRAM-MD5$4096:c2FsdA==$${Buffer.alloc(32).toString("base64")}:${Buffer.alloc(32).toString("base64")}`,
])("a line that is none: nobody can log in, and the error names the line and says nothing of it", async (line) => {
  const path = join(dir, "broken");
  await writeFile(path, `# users\n\n${line}\n`);
  const error = await Promise.resolve(userFile(path).scram!("alice", "SHA-256", signal)).then(
    () => undefined,
    (reason: unknown) => reason as Error,
  );
  expect(error?.message).toContain(`${path}, line 3`);
  expect(error?.message).not.toContain("wonderland");
});

test("a file that is changed stays its owner's", async () => {
  const path = join(dir, "owned");
  await setUser(path, "alice", "one");
  const { uid, gid } = await stat(path);
  const owner = uid === 0 ? { uid: 4242, gid: 4243 } : { uid, gid }; // only root may give it away
  await chown(path, owner.uid, owner.gid);
  await setUser(path, "alice", "two");
  expect(await stat(path)).toMatchObject(owner);
});

test.each([0o620, 0o602])("a file of mode %o, which others may write to, lets nobody in", async (mode) => {
  const path = join(dir, `mode-${mode}`);
  await setUser(path, "alice", "wonderland");
  await chmod(path, mode);
  await expect(userFile(path).scram!("alice", "SHA-256", signal)).rejects.toThrow("others than its owner may write");
});

test("a file that cannot be read lets nobody in", async () => {
  await expect(userFile(join(dir, "none")).scram!("alice", "SHA-256", signal)).rejects.toMatchObject({
    code: "ENOENT",
  });
});

test("a record of passwords has no users that every object has", () => {
  const store = passwordUsers({ alice: "wonderland" });
  expect(store.password!("alice", signal)).toBe("wonderland");
  for (const name of ["toString", "__proto__", "constructor", "bob"]) {
    expect(store.password!(name, signal)).toBeUndefined();
  }
});
