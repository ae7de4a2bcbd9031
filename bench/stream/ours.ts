/**
 * Our client, asked for times: the same questions and answers as c/client.c, and some more.
 * `node ours.js URI POOL VOLUME [FOLDER]`; FOLDER has certificates. Without a pool it is a server of served.ts.
 *
 * A process of its own, as the others are, so that it can be profiled alone: `node --cpu-prof`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type CallStream, connect, StorageVol } from "virtwire";
import { domainGetInfo } from "virtwire/protocol/remote";
import { quantile } from "../harness/statistics.ts";
import { vitalSigns, watchGarbage } from "./vital-signs.ts";

const CHUNK = 256 * 1024;
const chunk = new Uint8Array(CHUNK);

const [, , uri = "", pool = "", volume = "", folder] = process.argv;
const pem = (name: string) => readFileSync(join(folder as string, `${name}.pem`));
const tls = folder === undefined ? {} : { tls: { ca: pem("ca"), cert: pem("cert"), key: pem("key") } };
await using conn = await connect(uri, tls);
const vol =
  pool === ""
    ? new StorageVol(conn, { pool: "p", name: "v", key: "k" })
    : await (await conn.lookupStoragePoolByName(pool)).lookupStorageVolByName(volume);
const dom = { name: "bench", uuid: new Uint8Array(16), id: 1 };

async function up(bytes: number, stream: CallStream, next: () => Uint8Array = () => chunk): Promise<void> {
  for (let left = bytes; left > 0; left -= CHUNK) {
    const part = next();
    await stream.write(left < CHUNK ? part.subarray(0, left) : part);
  }
  await stream.finish();
}

async function down(bytes: number, stream: CallStream, use: (bytes: Uint8Array) => void = () => {}): Promise<void> {
  let left = bytes;
  for await (const lease of stream) {
    left -= lease.bytes.length;
    use(lease.bytes);
    lease.release();
  }
  await stream.finish();
  if (left !== 0) throw new Error(`${left} bytes are missing`);
}

async function timed(work: () => Promise<void>): Promise<number[]> {
  const begin = process.hrtime.bigint();
  await work();
  return [Number(process.hrtime.bigint() - begin)];
}

/** Nanoseconds of a call, the median and the slowest in a hundred, asked until `isOver`. */
async function latency(isOver: () => boolean): Promise<number[]> {
  const took: number[] = [];
  while (!isOver()) {
    const begin = performance.now();
    await conn.call(domainGetInfo, { dom });
    took.push((performance.now() - begin) * 1e6);
  }
  return [quantile(took, 0.5), quantile(took, 0.99), took.length];
}

/** What the other variants do with each chunk: memory of its own. */
let kept: Uint8Array | undefined;
const verbs: Record<string, (bytes: number, ms: number) => Promise<readonly number[]>> = {
  up: (bytes) => timed(async () => up(bytes, await vol.upload(0, bytes))),
  down: (bytes) => timed(async () => down(bytes, await vol.download(0, bytes))),
  "up-alloc": (bytes) => timed(async () => up(bytes, await vol.upload(0, bytes), () => Buffer.allocUnsafe(CHUNK))),
  "down-alloc": (bytes) =>
    timed(async () =>
      down(bytes, await vol.download(0, bytes), (data) => {
        kept = Buffer.allocUnsafe(data.length);
        kept.set(data);
      }),
    ),
  idle(_, ms) {
    const end = performance.now() + ms;
    return latency(() => performance.now() >= end);
  },
  async busy(bytes) {
    let isOver = false;
    const uploading = verbs.up?.(bytes, 0).finally(() => {
      isOver = true;
    });
    const found = await latency(() => isOver);
    await uploading;
    return found;
  },
  signs: vitalSigns,
};

watchGarbage();
for await (const line of createInterface({ input: process.stdin })) {
  const [verb = "", bytes, ms] = line.split(" ");
  console.log((await verbs[verb]?.(Number(bytes), Number(ms)))?.join(" "));
}
