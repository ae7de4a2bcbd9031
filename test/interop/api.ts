/** The API's methods next to libvirt's Python binding: how a call is described, made on both sides and compared. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createInterface, type Interface as Lines } from "node:readline";
import { fileURLToPath } from "node:url";
import * as api from "../../src/api/index.ts";
import { python } from "./python.ts";

export type Driver = "test" | "qemu";

type Method<T, Name extends keyof T> = T[Name] extends (...args: infer Args) => unknown ? Args : never;

/** One method, called by us and by Python. */
export interface Call<T, Args extends readonly unknown[]> {
  /** Other driver than the group's. */
  readonly driver?: Driver;
  /** Other receiver than the group's, on both sides. */
  readonly on?: On<T>;
  readonly args?: Args;
  /** Instead of `args`, where an argument is an object. */
  readonly call?: (object: T, conn: api.Connection) => unknown;
  /** Python, with the receiver in `o`. Without it there is no binding for the function. */
  readonly python?: string;
  /** Reads what ours resolved with as Python has it. */
  readonly as?: (value: never) => unknown;
  /** Python before either call, and after either. */
  readonly before?: string;
  readonly undo?: string;
  /** Python that reads what the call changed: the same after ours and after theirs, and another than before. */
  readonly effect?: string;
  /** The result rises or falls by itself: ours has to be between two of Python's. */
  readonly moving?: boolean;
  /** Both must reject with the same error: why. */
  readonly refused?: string;
  /** Ours rejects with this code without a counterpart: why, and the code. */
  readonly alone?: { readonly why: string; readonly code: number };
}

/** Where to find the receiver: ours, and Python's expression. */
export interface On<T> {
  readonly ours: (conn: api.Connection) => Promise<T> | T;
  readonly python: string;
}

/** Methods of one class. A text is the Python of a call without arguments. */
export type Calls<T> = {
  readonly [Name in keyof T & string as T[Name] extends (...args: never) => unknown ? Name : never]?:
    | string
    | Call<T, Partial<Method<T, Name>>>;
};

export interface Group<T> {
  /** The class. */
  readonly object: string;
  readonly driver: Driver;
  readonly on: On<T>;
  readonly calls: Calls<T>;
}

/** One entry of a table, its receiver's type forgotten. */
export interface Entry {
  readonly object: string;
  readonly method: string;
  readonly driver: Driver;
  readonly receiver: string;
  readonly ours: (conn: api.Connection) => Promise<unknown>;
  readonly call: Call<never, readonly unknown[]>;
}

export function group<T extends object>({ object, driver, on, calls }: Group<T>): Entry[] {
  const all = Object.entries(calls) as [string, string | Call<T, readonly unknown[]>][];
  return all.map(([method, given]) => {
    const call = typeof given === "string" ? { python: given } : given;
    const at = call.on ?? on;
    return {
      object,
      method,
      driver: call.driver ?? driver,
      receiver: at.python,
      ours: async (conn) => {
        const receiver = await at.ours(conn);
        if (call.call !== undefined) return await call.call(receiver, conn);
        const run = (receiver as Record<string, (...args: readonly unknown[]) => unknown>)[method]!;
        return await run.apply(receiver, [...(call.args ?? [])]);
      },
      call: call as unknown as Entry["call"],
    };
  });
}

/** What was found out about a method. */
export interface Verdict {
  readonly entry: Entry;
  readonly verdict: "same value" | "same effect" | "both succeed" | "same error" | "own error" | "different";
  /** What differs, or the error. */
  readonly detail: string;
}

interface Failure {
  readonly code: number;
  readonly domain: number;
  readonly message: string;
}
/** What a side answered. */
type Outcome = { readonly value: unknown } | { readonly error: Failure };

/** Python's side: one process for all calls. */
export class Reference implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Lines;
  /** Requests are answered in order. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#reader = createInterface({ input: child.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Starts it, with a connection to each of the URIs, which stay open: the test driver's state lives as long. */
  static async start(uris: Readonly<Record<Driver, string>>): Promise<Reference> {
    const script = fileURLToPath(new URL("api-reference.py", import.meta.url));
    const args = Object.entries(uris).map(([name, uri]) => `${name}=${uri}`);
    const child = spawn(python, [script, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    const reference = new Reference(child);
    try {
      await reference.#answer();
    } catch (error) {
      await reference[Symbol.asyncDispose]();
      throw error;
    }
    return reference;
  }

  /** Runs statements; the last one, an expression, is the value. */
  async run(driver: Driver, run: string, receiver?: string): Promise<Outcome> {
    const answer = this.#last.then(() => {
      this.#child.stdin!.write(`${JSON.stringify({ driver, run, receiver })}\n`);
      return this.#answer();
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** The same, where only a value will do. */
  async value(driver: Driver, run: string, receiver?: string): Promise<unknown> {
    const outcome = await this.run(driver, run, receiver);
    if ("error" in outcome) throw new Error(`${run}: ${outcome.error.message}`);
    return outcome.value;
  }

  async #answer(): Promise<Outcome> {
    const { value: line, done } = await this.#lines.next();
    if (done) throw new Error("the reference has ended");
    const answer = JSON.parse(line) as Outcome | { readonly broken: string };
    if ("broken" in answer) throw new Error(answer.broken);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    this.#child.stdin!.end();
    if (exitCode === null && signalCode === null) await once(this.#child, "exit");
    this.#reader.close();
  }
}

/** Calls a method on both sides. */
export async function compare(entry: Entry, conn: api.Connection, reference: Reference): Promise<Verdict> {
  const { call, driver, receiver } = entry;
  const verdict = (verdict: Verdict["verdict"], detail = ""): Verdict => ({ entry, verdict, detail });
  const prepare = (code: string | undefined, on?: string) =>
    code === undefined ? undefined : reference.value(driver, code, on);
  const state = async () => await prepare(call.effect, receiver);
  const round = async (make: () => Promise<Outcome>) => {
    await prepare(call.before);
    const before = await state();
    const outcome = await make();
    const after = await state();
    await prepare(call.undo);
    return { outcome, before, after };
  };
  const theirCall = () => reference.run(driver, call.python!, receiver);

  if (call.alone !== undefined) {
    const { outcome } = await round(() => ourCall(entry, conn));
    if (!("error" in outcome)) return verdict("different", "is not refused");
    const { code, domain, message } = outcome.error;
    const detail = `${code}/${domain} ${message}`;
    return code === call.alone.code
      ? verdict("own error", `${call.alone.why}: ${detail}`)
      : verdict("different", detail);
  }
  if (call.python === undefined) throw new Error(`${entry.object}.${entry.method}: nothing to compare with`);

  const first = call.moving ? await theirCall() : undefined;
  const ours = await round(() => ourCall(entry, conn));
  const theirs = await round(theirCall);
  const difference = (what: string, ours: unknown, theirs: unknown): Verdict =>
    verdict("different", `${what}: ${brief(ours)} here, ${brief(theirs)} there`);

  if ("error" in ours.outcome || "error" in theirs.outcome) {
    if (!same(ours.outcome, theirs.outcome)) return difference("outcome", ours.outcome, theirs.outcome);
    const { code, domain, message } = (theirs.outcome as { readonly error: Failure }).error;
    const detail = `${code}/${domain} ${message}`;
    return call.refused === undefined ? verdict("different", `both: ${detail}`) : verdict("same error", detail);
  }
  if (call.refused !== undefined) return verdict("different", "is not refused");
  if (call.effect !== undefined) {
    if (!same(ours.after, theirs.after)) return difference("effect", ours.after, theirs.after);
    for (const { before, after } of [ours, theirs]) {
      if (same(before, after)) return verdict("different", `no effect: ${brief(after)}`);
    }
  }
  if (ours.outcome.value === undefined) {
    // A function that only says that it succeeded has 0 or None in Python.
    const nothing = theirs.outcome.value === null || theirs.outcome.value === "n:0";
    if (!nothing) return difference("value", undefined, theirs.outcome.value);
    return verdict(call.effect === undefined ? "both succeed" : "same effect");
  }
  const equal =
    first !== undefined && "value" in first
      ? between(ours.outcome.value, first.value, theirs.outcome.value)
      : same(ours.outcome.value, theirs.outcome.value);
  return equal ? verdict("same value") : difference("value", ours.outcome.value, theirs.outcome.value);
}

async function ourCall({ ours, call }: Entry, conn: api.Connection): Promise<Outcome> {
  try {
    const value = await ours(conn);
    if (value === undefined) return { value };
    return { value: canonical(call.as === undefined ? value : (call.as as (value: unknown) => unknown)(value)) };
  } catch (error) {
    if (!(error instanceof api.VirtError)) throw error;
    const { code, domain, message } = error;
    return { error: { code, domain, message } };
  }
}

/** As `canonical` of the reference writes it. */
export function canonical(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return `n:${value}`;
  if (typeof value === "number") return Number.isInteger(value) ? `n:${value}` : `f:${value}`;
  if (typeof value !== "object") return value;
  if (value instanceof Uint8Array) return `hex:${Buffer.from(value).toString("hex")}`;
  if (Array.isArray(value)) return value.map(canonical);
  return Object.fromEntries(Object.entries(identity(value) ?? value).map(([key, each]) => [key, canonical(each)]));
}

function identity(value: object): Record<string, unknown> | undefined {
  if (value instanceof api.Domain) {
    return { Domain: value.getName(), uuid: value.getUUIDString(), id: value.getID() };
  }
  if (value instanceof api.Network) return { Network: value.getName(), uuid: value.getUUIDString() };
  if (value instanceof api.NetworkPort) {
    return { NetworkPort: value.getUUIDString(), network: value.getNetwork().getName() };
  }
  if (value instanceof api.StoragePool) return { StoragePool: value.getName(), uuid: value.getUUIDString() };
  if (value instanceof api.StorageVol) return { StorageVol: value.getName(), key: value.getKey() };
  if (value instanceof api.NodeDevice) return { NodeDevice: value.getName() };
  if (value instanceof api.Interface) return { Interface: value.getName(), mac: value.getMACString() };
  if (value instanceof api.NWFilter) return { NWFilter: value.getName(), uuid: value.getUUIDString() };
  if (value instanceof api.NWFilterBinding) {
    return { NWFilterBinding: value.getPortDev(), filter: value.getFilterName() };
  }
  if (value instanceof api.Secret) {
    return { Secret: value.getUUIDString(), usage: value.getUsageType(), of: value.getUsageID() };
  }
  if (value instanceof api.DomainSnapshot) {
    return { DomainSnapshot: value.getName(), domain: value.getDomain().getName() };
  }
  if (value instanceof api.DomainCheckpoint) {
    return { DomainCheckpoint: value.getName(), domain: value.getDomain().getName() };
  }
  if (value instanceof api.Connection) return { Connection: value.getURI().split("?")[0] };
  return undefined;
}

/** Whether two canonical values are the same. */
export function same(one: unknown, other: unknown): boolean {
  return between(one, other, other);
}

/** Whether a canonical value is one of two others or, where it is a number, between them; in depth. */
function between(value: unknown, first: unknown, last: unknown): boolean {
  if (value === first || value === last) return true;
  const [at, from, to] = [value, first, last].map(numberOf);
  if (at !== undefined && from !== undefined && to !== undefined) {
    return from < to ? from <= at && at <= to : to <= at && at <= from;
  }
  if (!isRecord(value) || !isRecord(first) || !isRecord(last)) return false;
  const keys = Object.keys(value);
  return (
    keys.length === Object.keys(first).length &&
    Array.isArray(value) === Array.isArray(first) &&
    keys.every((key) => key in first && key in last && between(value[key], first[key], last[key]))
  );
}

function numberOf(value: unknown): bigint | undefined {
  return typeof value === "string" && /^n:-?\d+$/.test(value) ? BigInt(value.slice(2)) : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 700 ? `${text.slice(0, 700)}…` : text;
}

/** Reads a stream to its end: the SHA-256 of what came, hexadecimal. */
export async function received(stream: api.Stream): Promise<string> {
  const hash = createHash("sha256");
  for await (const lease of stream) {
    hash.update(lease.bytes);
    lease.release();
  }
  await stream.finish();
  return hash.digest("hex");
}
