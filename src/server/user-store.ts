import { randomBytes } from "node:crypto";
import { chmod, open, readFile, rename, rm, stat } from "node:fs/promises";
import { type ScramHash, type ScramRecord, scramKeys, type UserStore } from "../auth/server.ts";

/**
 * Iterations of keys that are written here. Each costs whoever guesses a stolen file as much as a login; Cyrus SASL, which
 * libvirt's clients use, takes no more.
 */
const ITERATIONS = 65_536;
const SALT_BYTES = 16;
/** Whoever may write to the file may log in as anybody. */
const OTHERS_WRITE = 0o022;
const SEED = /^# seed (\S+)$/m;
/** `name:SCRAM-SHA-256$65536:salt$StoredKey:ServerKey`, as PostgreSQL writes what comes after the name. */
const LINE = /^([^:\n]+):SCRAM-(SHA-1|SHA-256|SHA-512)\$(\d{1,8}):([^$:]+)\$([^:]+):(.+)$/;
const KEY_BYTES: Readonly<Record<ScramHash, number>> = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 };

/** Users and their passwords in clear, for tests and for programs that keep them elsewhere. All mechanisms can use it. */
export function passwordUsers(passwords: Readonly<Record<string, string>>): UserStore {
  return { password: (user) => (Object.hasOwn(passwords, user) ? passwords[user] : undefined) };
}

/**
 * Users of a file that {@link setUser} writes: SCRAM keys, from which nobody can log in elsewhere. It is read again when it
 * has changed; where it cannot be read, or others than its owner may write to it, nobody can log in. SCRAM-SHA-256 and PLAIN can use it.
 */
export function userFile(path: string): UserStore {
  let read: { readonly version: string; readonly users: ReturnType<typeof parse> } | undefined;
  const current = async () => {
    const { mtimeMs, size, ino, mode } = await stat(path);
    if ((mode & OTHERS_WRITE) !== 0 && process.platform !== "win32") {
      throw new Error(`${path}: others than its owner may write to it`);
    }
    const version = `${mtimeMs}/${size}/${ino}`;
    if (read?.version !== version) read = { version, users: parse(await readFile(path, "utf8"), path) };
    return read.users;
  };
  // What a file without one goes by: users who do not exist seem to have others after each start.
  let seed: Uint8Array = randomBytes(32);
  return {
    hashes: ["SHA-256"],
    iterations: ITERATIONS,
    get seed() {
      return seed;
    },
    async scram(user, hash) {
      const users = await current();
      seed = users.seed ?? seed;
      return users.records.get(`${hash}:${user}`);
    },
  };
}

/**
 * Adds a user to a file, or changes the password. The file is replaced at once and whole, readable by its owner only.
 * @throws {TypeError} for a name that a line cannot hold
 */
export async function setUser(path: string, user: string, password: string): Promise<void> {
  if (!/^[^:#\s\p{C}][^:\p{C}]*$/u.test(user))
    throw new TypeError("a user's name has no colon and no control characters");
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const { storedKey, serverKey } = await scramKeys("SHA-256", password, salt, ITERATIONS);
  const line = `${user}:SCRAM-SHA-256$${ITERATIONS}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`;
  await rewrite(path, (lines) => [...lines.filter((other) => !isOf(other, user)), line]);
}

/** Takes a user out of a file. @returns whether there was one */
export async function removeUser(path: string, user: string): Promise<boolean> {
  let found = false;
  await rewrite(path, (lines) => {
    const left = lines.filter((line) => !isOf(line, user));
    found = left.length < lines.length;
    return left;
  });
  return found;
}

function isOf(line: string, user: string): boolean {
  return line.startsWith(`${user}:`);
}

/** @throws {Error} that names the line, and nothing of it */
function parse(text: string, path: string) {
  const records = new Map<string, ScramRecord>();
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, user, hash, count, ...coded] = LINE.exec(line) ?? [];
    const [salt, storedKey, serverKey] = coded.map((part) => new Uint8Array(Buffer.from(part, "base64")));
    const bytes = KEY_BYTES[hash as ScramHash];
    const iterations = Number(count);
    const fits = storedKey?.byteLength === bytes && serverKey?.byteLength === bytes && iterations >= 4096;
    if (!fits || !salt?.byteLength)
      throw new Error(`${path}, line ${at + 1}: not name:SCRAM-SHA-256$count:salt$key:key`);
    records.set(`${hash}:${user}`, { salt, iterations, storedKey: storedKey!, serverKey: serverKey! });
  }
  const seed = SEED.exec(text)?.[1];
  return { records, seed: seed === undefined ? undefined : new Uint8Array(Buffer.from(seed, "base64")) };
}

async function rewrite(path: string, change: (lines: readonly string[]) => readonly string[]): Promise<void> {
  const old = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT")
      return `# Users of virtwire: SCRAM keys, no passwords.\n# seed ${base64(randomBytes(32))}\n`;
    throw error;
  });
  const lines = change(old.replace(/\n$/, "").split("\n"));
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(beside, "wx", 0o600);
  try {
    await chmod(beside, 0o600); // whatever the mask
    const owner = await stat(path).catch(() => undefined);
    // It stays the file of the daemon that reads it, also where root changes it.
    if (owner !== undefined && owner.uid !== process.getuid?.()) await file.chown(owner.uid, owner.gid);
    await file.writeFile(`${lines.join("\n")}\n`);
    await file.sync();
    await file.close();
    await rename(beside, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(beside, { force: true });
    throw error;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
