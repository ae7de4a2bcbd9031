import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { BlockFile, type BlockTable, type Draft, type StoredBytes } from "./block-file.ts";
import { StateError, stateError } from "./state-error.ts";
import { diskFiles, type StoreFiles } from "./store-files.ts";

/** An object as it is kept. */
export interface StoredObject {
  /** UUID or name: unique among those of its kind. */
  readonly key: string;
  readonly xml: string;
  /** What is not in the XML. Plain data: what JSON can say. */
  readonly extra: Readonly<Record<string, unknown>>;
  /** Bytes that go with it, kept in a file of their own. */
  readonly bytes?: StoredBytes;
}

/** One kind of object of a host: where its state is taken from and given back to. */
export interface StateSource {
  /** The folder: `domains`. */
  readonly kind: string;
  objects(): Iterable<StoredObject>;
  /** Called once for each object that was kept. */
  restore(object: LoadedObject): void;
}

export interface LoadedObject {
  readonly key: string;
  readonly xml: string;
  readonly extra: Readonly<Record<string, unknown>>;
  /** Reads the blocks that went with it. Each is good until the next one is asked for. */
  blocks(): Iterable<readonly [index: number, bytes: Uint8Array]>;
}

/** What a file holds, beside its checksum. */
interface FileContent {
  readonly format: typeof FORMAT;
  readonly key: string;
  readonly xml: string;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly bytes?: BlockTable;
}

/** What the folder has of an object. */
interface Written {
  readonly xml: string;
  readonly extra: string;
  readonly version: number | undefined;
  readonly blocks: BlockFile | undefined;
}

/** What the folder has of a kind of object. */
interface Kind {
  readonly folder: string;
  readonly written: Map<string, Written>;
  /** Done as soon as the disk has the folder as it is now; none: it has. */
  readonly afterSync: (() => Promise<void>)[];
}

const FORMAT = 1;
const OBJECT = ".json";
const BYTES = ".bytes";
/** Never read: what was being written when the process ended. */
const UNFINISHED = ".new";
const LONGEST_NAME = 150;

/**
 * Keeps the objects of a host in a folder, one file each, so that a process killed at any time leaves each object
 * either as it was or as it was to be: a file is written under another name, brought to the disk, and put into its
 * place in one step. Nothing else may write there: see `lockFolder`.
 */
export class Store {
  readonly #folder: string;
  readonly #files: StoreFiles;
  readonly #kinds = new Map<StateSource, Kind>();
  #pass: Promise<void> | undefined;
  #nextPass: Promise<void> | undefined;
  #closed = false;
  #names = 0;

  /** @throws {StateError} where the folder can be neither found nor made */
  constructor(folder: string, files: StoreFiles = diskFiles) {
    this.#folder = resolve(folder);
    this.#files = files;
    makeFolder(this.#folder);
  }

  /**
   * Gives a source its objects back, and watches it from then on. Removes what an earlier process left unfinished.
   * Sources are read in the order in which they are added, and written in the opposite one.
   *
   * @param restore false: what is there is given to nobody, and is replaced by what the source says.
   * @throws {StateError} naming the file, where one is not as this class wrote it, or where the source does not take
   *   it: better than to go on without it.
   */
  add(source: StateSource, restore = true): void {
    const folder = join(this.#folder, source.kind);
    makeFolder(folder);
    const written = new Map<string, Written>();
    const wanted = new Set<string>();
    const files = listFolder(folder);
    for (const file of files.filter((name) => name.endsWith(OBJECT)).sort()) {
      const path = join(folder, file);
      const { key, xml, extra, bytes } = readObject(path);
      if (fileName(key) + OBJECT !== file) throw new StateError(path, `holds another object: ${key}`);
      const blocks = bytes && BlockFile.of(folder, bytes);
      try {
        if (restore) source.restore({ key, xml, extra, blocks: () => blocks?.read() ?? [] });
      } catch (error) {
        throw stateError(path, error);
      }
      if (bytes !== undefined) wanted.add(bytes.file);
      written.set(key, { xml, extra: JSON.stringify(extra), version: undefined, blocks });
    }
    for (const { key, bytes } of source.objects()) {
      const was = written.get(key);
      if (was?.blocks === undefined || bytes === undefined) continue;
      was.blocks.adopt(bytes);
      written.set(key, { ...was, version: bytes.version });
    }
    const left = files.filter((file) => isOurs(file) && !wanted.has(file));
    for (const file of left) removeNow(join(folder, file));
    this.#kinds.set(source, { folder, written, afterSync: [] });
  }

  /**
   * Brings the folder up to what the sources say now. Resolves when the disk has it. Calls made meanwhile share one
   * further pass.
   *
   * @throws what the disk said. What was not written is tried again by the next call.
   */
  sync(): Promise<void> {
    if (this.#closed)
      return Promise.reject(new StateError(this.#folder, "is not written any more: the host is closed"));
    return this.#soon();
  }

  /** Writes for the last time: what a host gives up from now on stays in the folder. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return this.#soon();
  }

  #soon(): Promise<void> {
    if (this.#pass === undefined) {
      this.#pass = this.#run().finally(() => {
        this.#pass = undefined;
      });
      return this.#pass;
    }
    this.#nextPass ??= this.#pass
      .catch(() => {})
      .then(() => {
        this.#nextPass = undefined;
        return this.#soon();
      });
    return this.#nextPass;
  }

  async #run(): Promise<void> {
    for (const [source, kind] of [...this.#kinds].reverse()) await this.#bring(source, kind);
  }

  async #bring(source: StateSource, { folder, written, afterSync }: Kind): Promise<void> {
    const gone = new Set(written.keys());
    const objects = [...source.objects()]; // as they are at one moment
    for (const { key, xml, extra, bytes } of objects) {
      gone.delete(key);
      const was = written.get(key);
      const extraText = JSON.stringify(extra);
      const version = bytes?.version;
      if (was !== undefined && was.xml === xml && was.extra === extraText && was.version === version) continue;
      const object = { format: FORMAT, key, xml, extra } as const;
      const path = join(folder, fileName(key) + OBJECT);
      const blocks = bytes && (was?.blocks ?? new BlockFile(folder, this.#bytesName(key), bytes.blockSize));
      let draft: Draft | undefined;
      try {
        if (bytes !== undefined) draft = await blocks?.write(this.#files, bytes);
        if (draft !== undefined && was?.blocks === undefined) await this.#files.syncFolder(folder); // a file was made
        const content = formatObject(draft === undefined ? object : { ...object, bytes: draft.table });
        await this.#files.write(path + UNFINISHED, content);
      } catch (error) {
        draft?.undo();
        // Half of a file that nothing names would take room until the next start.
        if (blocks !== undefined && was?.blocks === undefined) {
          await this.#files.remove(join(folder, blocks.name)).catch(() => {});
        }
        throw error;
      }
      // Where this fails, nobody knows which of the two the disk has: neither's room is free.
      await this.#files.rename(path + UNFINISHED, path);
      draft?.placed();
      written.set(key, { xml, extra: extraText, version, blocks });
      afterSync.push(async () => {
        await draft?.settled();
        if (was?.blocks !== undefined && was.blocks !== blocks) await this.#files.remove(join(folder, was.blocks.name));
      });
    }
    for (const key of gone) {
      await this.#files.remove(join(folder, fileName(key) + OBJECT));
      const { blocks } = written.get(key)!;
      written.delete(key);
      afterSync.push(async () => {
        if (blocks !== undefined) await this.#files.remove(join(folder, blocks.name));
      });
    }
    if (afterSync.length === 0) return;
    await this.#files.syncFolder(folder);
    // Room is given back. What stays is found by the next process.
    for (const act of afterSync.splice(0)) await act().catch(() => {});
  }

  /** A name that no other object's bytes have had, not even those of the same key before it was removed. */
  #bytesName(key: string): string {
    return `${fileName(key)}.${process.pid}-${Date.now().toString(36)}-${++this.#names}${BYTES}`;
  }
}

/** Whether a file is one that is removed where nothing names it: not what somebody else put there. */
function isOurs(file: string): boolean {
  return /^[^.]+(\.json\.new|\.[0-9]+-[0-9a-z]+-[0-9]+\.bytes)$/.test(file);
}

/** A file name that any key fits in, on file systems, too, that take `A` and `a` for the same. */
function fileName(key: string): string {
  const plain = Array.from(Buffer.from(key), (byte) => {
    const character = String.fromCharCode(byte);
    return /[a-z0-9_-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`;
  }).join("");
  return plain.length <= LONGEST_NAME ? plain : createHash("sha256").update(key).digest("hex");
}

/** Makes a folder where there is none, and waits until the disk has it. */
function makeFolder(folder: string): void {
  try {
    const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = folder; made.length >= first.length; made = dirname(made)) syncNow(dirname(made));
  } catch (error) {
    throw new StateError(folder, `cannot be made: ${(error as Error).message}`, { cause: error });
  }
}

function syncNow(folder: string): void {
  const open = openSync(folder, "r");
  try {
    fsyncSync(open);
  } finally {
    closeSync(open);
  }
}

function removeNow(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new StateError(path, `cannot be removed: ${(error as Error).message}`, { cause: error });
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw stateError(folder, error);
  }
}

/** The checksum on a line, then the object: damage to the disk shows. */
function formatObject(content: FileContent): Uint8Array {
  const text = JSON.stringify(content);
  return Buffer.from(`${createHash("sha256").update(text).digest("hex")}\n${text}\n`);
}

function readObject(path: string): FileContent {
  let file: string;
  try {
    file = readFileSync(path, "utf8");
  } catch (error) {
    throw stateError(path, error);
  }
  const [, sum, text] = /^([0-9a-f]{64})\n(.*)\n$/s.exec(file) ?? [];
  if (text === undefined || createHash("sha256").update(text).digest("hex") !== sum) {
    throw new StateError(path, "is damaged");
  }
  const content = JSON.parse(text) as FileContent;
  if (content.format !== FORMAT) throw new StateError(path, "was written by another version of virtwire");
  return content;
}
