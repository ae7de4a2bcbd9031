/**
 * `node --expose-gc heap.js`: what lives on the heap while somebody iterates over the domain stats of a whole message of
 * 32 MiB, and what does when they are decoded at once, as JSON. The message's bytes lie beside the heap both times.
 */
import {
  connectGetAllDomainStats,
  connectGetAllDomainStatsRecords,
  encodeConnectGetAllDomainStatsRet,
  VIR_TYPED_PARAM_ULLONG,
} from "virtwire/protocol/remote";
import { XdrReader, XdrWriter } from "virtwire/xdr";

const MESSAGE = 32 * 2 ** 20;
const EVERY = 1000;

function live(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function longReply(): Uint8Array {
  const dom = { name: "guest-00001", uuid: new Uint8Array(16), id: 1 };
  const params = Array.from({ length: 80 }, (_, i) => ({
    field: `vcpu.${i}.time`,
    value: { type: VIR_TYPED_PARAM_ULLONG, value: 2n ** 40n } as const,
  }));
  const w = new XdrWriter();
  encodeConnectGetAllDomainStatsRet(w, { retStats: [{ dom, params }] });
  const record = w.finish().subarray(4);
  const count = Math.floor(MESSAGE / record.length);
  const reply = new Uint8Array(4 + count * record.length);
  new DataView(reply.buffer).setUint32(0, count);
  for (let i = 0; i < count; i++) reply.set(record, 4 + i * record.length);
  return reply;
}

const reply = longReply();
const before = live();

let lazy = 0;
let seen = 0;
for (const _ of connectGetAllDomainStatsRecords.ret.decode(new XdrReader(reply)).retStats) {
  if (++seen % EVERY === 0) lazy = Math.max(lazy, live() - before);
}
const { retStats } = connectGetAllDomainStats.ret.decode(new XdrReader(reply));
const eager = live() - before;
if (retStats.length !== seen) throw new Error(`${seen} records of ${retStats.length}`);
console.log(JSON.stringify({ lazy: Math.max(lazy, 1), eager }));
