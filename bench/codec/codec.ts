/** Encoding and decoding of real messages: our generated code, C, and every peer. */
import { deepStrictEqual } from "node:assert/strict";
import { type BenchResult, machine, rounded } from "../harness/result.ts";
import { type Case, type Clock, Suite, type Timing } from "../harness/rounds.ts";
import { median, quantile } from "../harness/statistics.ts";
import { table, times } from "../harness/table.ts";
import { OWNED } from "../report/ratios.ts";
import { buildC, type CProgram } from "./c/c.ts";
import { type Message, makeMessages } from "./messages.ts";
import { jsXdr } from "./peers/js-xdr.ts";
import { json } from "./peers/json.ts";
import { jsonPack } from "./peers/json-pack.ts";
import { msgpack } from "./peers/msgpack.ts";
import { ours } from "./peers/ours.ts";
import type { Peer } from "./peers/peer.ts";
import { protobuf } from "./peers/protobuf.ts";

export interface CodecOptions {
  readonly root: string;
  readonly full: boolean;
  readonly clock: Clock;
  readonly rounds: number | undefined;
  /** Names of messages, or all. */
  readonly only: readonly string[] | undefined;
  /** Names of peers, or all. */
  readonly peers: readonly string[] | undefined;
}

type Direction = "encode" | "decode";

/** What one message's codec is measured as: `stats.decode`. */
interface Measured {
  readonly key: string;
  readonly message: Message;
  readonly direction: Direction;
  readonly bytes: number;
  readonly suite: Suite;
  readonly timings: Timing[];
}

/** What issue 3 asks for, as least ratios. */
const limits: readonly (readonly [key: string, least: number])[] = [
  ["stats.decode/c", 1],
  ["stats.encode/c", 0.7],
  ...["stats.decode", "stats.encode"].flatMap(
    (key) =>
      [
        [`${key}/js-xdr`, 4],
        [`${key}/json-pack`, 2.5],
      ] as const satisfies [string, number][],
  ),
];
const LEAST_OVER_JS = 1;
const LEAST_OVER_C = 0.5;

export async function codec(options: CodecOptions): Promise<BenchResult> {
  const messages = makeMessages().filter(({ name }) => options.only?.includes(name) ?? true);
  const all: Peer[] = [ours, jsXdr, jsonPack, msgpack, protobuf(messages), json];
  const wanted = (name: string) => options.peers?.includes(name) ?? true;
  const peers = all.filter((peer) => peer === ours || wanted(peer.name));
  const notes: Record<string, string> = Object.fromEntries(peers.map(({ name, note }) => [name, note]));

  const encoded = new Map(messages.map((m) => [m.name, ours.prepare(m, new Uint8Array(0)).encode().slice()]));
  using c = wanted("c") ? tryC(options.root, messages, encoded, notes) : undefined;
  const measured = messages.flatMap((m) => check(m, encoded.get(m.name) as Uint8Array, peers, c));
  console.log(`${messages.length} messages agree in ${peers.length + (c ? 1 : 0)} codecs\n`);

  const rounds = options.rounds ?? (options.full ? 21 : 6);
  const ms = options.full ? 100 : 30;
  for (const { suite } of measured) suite.warmUp(options.full ? 500 : 120);
  for (let round = 0; round < rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${rounds} `);
    for (const { message, direction, suite, timings } of measured) {
      // C comes first in one round and last in the next, close to ours either way.
      const first = round % 2 === 0 ? c?.time(message, direction, ms)[options.clock] : undefined;
      const timing = await suite.round(options.clock, ms);
      const ofC = first ?? c?.time(message, direction, ms)[options.clock];
      timings.push(ofC === undefined ? timing : { ...timing, c: ofC });
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r");

  const names = [...(c ? ["c"] : []), ...peers.filter((peer) => peer !== ours).map(({ name }) => name)];
  const result = evaluate(measured, names, notes, rounds);
  print(measured, names, result);
  return result;
}

/** Builds the C program, or says once why there is none. */
function tryC(
  root: string,
  messages: readonly Message[],
  encoded: ReadonlyMap<string, Uint8Array>,
  notes: Record<string, string>,
): CProgram | undefined {
  try {
    const c = buildC(root, messages, encoded);
    notes.c = c.note;
    return c;
  } catch (error) {
    notes.c = "not measured";
    console.log(`C is not measured (on Debian: apt-get install gcc rpcsvc-proto libtirpc-dev): ${error}`);
    return undefined;
  }
}

/** Every codec gives the bytes that ours gives, where they are XDR, and everyone's decoded value is the message. */
function check(message: Message, bytes: Uint8Array, peers: readonly Peer[], c: CProgram | undefined): Measured[] {
  const { name, value } = message;
  const same = (peer: string, other: Uint8Array) => {
    if (Buffer.compare(bytes, other) !== 0) throw new Error(`${name}: ${peer} encodes it to other bytes than we do`);
  };
  if (c !== undefined) same("C", c.check(message));
  const decoders: Case[] = [];
  const encoders: Case[] = [];
  for (const peer of peers) {
    const codec = peer.prepare(message, bytes);
    const read = (name: string, decode: () => unknown) => {
      deepStrictEqual(codec.plain(decode()), value, `${message.name}: ${name} decodes it to another value`);
      decoders.push({ name, run: decode });
    };
    if (peer.xdr) same(peer.name, codec.encode());
    encoders.push({ name: peer.name, run: codec.encode });
    read(peer.name, codec.decode);
    if (codec.decodeOwned !== undefined) read(peer.name + OWNED, codec.decodeOwned);
  }
  return (["decode", "encode"] as const).map((direction) => ({
    key: `${name}.${direction}`,
    message,
    direction,
    bytes: bytes.byteLength,
    suite: new Suite(`${name}.${direction}`, direction === "decode" ? decoders : encoders),
    timings: [],
  }));
}

function evaluate(
  measured: readonly Measured[],
  names: readonly string[],
  notes: Record<string, string>,
  rounds: number,
): BenchResult {
  const ratios: Record<string, number> = {};
  const spread: Record<string, readonly [number, number]> = {};
  const figures: Record<string, number> = { rounds };
  for (const { key, bytes, timings } of measured) {
    figures[`${key}.bytes`] = bytes;
    for (const name of ["ours", ...names, ...names.map((name) => name + OWNED)]) {
      if (timings[0]?.[name] === undefined) continue;
      const ns = timings.map((timing) => timing[name] as number);
      // Of XDR bytes, for those with other bytes too: the same value in the same time.
      figures[`${key}.${name}.MB/s`] = rounded((bytes / median(ns)) * 1000);
      figures[`${key}.${name}.ns`] = rounded(median(ns));
      if (name === "ours") continue;
      const ratio = timings.map((timing) => (timing[name] as number) / (timing.ours as number));
      ratios[`${key}/${name}`] = rounded(median(ratio));
      spread[`${key}/${name}`] = [rounded(quantile(ratio, 0.25)), rounded(quantile(ratio, 0.75))];
    }
  }
  return { bench: "codec", machine: machine(), ratios, figures, spread, notes };
}

function print(measured: readonly Measured[], names: readonly string[], { ratios, figures, spread }: BenchResult) {
  const shown = (key: string) => {
    const [low, high] = spread?.[key] ?? [Number.NaN, Number.NaN];
    const ratio = ratios[key] as number;
    const owned = ratios[key + OWNED];
    const apart = Math.round((50 * (high - low)) / ratio);
    return `${owned === undefined ? "" : `[${times(owned)}] `}${times(ratio)} ±${String(apart).padStart(2)}%`;
  };
  const rows = measured.map(({ key, bytes }) => [
    key,
    String(bytes),
    String(figures[`${key}.ours.MB/s`]),
    ...names.map((name) => shown(`${key}/${name}`)),
  ]);
  console.log(table(["message", "bytes", "ours MB/s", ...names.map((name) => `ours/${name}`)], rows));
  console.log(`
More than 1: ours is faster. ±: half of the middle half of the rounds.
[ ]: the peer's strings made strings and its value made to own its memory, as ours and C's are.
`);

  const checks = [...limits];
  for (const { key } of measured) {
    if (ratios[`${key}/c`] !== undefined) checks.push([`${key}/c`, LEAST_OVER_C]);
    for (const name of names) {
      // Whoever leaves out a part of the work is compared where it does all of it.
      const owned = `${key}/${name}${OWNED}`;
      if (name !== "c") checks.push([ratios[owned] === undefined ? `${key}/${name}` : owned, LEAST_OVER_JS]);
    }
  }
  const known = checks.filter(([key]) => ratios[key] !== undefined);
  const missed = known.filter(([key, least]) => (ratios[key] as number) < least);
  console.log(`${known.length - missed.length} of ${known.length} limits of the issue hold`);
  for (const [key, least] of missed) console.log(`  missed: ${key} is ${times(ratios[key])}, wanted ${least}`);
}
