import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StoredBytes } from "../../../src/hypervisor/memory/state/block-file.ts";
import {
  type LoadedObject,
  type StateSource,
  Store,
  type StoredObject,
} from "../../../src/hypervisor/memory/state/store.ts";
import { diskFiles, type StoreFiles } from "../../../src/hypervisor/memory/state/store-files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "store-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const BLOCK = 4;
let versions = 0;

/** Bytes in blocks of four. `change` replaces some of them. */
class Text implements StoredBytes {
  readonly blockSize = BLOCK;
  version = ++versions;
  readonly #blocks = new Map<number, { version: number; bytes: Uint8Array }>();

  constructor(text = "") {
    for (let index = 0; index * BLOCK < text.length; index++) {
      this.change(index, text.slice(index * BLOCK, (index + 1) * BLOCK));
    }
  }

  change(index: number, text: string): void {
    this.version = ++versions;
    const bytes = Buffer.from(text.padEnd(BLOCK, "\0"));
    if (text === "") this.#blocks.delete(index);
    else this.#blocks.set(index, { version: this.version, bytes });
  }

  *blocks(): Iterable<readonly [number, number]> {
    for (const [index, { version }] of this.#blocks) yield [index, version];
  }

  block(index: number) {
    return this.#blocks.get(index);
  }

  toString(): string {
    const order = [...this.#blocks].sort(([a], [b]) => a - b);
    return order.map(([, { bytes }]) => Buffer.from(bytes).toString().replaceAll("\0", "")).join("");
  }
}

/** Things in memory: what they were loaded as, and what they are now. */
class Things implements StateSource {
  readonly kind = "things";
  readonly now = new Map<string, StoredObject>();

  objects(): Iterable<StoredObject> {
    return this.now.values();
  }

  restore({ key, xml, extra, blocks }: LoadedObject): void {
    const bytes = new Text();
    for (const [index, block] of blocks()) bytes.change(index, Buffer.from(block).toString());
    this.now.set(key, { key, xml, extra, ...(`${bytes}` !== "" && { bytes }) });
  }

  set(key: string, xml: string, text?: string): void {
    this.now.set(key, {
      key,
      xml,
      extra: { length: xml.length },
      ...(text !== undefined && { bytes: new Text(text) }),
    });
  }

  bytes(key: string): Text {
    return this.now.get(key)?.bytes as Text;
  }

  /** What each is, in short. */
  texts(): Record<string, string> {
    const all = [...this.now.values()];
    return Object.fromEntries(all.map(({ key, xml, bytes }) => [key, bytes === undefined ? xml : `${xml}+${bytes}`]));
  }
}

function open(files?: StoreFiles, at = folder): { things: Things; store: Store } {
  const things = new Things();
  const store = new Store(at, files);
  store.add(things);
  return { things, store };
}

const kept = (at = folder) => open(undefined, at).things.texts();
const filesEnding = (end: string) => readdirSync(join(folder, "things")).filter((name) => name.endsWith(end));

/** Steps of which one fails, and with `dead` all after it: as if the process had ended there. */
function failing(at: number, dead: boolean): StoreFiles & { readonly steps: number } {
  let steps = 0;
  const step = async (run: () => Promise<void>, half?: () => void) => {
    const number = steps++;
    if (number === at || (dead && number > at)) {
      if (number === at) half?.();
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { errno: -28, code: "ENOSPC" });
    }
    await run();
  };
  return {
    get steps() {
      return steps;
    },
    write: (path, bytes) =>
      step(
        () => diskFiles.write(path, bytes),
        () => writeFileSync(path, "half of"),
      ),
    writeAt: (path, parts) => step(() => diskFiles.writeAt(path, parts)),
    truncate: (path, length) => step(() => diskFiles.truncate(path, length)),
    rename: (from, to) => step(() => diskFiles.rename(from, to)),
    remove: (path) => step(() => diskFiles.remove(path)),
    syncFolder: (path) => step(() => diskFiles.syncFolder(path)),
  };
}

describe("a folder of objects", () => {
  test("gives back what was put in, whatever the key", async () => {
    const { things, store } = open();
    const keys = ["a", "A", "..", "a/b", "%2e", "\0", "\ud800", "ü".repeat(200), "x".repeat(300)];
    for (const [index, key] of keys.entries()) things.set(key, `<${index}>`, "bytes");
    await store.sync();
    const now = things.texts();
    expect(kept()).toEqual(now);
    const files = readdirSync(join(folder, "things"));
    expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(2 * keys.length);
    expect(statSync(folder).mode & 0o077).toBe(0);
    for (const file of files) expect(statSync(join(folder, "things", file)).mode & 0o777).toBe(0o600);
    things.set("a", "new", "bytes");
    things.now.delete("..");
    await store.sync();
    expect(kept()).toEqual(things.texts());
    expect(filesEnding(".bytes").length).toBe(keys.length - 1);
  });

  test("writes what has changed, and nothing else", async () => {
    const files = failing(-1, false);
    const { things, store } = open(files);
    things.set("a", "1", "bytes");
    things.set("b", "1");
    await store.sync();
    const before = files.steps;
    await store.sync();
    expect(files.steps).toBe(before);
    things.now.set("a", { ...things.now.get("a")!, xml: "2" });
    await store.sync();
    expect(files.steps).toBe(before + 3); // write, rename, the folder: the bytes are the same
  });

  test("of bytes, writes the blocks that have changed, to where nothing is named", async () => {
    const { things, store } = open();
    things.set("a", "1", "aaaabbbbcccc");
    await store.sync();
    const written: [number, string][] = [];
    const watching = {
      ...diskFiles,
      writeAt: (path: string, parts: Iterable<readonly [number, Uint8Array]>) => {
        const all = [...parts];
        written.push(...all.map(([offset, bytes]) => [offset, Buffer.from(bytes).toString()] as [number, string]));
        return diskFiles.writeAt(path, all);
      },
    };
    const again = open(watching);
    again.things.bytes("a").change(1, "BBBB");
    await again.store.sync();
    expect(written).toEqual([[12, "BBBB"]]);
    again.things.bytes("a").change(2, "CCCC");
    await again.store.sync();
    expect(written.slice(1)).toEqual([[4, "CCCC"]]); // where "bbbb" was
    expect(kept()).toEqual({ a: "1+aaaaBBBBCCCC" });
  });

  test("room that bytes no longer take goes back to the disk", async () => {
    const { things, store } = open();
    things.set("a", "1", "aaaabbbbcccc");
    await store.sync();
    const size = () => statSync(join(folder, "things", filesEnding(".bytes")[0]!)).size;
    for (let round = 0; round < 20; round++) {
      things.bytes("a").change(round % 3, `${round}`);
      await store.sync();
      expect(size()).toBeLessThanOrEqual(4 * BLOCK);
    }
    for (const index of [0, 1, 2]) things.bytes("a").change(index, "");
    await store.sync();
    expect(size()).toBe(0);
    expect(kept()).toEqual({ a: "1" });
  });

  test("calls made while it writes share one further pass, which has what they changed", async () => {
    const files = failing(-1, false);
    const { things, store } = open(files);
    things.set("a", "1");
    const first = store.sync();
    things.set("a", "2");
    await Promise.all([first, store.sync(), store.sync(), store.sync()]);
    expect(files.steps).toBe(6);
    expect(kept()).toEqual({ a: "2" });
  });

  test("blocks that change while they are written are written by the call that follows the change", async () => {
    const bytes = new Text("aaaabbbb");
    const changing = {
      ...diskFiles,
      writeAt: (path: string, parts: Iterable<readonly [number, Uint8Array]>) => {
        const all = [...parts];
        bytes.change(0, "AAAA");
        return diskFiles.writeAt(path, all);
      },
    };
    const { things, store } = open(changing);
    things.now.set("a", { key: "a", xml: "1", extra: {}, bytes });
    await store.sync();
    expect(kept()).toEqual({ a: "1+aaaabbbb" });
    await store.sync();
    expect(kept()).toEqual({ a: "1+AAAAbbbb" });
  });

  test("what a host gives up once it is closed stays in the folder", async () => {
    const { things, store } = open();
    things.set("a", "1", "bytes");
    const first = store.sync();
    things.set("b", "1");
    await Promise.all([first, store.close()]);
    things.now.clear();
    await expect(store.sync()).rejects.toThrow(`${folder} is not written any more`);
    await store.close();
    expect(kept()).toEqual({ a: "1+bytes", b: "1" });
  });
});

describe("what cannot be read", () => {
  test("is named, not passed over, and stays", async () => {
    const { things, store } = open();
    things.set("a", "text", "bytes");
    await store.sync();
    for (const end of [".json", ".bytes"]) {
      const path = join(folder, "things", filesEnding(end)[0]!);
      const good = readFileSync(path);
      const bad = Buffer.from(good);
      bad[bad.length - 3]! ^= 1;
      for (const damaged of [bad, good.subarray(0, 3)]) {
        writeFileSync(path, damaged);
        expect(() => open()).toThrow(
          expect.objectContaining({ name: "StateError", message: `${path} is damaged`, path }),
        );
        expect(readFileSync(path)).toEqual(damaged);
      }
      rmSync(path);
      mkdirSync(path);
      expect(() => open()).toThrow(`${path} cannot be read: EISDIR`);
      rmSync(path, { recursive: true });
      writeFileSync(path, good);
    }
    const bytes = join(folder, "things", filesEnding(".bytes")[0]!);
    rmSync(bytes);
    expect(() => open()).toThrow(`${bytes} cannot be read: ENOENT`);
  });

  test("nor is what its source does not take", async () => {
    const { things, store } = open();
    things.set("a", "text");
    await store.sync();
    const refusing: StateSource = {
      kind: "things",
      objects: () => [],
      restore: () => {
        throw new Error("odd");
      },
    };
    expect(() => new Store(folder).add(refusing)).toThrow(/things\/a\.json cannot be read: odd/);
    expect(kept()).toEqual({ a: "text" });
  });

  test("files of somebody else stay", async () => {
    mkdirSync(join(folder, "things"));
    const theirs = ["notes.txt", "a.new", "disk.bytes"].map((name) => join(folder, "things", name));
    for (const path of theirs) writeFileSync(path, "mine");
    const { things, store } = open();
    things.set("a", "text", "bytes");
    await store.sync();
    things.now.clear();
    await store.sync();
    for (const path of theirs) expect(readFileSync(path, "utf8")).toBe("mine");
  });

  test("a folder that cannot be made is named", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => new Store(join(folder, "file", "state"))).toThrow(`${join(folder, "file", "state")} cannot be made`);
  });
});

describe("whatever goes wrong", () => {
  const before = { keep: "k+kk", change: "old+oldbytes", remove: "r+rr" };
  const after = { keep: "k+kk", change: "new+newbytes", add: "a+aa" };

  async function prepare(): Promise<void> {
    rmSync(folder, { recursive: true, force: true });
    const { things, store } = open();
    things.set("keep", "k", "kk");
    things.set("change", "old", "oldbytes");
    things.set("remove", "r", "rr");
    await store.sync();
  }

  function change(things: Things): void {
    things.now.set("change", { ...things.now.get("change")!, xml: "new" });
    things.bytes("change").change(0, "newb");
    things.bytes("change").change(1, "ytes");
    things.set("add", "a", "aa");
    things.now.delete("remove");
  }

  /** Each object is as it was or as it was to be. */
  function check(at = folder): void {
    const now = kept(at);
    for (const key of ["keep", "change", "remove", "add"] as const) {
      const choices = [before, after].map((all) => (all as Record<string, string>)[key]);
      expect(choices, key).toContain(now[key]);
    }
  }

  test("at every step, each object is whole: as it was, or as it was to be", async () => {
    let steps = Number.POSITIVE_INFINITY;
    for (let at = 0; at < steps; at++) {
      await prepare();
      const files = failing(at, true);
      const { things, store } = open(files);
      change(things);
      await store.sync().catch(() => {});
      if (at >= files.steps) steps = 0; // all of them were made
      check();
      expect(at).toBeLessThan(40);
    }
    expect(kept()).toEqual(after);
  });

  test("what could not be written is written by the next call, though nothing has changed since", async () => {
    for (let at = 0; at < 16; at++) {
      await prepare();
      const files = failing(at, false);
      const { things, store } = open(files);
      change(things);
      const failed = await store.sync().then(
        () => false,
        () => true,
      );
      const before = files.steps;
      await store.sync();
      if (failed) expect(files.steps).toBeGreaterThan(before);
      expect(kept()).toEqual(after);
      expect(filesEnding(".bytes")).toHaveLength(3);
    }
  });

  test("what was being made of bytes when the disk was full takes no room", async () => {
    await prepare();
    const full: StoreFiles = {
      ...diskFiles,
      async writeAt(path, parts) {
        await diskFiles.writeAt(path, parts);
        throw new Error("ENOSPC: no space left on device, write");
      },
    };
    const { things, store } = open(full);
    for (const name of ["add", "more"]) {
      things.set(name, "a", "many bytes");
      await expect(store.sync()).rejects.toThrow("ENOSPC");
      expect(filesEnding(".bytes")).toHaveLength(3);
    }
  });

  /** The store and its files as a module of JavaScript, for processes that can be killed. */
  async function bundle(): Promise<string> {
    const outfile = join(folder, "store.mjs");
    const path = (file: string) =>
      fileURLToPath(new URL(`../../../src/hypervisor/memory/state/${file}`, import.meta.url));
    const contents = `export { Store } from ${JSON.stringify(path("store.ts"))};
      export { diskFiles } from ${JSON.stringify(path("store-files.ts"))};`;
    const stdin = { contents, resolveDir: folder };
    await build({ stdin, bundle: true, platform: "node", format: "esm", outfile });
    return outfile;
  }

  test("a process that is killed at any step leaves each object whole", async () => {
    await prepare();
    const start = join(folder, "start");
    cpSync(join(folder, "things"), join(start, "things"), { recursive: true });
    await bundle();
    const script = join(folder, "changer.mjs");
    writeFileSync(
      script,
      `import { writeFileSync } from "node:fs";
       import { Store, diskFiles } from "./store.mjs";
       const [, , state, last] = process.argv;
       const die = () => process.kill(process.pid, "SIGKILL");
       let steps = 0;
       const files = Object.fromEntries(Object.entries(diskFiles).map(([name, run]) => [name, async (path, what) => {
         if (steps++ < Number(last)) return run(path, what);
         if (name === "write") writeFileSync(path, what.subarray(0, what.length / 2));
         if (name === "writeAt") await run(path, [...what].slice(0, 1));
         die();
         await new Promise(() => setInterval(() => {}, 1000));
       }]));
       let version = 0;
       const bytes = (text) => ({
         blockSize: 4,
         version: ++version,
         blocks: () => Array.from({ length: text.length / 4 }, (_, index) => [index, version]),
         block: (index) => ({ version, bytes: Buffer.from(text.slice(4 * index, 4 * index + 4)) }),
       });
       const things = new Map();
       const source = {
         kind: "things",
         objects: () => things.values(),
         restore: ({ key, xml, extra, blocks }) => {
           const text = [...blocks()].map(([, block]) => Buffer.from(block).toString()).join("");
           things.set(key, { key, xml, extra, bytes: bytes(text) });
         },
       };
       const store = new Store(state, files);
       store.add(source);
       const extra = { length: 3 };
       things.set("change", { key: "change", xml: "new", extra, bytes: bytes("newbytes") });
       things.set("add", { key: "add", xml: "a", extra, bytes: bytes("aa\\0\\0") });
       things.delete("remove");
       await store.sync();
       console.log("done");`,
    );
    let done = false;
    for (let at = 0; !done; at++) {
      const state = join(folder, `state${at}`);
      cpSync(start, state, { recursive: true });
      const child = spawn(process.execPath, [script, state, String(at)], { stdio: ["ignore", "pipe", "inherit"] });
      child.stdout.on("data", () => {
        done = true;
      });
      const [code, signal] = await once(child, "close");
      expect([code, signal]).toEqual(done ? [0, null] : [null, "SIGKILL"]);
      check(state);
      if (done) expect(kept(state)).toEqual(after);
      expect(at).toBeLessThan(40);
    }
  }, 120_000);

  test("a process killed in the middle of writing loses nothing that it was told is written", async () => {
    await bundle();
    const script = join(folder, "writer.mjs");
    writeFileSync(
      script,
      `import { Store } from "./store.mjs";
       let n = 0;
       const block = () => ({ version: n, bytes: Buffer.alloc(65_536, String(n)) });
       const blocks = () => [[0, n], [1, n]];
       const objects = () => ["a", "b", "c"].map((key) => ({
         key, xml: String(n), extra: {}, bytes: { blockSize: 65_536, version: n, blocks, block },
       }));
       const store = new Store(process.argv[2]);
       store.add({ kind: "things", objects, restore: ({ xml }) => { n = Math.max(n, Number(xml)); } });
       for (;;) { n++; await store.sync(); console.log(n); }`,
    );
    const state = join(folder, "state");
    let last = 0;
    for (let round = 1; round <= 5; round++) {
      const child = spawn(process.execPath, [script, state], { stdio: ["ignore", "pipe", "inherit"] });
      const lines = createInterface({ input: child.stdout });
      let seen = 0;
      lines.on("line", (line) => {
        last = Number(line);
        if (++seen === round * 3) child.kill("SIGKILL");
      });
      await once(child, "close");
      const found = new Map<string, number>();
      new Store(state).add({
        kind: "things",
        objects: () => [],
        restore({ key, xml, blocks }) {
          found.set(key, Number(xml));
          const expected = Buffer.alloc(65_536, xml);
          for (const [, block] of blocks()) expect(Buffer.compare(block, expected)).toBe(0);
        },
      });
      expect([...found.keys()].sort()).toEqual(["a", "b", "c"]);
      for (const number of found.values()) expect(number).toBeGreaterThanOrEqual(last);
    }
  }, 120_000);
});
