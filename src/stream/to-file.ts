import type { FileHandle } from "node:fs/promises";
import type { Lease } from "../buffer/index.ts";
import { VirErrorDomain } from "../generated/libvirt/index.ts";
import { systemError } from "../rpc/index.ts";
import { finishing, type Receiving } from "./ending.ts";
import { withFile } from "./file-error.ts";
import { Meter, type Progress, type Transferred } from "./progress.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Bytes that one write waits for while another one runs. */
const BATCH = 1 << 20;
/** Writes at once. With BATCH, a bound on what is held of the stream's memory. */
const AT_ONCE = 2;
const ZEROS = 65_536;
const EFBIG = 27;

export interface PipeToFileOptions {
  /** Where in the file to begin, in bytes. Default 0. */
  readonly offset?: number;
  /** How many bytes are expected, for progress alone. */
  readonly total?: number;
  /** Hears how far it is, ten times a second and at the end. */
  readonly progress?: (progress: Progress) => void;
  readonly rate?: RateLimit;
  /** Gives up: the stream is aborted, the promise rejects with an AbortError. */
  readonly signal?: AbortSignal;
}

/**
 * Writes what comes to a file and finishes the stream; holes stay holes. A path is created, or emptied where it exists
 * and no offset is given. Of a file that is handed in, what the stream does not reach stays as it is, and it stays open.
 *
 * When anything fails, the stream is aborted, and what is written stays: whoever wants no half of a file removes it.
 * Rejects with: VirtError VIR_ERR_SYSTEM_ERROR where the file cannot be written; AbortError; whatever the stream fails
 * with.
 */
export async function pipeToFile(
  stream: Receiving,
  file: string | FileHandle,
  options: PipeToFileOptions = {},
): Promise<Transferred> {
  return finishing(stream, options.signal, async () => {
    const { constants, open } = await import("node:fs/promises");
    if (typeof file !== "string") return new FileWriter(file, "cannot write the file", options).receive(stream);
    const empty = options.offset === undefined ? constants.O_TRUNC : 0;
    const flags = constants.O_WRONLY | constants.O_CREAT | empty;
    const handle = await withFile(`cannot create ${file}`, () => open(file, flags, 0o666));
    let result: Transferred;
    try {
      result = await new FileWriter(handle, `cannot write ${file}`, options).receive(stream);
    } catch (error) {
      await handle.close();
      throw error;
    }
    await withFile(`cannot close ${file}`, () => handle.close()); // some file systems tell here that the disk is full
    return result;
  });
}

/** Writes at positions, some at once, and gives the leases back. */
class FileWriter {
  readonly #file: FileHandle;
  readonly #failure: string;
  readonly #options: PipeToFileOptions;
  readonly #meter: Meter;
  readonly #running = new Set<Promise<void>>();
  #waiting: Lease[] = [];
  #waitingBytes = 0;
  /** Where the first byte that waits goes. */
  #at: number;
  #error: { readonly error: unknown } | undefined;

  constructor(file: FileHandle, failure: string, options: PipeToFileOptions) {
    this.#file = file;
    this.#failure = failure;
    this.#options = options;
    this.#at = options.offset ?? 0;
    this.#meter = new Meter(options.progress);
    this.#meter.total = options.total;
  }

  async receive(stream: Receiving): Promise<Transferred> {
    const { rate, signal } = this.#options;
    const info = await withFile(this.#failure, () => this.#file.stat());
    // Only a regular file has an end to truncate to, and reads as zeros what was never written.
    const size = info.isFile() ? info.size : Number.POSITIVE_INFINITY;
    const positioned = info.isFile() || info.isBlockDevice();
    try {
      for await (const part of stream.parts()) {
        if ("hole" in part) {
          await this.#skip(part.hole, size, positioned);
        } else {
          const { length } = part.bytes;
          this.#waiting.push(part);
          this.#waitingBytes += length;
          if (this.#waitingBytes >= BATCH || this.#running.size === 0) await this.#write(positioned);
          this.#meter.data(length);
          await rate?.take(length, signal);
        }
      }
      await this.#write(positioned);
      await this.#settle();
      if (info.isFile() && this.#at > size) {
        // A hole at the end. What was written is there already.
        const { size: now } = await this.#file.stat();
        if (this.#at > now) await withFile(this.#failure, () => this.#file.truncate(this.#at));
      }
    } finally {
      for (const lease of this.#waiting) lease.release();
      await Promise.all(this.#running);
    }
    return this.#meter.end();
  }

  /** Goes over a hole: zeros where the file had something, nothing behind its end. */
  async #skip(hole: bigint, size: number, positioned: boolean): Promise<void> {
    await this.#write(positioned);
    if (hole > BigInt(Number.MAX_SAFE_INTEGER - this.#at)) {
      throw systemError(VirErrorDomain.VIR_FROM_STREAMS, EFBIG, "File too large", this.#failure);
    }
    const end = this.#at + Number(hole);
    const zeros = new Uint8Array(this.#at < size ? ZEROS : 0);
    while (this.#at < Math.min(end, size)) {
      this.#options.signal?.throwIfAborted();
      const part = zeros.subarray(0, Math.min(end, size) - this.#at);
      await withFile(this.#failure, () => this.#writeAll([part], positioned ? this.#at : null));
      this.#at += part.length;
    }
    this.#at = end;
    this.#meter.hole(Number(hole));
  }

  /** Starts a write of all that waits. Resolves when another one may begin. */
  async #write(positioned: boolean): Promise<void> {
    const leases = this.#waiting;
    if (leases.length > 0) {
      const at = this.#at;
      this.#waiting = [];
      this.#at += this.#waitingBytes;
      this.#waitingBytes = 0;
      const bytes = leases.map((lease) => lease.bytes);
      const run: Promise<void> = this.#writeAll(bytes, positioned ? at : null)
        .catch((error: unknown) => {
          this.#error ??= { error };
        })
        .finally(() => {
          for (const lease of leases) lease.release();
          this.#running.delete(run);
        });
      this.#running.add(run);
    }
    if (!positioned) await this.#settle();
    else if (this.#running.size >= AT_ONCE) await Promise.race(this.#running);
    this.#check();
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#running);
    this.#check();
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error.error;
  }

  /** pwritev until everything is written. */
  async #writeAll(parts: readonly Uint8Array[], position: number | null): Promise<void> {
    let left = parts;
    let at = position;
    while (left.length > 0) {
      const { bytesWritten } = await withFile(this.#failure, () => this.#file.writev(left, at ?? undefined));
      if (at !== null) at += bytesWritten;
      left = behind(left, bytesWritten);
    }
  }
}

/** What is left of the parts after so many bytes. */
function behind(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  let first = 0;
  while (first < parts.length && skip >= (parts[first] as Uint8Array).length)
    skip -= (parts[first++] as Uint8Array).length;
  const [part, ...rest] = parts.slice(first);
  return part === undefined ? [] : [part.subarray(skip), ...rest];
}
