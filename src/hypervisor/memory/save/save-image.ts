import { createHash, type Hash } from "node:crypto";
import { VirErrorNumber } from "../../../generated/libvirt/index.ts";
import { type DomainDefinition, parseDomainXml } from "../domain-xml.ts";
import { driverError, operationFailed } from "../driver-errors.ts";

/**
 * A guest in a file: what save, managed save and restore write and read.
 *
 *     8 bytes   magic
 *     uint32    version: 1
 *     uint32    flags: 1 = goes on running
 *     uint32    length of the XML
 *     uint64    length of the memory
 *               XML, in UTF-8
 *               memory in blocks of 1 MiB, the last shorter: a byte, 1 with the block's bytes after it, 0 where all
 *               of them are zero
 *     32 bytes  SHA-256 of all that comes before
 *
 * Numbers are big-endian. Nothing follows.
 */
const MAGIC = Buffer.from("virtwSAV");
const VERSION = 1;
const RUNNING = 1;
const HEADER = 28;
const HASH = 32;
/** In bytes: more than XML that can be defined has. */
const MAX_XML = 1 << 20;
/** Bytes of a block of memory. */
export const BLOCK = 1 << 20;
const ZEROS = new Uint8Array(BLOCK);

export interface ImageHeader {
  readonly definition: DomainDefinition;
  readonly running: boolean;
  /** Bytes. */
  readonly memorySize: number;
}

/** Blocks in order, each of 1 MiB but the last; undefined for one that is all zero. */
export type Blocks = Iterable<Uint8Array | undefined> | AsyncIterable<Uint8Array | undefined>;

export function* blocksOf(memory: Uint8Array): Iterable<Uint8Array | undefined> {
  for (let at = 0; at < memory.byteLength; at += BLOCK) {
    const block = memory.subarray(at, at + BLOCK);
    yield Buffer.compare(block, ZEROS.subarray(0, block.byteLength)) === 0 ? undefined : block;
  }
}

export async function* encodeImage({ definition, running, memorySize }: ImageHeader, blocks: Blocks) {
  const hash = createHash("sha256");
  const hashed = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes);
    return bytes;
  };
  const xml = Buffer.from(definition.xml);
  const header = Buffer.alloc(HEADER);
  MAGIC.copy(header);
  header.writeUInt32BE(VERSION, 8);
  header.writeUInt32BE(running ? RUNNING : 0, 12);
  header.writeUInt32BE(xml.byteLength, 16);
  header.writeBigUInt64BE(BigInt(memorySize), 20);
  yield hashed(header);
  yield hashed(xml);
  for await (const block of blocks) {
    yield hashed(Uint8Array.of(block === undefined ? 0 : 1));
    if (block !== undefined) yield hashed(block);
  }
  yield hash.digest();
}

/** Reads so many bytes, or fewer where the file ends. */
export type ReadBytes = (length: number) => Promise<Uint8Array>;

/** Reads an image from its begin to its end: the header first, then the memory. */
export class ImageReader {
  readonly header: ImageHeader;
  readonly #path: string;
  readonly #read: ReadBytes;
  readonly #hash: Hash;

  private constructor(header: ImageHeader, path: string, read: ReadBytes, head: readonly Uint8Array[]) {
    this.header = header;
    this.#path = path;
    this.#read = read;
    this.#hash = createHash("sha256");
    for (const bytes of head) this.#hash.update(bytes);
  }

  /**
   * @param path for errors.
   * @throws {VirtError} where it is no such image, in the words of testDomainSaveImageOpen, libvirt
   *   src/test/test_driver.c, where it has any.
   */
  static async open(path: string, read: ReadBytes): Promise<ImageReader> {
    const bytes = await read(HEADER);
    if (bytes.byteLength < HEADER) throw operationFailed(`incomplete save header in '${path}'`);
    const header = Buffer.from(bytes);
    if (!header.subarray(0, MAGIC.byteLength).equals(MAGIC)) throw internalError("mismatched header magic");
    const version = header.readUInt32BE(8);
    if (version !== VERSION) throw operationFailed(`image version is not supported (${version} > ${VERSION})`);
    const flags = header.readUInt32BE(12);
    const length = header.readUInt32BE(16);
    if (length < 1 || length > MAX_XML) throw internalError("length of metadata out of range");
    const memorySize = header.readBigUInt64BE(20);
    const xml = await read(length);
    if (xml.byteLength < length) throw operationFailed(`incomplete metadata in '${path}'`);
    const definition = parseDomainXml(Buffer.from(xml.buffer, xml.byteOffset, xml.byteLength).toString("utf8"));
    if (flags > RUNNING || memorySize > definition.memoryKib * 1024n) throw damaged(path);
    const parsed = { definition, running: flags === RUNNING, memorySize: Number(memorySize) };
    return new ImageReader(parsed, path, read, [header, xml]);
  }

  /** @throws {VirtError} after the last block, where the image is not whole: what came before was not to be trusted */
  async *blocks(): AsyncIterable<Uint8Array | undefined> {
    const { memorySize } = this.header;
    for (let at = 0; at < memorySize; at += BLOCK) {
      const [kind] = await this.#exactly(1);
      const length = Math.min(BLOCK, memorySize - at);
      if (kind !== 0 && kind !== 1) throw damaged(this.#path);
      yield kind === 0 ? undefined : await this.#exactly(length);
    }
    const sum = this.#hash.digest();
    const found = await this.#read(HASH + 1); // one more than there may be
    if (!sum.equals(found)) throw damaged(this.#path);
  }

  async #exactly(length: number): Promise<Uint8Array> {
    const bytes = await this.#read(length);
    if (bytes.byteLength < length) throw damaged(this.#path);
    this.#hash.update(bytes);
    return bytes;
  }
}

/** Reads all of the memory into `target`, as far as that goes. */
export async function loadBlocks(reader: ImageReader, target: Uint8Array, moved?: (bytes: number) => void) {
  let at = 0;
  for await (const block of reader.blocks()) {
    const length = Math.min(BLOCK, reader.header.memorySize - at);
    if (block !== undefined && at < target.byteLength) target.set(block.subarray(0, target.byteLength - at), at);
    at += length;
    moved?.(length);
  }
}

const internalError = (detail: string) => driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);
const damaged = (path: string) => operationFailed(`save image '${path}' is damaged`);
