import type { FileHandle } from "node:fs/promises";
import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { virtError } from "../rpc/index.ts";
import { dataRanges } from "./data-ranges.ts";
import { finishing, type Sending } from "./ending.ts";
import { withFile } from "./file-error.ts";
import { Meter, type Progress, type Transferred } from "./progress.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Bytes of one read. There are two buffers of it: one is filled while the other one is sent. */
const BLOCK = 1 << 20;
/** The smallest hole that is looked for where the file system does not tell holes. */
const GRAIN = 65_536;
const zeros = new Uint8Array(GRAIN);

export interface PipeFromFileOptions {
  /** Where in the file to begin, in bytes. Default 0. Not for pipes. */
  readonly offset?: number;
  /** The most bytes to send. Default: to the end of the file. */
  readonly length?: number;
  /** Holes are sent as holes: for streams that were opened with a sparse flag. Default false: as zeros. */
  readonly sparse?: boolean;
  /** Hears how far it is, ten times a second and at the end. */
  readonly progress?: (progress: Progress) => void;
  readonly rate?: RateLimit;
  /** Gives up: the stream is aborted, the promise rejects with an AbortError. */
  readonly signal?: AbortSignal;
}

/**
 * Sends a file and finishes the stream; a server's stream ends. Resolves when the other side has confirmed. A file that is
 * handed in stays open; by a path it is opened and closed. When anything fails, the stream is aborted, not finished.
 *
 * Rejects with: VirtError VIR_ERR_SYSTEM_ERROR where the file cannot be read, VIR_ERR_OPERATION_FAILED where it became
 * shorter on the way; AbortError; whatever the stream fails with.
 */
export async function pipeFromFile(
  stream: Sending,
  file: string | FileHandle,
  options: PipeFromFileOptions = {},
): Promise<Transferred> {
  return finishing(stream, options.signal, async () => {
    const { open } = await import("node:fs/promises");
    if (typeof file !== "string") return send(stream, file, "cannot read the file", options);
    const handle = await withFile(`cannot open ${file}`, () => open(file, "r"));
    try {
      return await send(stream, handle, `cannot read ${file}`, options);
    } finally {
      await handle.close();
    }
  });
}

async function send(
  stream: Sending,
  file: FileHandle,
  failure: string,
  { offset = 0, length = Number.POSITIVE_INFINITY, sparse = false, progress, rate, signal }: PipeFromFileOptions,
): Promise<Transferred> {
  const meter = new Meter(progress);
  const info = await withFile(failure, () => file.stat());
  const end = info.isFile() ? Math.min(offset + length, Math.max(offset, info.size)) : offset + length;
  if (end !== Number.POSITIVE_INFINITY) meter.total = end - offset;
  const parts = sparse
    ? sparseParts(file, offset, end, info.isFile(), signal)
    : dataParts(file, offset, end, info.isFile() || info.isBlockDevice(), info.isFile());
  // One part is being read while the one before it is sent.
  let ahead = withFile(failure, () => parts.next());
  try {
    for (let { value: part } = await ahead; part !== undefined; { value: part } = await ahead) {
      ahead = withFile(failure, () => parts.next());
      if (typeof part === "number") {
        await stream.writeHole(BigInt(part));
        meter.hole(part);
      } else {
        await rate?.take(part.length, signal);
        await stream.write(part);
        meter.data(part.length);
      }
    }
  } finally {
    await ahead.catch(() => {});
    await parts.return(undefined);
  }
  return meter.end();
}

/** Data, or the length of a hole. Data is valid until the next but one is asked for. */
type Part = Uint8Array | number;

/** @param whole whether a file that ends early is a failure */
async function* dataParts(
  file: FileHandle,
  start: number,
  end: number,
  positioned: boolean,
  whole: boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffers = [new Uint8Array(BLOCK), new Uint8Array(BLOCK)] as const;
  let turn = 0;
  for (let at = start; at < end; ) {
    const buffer = buffers[turn] as Uint8Array;
    turn ^= 1;
    const { bytesRead } = await file.read(buffer, 0, Math.min(BLOCK, end - at), positioned ? at : null);
    if (bytesRead === 0) {
      if (!whole) return;
      const detail = `the file became ${end - at} bytes shorter while it was sent`;
      throw virtError(VirErrorNumber.VIR_ERR_OPERATION_FAILED, VirErrorDomain.VIR_FROM_STREAMS, detail);
    }
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function* sparseParts(
  file: FileHandle,
  start: number,
  end: number,
  isFile: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Part, void, undefined> {
  const ranges = isFile ? dataRanges(file, start, end, { signal }) : [{ start, end, sure: false }];
  let at = start;
  let hole = 0;
  for await (const range of ranges) {
    hole += range.start - at;
    for await (const data of dataParts(file, range.start, range.end, true, isFile)) {
      for (const part of range.sure ? [data] : zerosApart(data)) {
        if (typeof part === "number") {
          hole += part;
        } else {
          if (hole > 0) yield hole;
          hole = 0;
          yield part;
        }
      }
    }
    at = range.end;
  }
  if (isFile) hole += end - at;
  if (hole > 0) yield hole;
}

/** Data without its long runs of zeros, which become holes. */
export function* zerosApart(data: Uint8Array): Generator<Part, void, undefined> {
  let start = 0;
  let wasZero = false;
  for (let at = 0; at < data.length; at += GRAIN) {
    const grain = data.subarray(at, at + GRAIN);
    const isZero = Buffer.compare(grain, zeros.subarray(0, grain.length)) === 0;
    if (isZero !== wasZero && at > start) {
      yield wasZero ? at - start : data.subarray(start, at);
      start = at;
    }
    wasZero = isZero;
  }
  if (start < data.length) yield wasZero ? data.length - start : data.subarray(start);
}
