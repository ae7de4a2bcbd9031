import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Served } from "./served.ts";

/** What a C client says before it falls silent: AUTH_LIST, PROGRAM_KEEPALIVE, CONNECT_OPEN of the test driver. */
function greeting(): Uint8Array {
  const name = "test:///default";
  const text = [
    name.length,
    ...Array.from({ length: 4 }, (_, i) => Buffer.from(name.padEnd(16, "\0")).readInt32BE(4 * i)),
  ];
  return Buffer.concat([call(66, 0), call(1, 1, [1, ...text, 0])]);
}

function call(procedure: number, serial: number, payload: readonly number[] = []): Buffer {
  const words = [28 + 4 * payload.length, 0x20008086, 1, procedure, 0, serial, 0, ...payload];
  const bytes = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) bytes.writeInt32BE(word | 0, 4 * i);
  return bytes;
}

/** Bytes of the two replies: neither has more than a header and, for the first, one type. */
const REPLIES = 28 + 8 + 28;

export interface IdleCost {
  readonly connections: number;
  /** Bytes for each, of the process and of its heap. */
  readonly rss: number;
  readonly heap: number;
}

/** Opens connections that log in and open the driver, and then do nothing. */
export async function idleCost(served: Served, count: number): Promise<IdleCost> {
  const hello = greeting();
  const sockets: Socket[] = [];
  const open = async () => {
    const socket = connect(served.socket);
    sockets.push(socket);
    await once(socket, "connect");
    socket.write(hello);
    for (let bytes = 0; bytes < REPLIES; ) bytes += ((await once(socket, "data")) as [Buffer])[0].length;
  };
  try {
    for (let i = 0; i < 200; i++) await open(); // what is made once
    const before = await served.memory();
    for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: 50 }, open));
    const after = await served.memory();
    const connections = after.clients - before.clients;
    if (connections < count) throw new Error(`${connections} connections instead of ${count}`);
    return {
      connections,
      rss: (after.rss - before.rss) / connections,
      heap: (after.heap - before.heap) / connections,
    };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}
