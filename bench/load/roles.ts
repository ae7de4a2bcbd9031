import { createHash, randomBytes } from "node:crypto";
import { connect as connectSocket } from "node:net";
import { type Connection, connect, type Stream } from "virtwire";

export interface LoadContext {
  readonly uri: string;
  readonly socket: string;
  /** Aborted when the time is over. */
  readonly signal: AbortSignal;
  count(what: string, by?: number): void;
}

/** What one client does until the time is over. Throws where the daemon does not do its part. */
export type Role = (context: LoadContext, player: number) => Promise<void>;

/** So many clients of each kind at once. */
export const roles: Readonly<Record<string, { readonly players: number; readonly role: Role }>> = {
  caller: { players: 4, role: caller },
  life: { players: 2, role: life },
  streamer: { players: 2, role: streamer },
  quitter: { players: 1, role: quitter },
  visitor: { players: 2, role: visitor },
  brute: { players: 2, role: brute },
};

/** Runs `round` on a connection again and again, with a short rest so that nobody starves. */
async function again(context: LoadContext, round: (conn: Connection, turn: number) => Promise<void>): Promise<void> {
  await using conn = await connect(context.uri);
  for (let turn = 0; !context.signal.aborted; turn++) {
    await round(conn, turn);
    await rest();
  }
}

const rest = (ms = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks at everything. */
function caller(context: LoadContext): Promise<void> {
  return again(context, async (conn) => {
    const domains = await conn.listAllDomains();
    await Promise.all(domains.map((domain) => domain.getState().catch(gone)));
    await Promise.all([
      conn.getLibVersion(),
      conn.getCapabilities(),
      conn.getAllDomainStats().catch(gone),
      conn.listAllNetworks(),
      conn.listAllStoragePools(),
    ]);
    await conn.lookupDomainByName("nosuch").then(
      () => Promise.reject(new Error("a guest that is not there was found")),
      () => {},
    );
    context.count("calls", domains.length + 6);
  });
}

/** Others remove what a list has just shown. */
function gone(error: unknown): void {
  if ((error as { code?: number }).code !== 42) throw error;
}

/** A guest's life, whose events have to come. */
async function life(context: LoadContext, player: number): Promise<void> {
  const name = `load-${player}`;
  const xml = `<domain type="test"><name>${name}</name><memory>4096</memory><os><type>hvm</type></os></domain>`;
  await again(context, async (conn) => {
    const domain = await conn.defineXML(xml);
    const events = await conn.domainEvents("lifecycle", { domain });
    await domain.create();
    await domain.suspend();
    await domain.resume();
    await domain.destroy();
    const heard: number[] = [];
    for await (const event of events) {
      if (event.kind === "gap") throw new Error("events were lost");
      heard.push(event.event);
      if (event.event === 5) break;
    }
    if (heard.join() !== "2,3,4,5") throw new Error(`events ${heard.join()} of a life`);
    await domain.undefine();
    context.count("lives");
    context.count("events", heard.length);
  });
}

/** Uploads and downloads, with a look at every byte. */
async function streamer(context: LoadContext, player: number): Promise<void> {
  const name = `load-${player}`;
  await again(context, async (conn, turn) => {
    const pool = await conn.createStoragePoolXML(
      `<pool type="dir"><name>${name}</name><target><path>/${name}</path></target></pool>`,
    );
    const size = 1 << (12 + (turn % 11));
    const data = randomBytes(size);
    const volume = await pool.createStorageVolXML(
      `<volume><name>v</name><capacity>${size}</capacity><allocation>0</allocation></volume>`,
    );
    const up = await volume.upload(0, size);
    await up.write(data);
    await up.finish();
    const down = await volume.download(0, 0);
    const hash = createHash("sha256");
    for await (const part of down) {
      hash.update(part.bytes);
      part.release();
    }
    await down.finish();
    if (hash.digest("hex") !== createHash("sha256").update(data).digest("hex"))
      throw new Error("other bytes came back");
    await volume.delete();
    await pool.destroy();
    context.count("bytes streamed", 2 * size);
  });
}

/** Opens streams and gives them up, in every way there is. */
function quitter(context: LoadContext, player: number): Promise<void> {
  const name = `quit-${player}`;
  return again(context, async (conn, turn) => {
    const pool = await conn.createStoragePoolXML(
      `<pool type="dir"><name>${name}</name><target><path>/${name}</path></target></pool>`,
    );
    const volume = await pool.createStorageVolXML(
      "<volume><name>v</name><capacity>1048576</capacity><allocation>0</allocation></volume>",
    );
    const stream: Stream = turn % 2 === 0 ? await volume.upload(0, 0) : await volume.download(0, 0);
    if (turn % 2 === 0) await stream.write(randomBytes(100_000));
    if (turn % 3 === 0) await stream.abort();
    else if (turn % 3 === 1) await stream.finish();
    else await stream[Symbol.asyncDispose]();
    await volume.delete();
    await pool.destroy();
    context.count("streams given up");
  });
}

/** Comes, looks and goes, now and then without a word. */
async function visitor(context: LoadContext): Promise<void> {
  for (let turn = 0; !context.signal.aborted; turn++) {
    const conn = await connect(context.uri);
    const list = conn.listAllDomains();
    if (turn % 3 === 0) {
      list.catch(() => {});
      await conn.close();
    } else {
      await list;
      await conn.close();
    }
    context.count("connections");
    await rest(10);
  }
}

/** What means harm or is broken: the daemon may hang up, and nothing else. */
const harm: readonly (() => readonly Uint8Array[])[] = [
  () => [randomBytes(200)],
  () => [Buffer.from("ffffffff", "hex")],
  () => [Buffer.from("00000000", "hex")],
  () => [frame([0x20008086, 1, 60, 0, 1, 0]).subarray(0, 20)],
  () => [frame([0x20008086, 1, 1, 0, 1, 0])],
  () => [frame([0x20008086, 1, 9999, 0, 1, 0])],
  () => [frame([0x11111111, 7, 1, 0, 1, 0])],
  () => [frame([0x20008086, 1, 208, 3, 77, 2], randomBytes(1000))],
  () => [frame([0x20008086, 1, 23, 1, 5, 0], randomBytes(40))],
  () => Array.from({ length: 500 }, () => frame([0x6b656570, 1, 1, 2, 0, 0])),
];

function frame(words: readonly number[], body: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(28 + body.length);
  [28 + body.length, ...words].forEach((word, i) => void bytes.writeUInt32BE(word, 4 * i));
  bytes.set(body, 28);
  return bytes;
}

async function brute(context: LoadContext, player: number): Promise<void> {
  for (let turn = player; !context.signal.aborted; turn++) {
    await new Promise<void>((resolve) => {
      const socket = connectSocket(context.socket, () => {
        for (const part of harm[turn % harm.length]?.() ?? []) socket.write(part);
        setTimeout(() => socket.destroy(), 20);
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    });
    context.count("attacks");
    await rest(10);
  }
}
