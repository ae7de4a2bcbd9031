import { describe, expect, test } from "vitest";
import { XdrError } from "../../src/xdr/index.ts";
import { plainNamed, protocolNames, protocols } from "../xdr/facts.ts";
import { word } from "../xdr/plain.ts";
import { registry, typeNamed } from "../xdr/registry.ts";
import { judge, withoutStackTraces } from "./judge.ts";
import { type Changed, changedNamed, fullNamed } from "./outside.ts";
import { counts, randomNumbers, runs, timeout } from "./settings.ts";
import { slowRead } from "./slow-reader.ts";

/** Values of megabytes are tried on this many fields of a protocol in a short run: enough for each kind to come up. */
const HEAVY = 64 * 1024;
const HEAVY_SAMPLE = 4 * runs;

function refusal(name: string, { value, path, code, about }: Changed): void {
  const what = `${name}, ${path}: ${about}`;
  try {
    withoutStackTraces(() => typeNamed(name).encode(value));
  } catch (error) {
    if (!(error instanceof XdrError)) throw new Error(`${what}: not an XdrError`, { cause: error });
    // For a number that is no number of the wanted type, the writer says `range` as well as `type`.
    const named = error.code === code || (code === "type" && error.code === "range");
    if (error.path !== path || !named) {
      throw new Error(`${what}: wanted ${code} at ${path}, got ${error.message}`, { cause: error });
    }
    counts.refusedValues++;
    return;
  }
  throw new Error(`${what}: encoded`);
}

function acceptance(name: string, { value, path, about }: Changed): void {
  const bytes = typeNamed(name).encode(value);
  if (Buffer.compare(bytes, plainNamed(name, value)) !== 0) throw new Error(`${name}, ${path}: ${about}: other bytes`);
  const back = typeNamed(name).encode(typeNamed(name).decode(bytes, { strict: true }));
  if (Buffer.compare(back, bytes) !== 0) throw new Error(`${name}, ${path}: ${about}: does not come back`);
  counts.atLimits++;
}

export function describeLimits(): void {
  describe("values at the limits and outside them, one field at a time", () => {
    test.each(protocolNames)(
      "%s: at a limit a value is encoded, beyond it refused by the field's name",
      { timeout },
      (protocol) => {
        const heavy: { name: string; change: Changed }[] = [];
        for (const { name } of protocols[protocol].definitions) {
          for (const change of changedNamed(name)) {
            if (change.weight > HEAVY) heavy.push({ name, change });
            else if (change.code === undefined) acceptance(name, change);
            else refusal(name, change);
          }
        }
        const random = randomNumbers(protocol);
        for (let n = Math.min(HEAVY_SAMPLE, heavy.length); n > 0; n--) {
          const [{ name, change }] = heavy.splice(random(heavy.length), 1) as [(typeof heavy)[number]];
          if (change.code === undefined) acceptance(name, change);
          else refusal(name, change);
        }
      },
    );

    test.each(protocolNames)(
      "%s: decoding holds every length against the limit of the facts",
      { timeout },
      (protocol) => {
        for (const { name } of protocols[protocol].definitions) {
          const bytes = typeNamed(name).encode(fullNamed(name));
          for (const { role, offset, path, max } of slowRead(name, bytes, true).marks) {
            if (role !== "length") continue;
            // The bytes for the largest length are not there, which only shows once it is found within its limit.
            for (const [length, code] of [
              [max, "short"],
              [max + 1, "limit"],
              [0x7fffffff, "limit"],
              [0x80000000, "limit"],
              [0xffffffff, "limit"],
            ] as const) {
              const frame = Uint8Array.from(bytes);
              frame.set(word(length), offset);
              const error = judge(name, frame);
              expect(error?.code, `${name}, ${path}: length ${length}, limit ${max}`).toBe(code);
              expect(error?.path, `${name}, ${path}: length ${length}, limit ${max}`).toBe(path);
              counts.hostileWords++;
            }
          }
        }
      },
    );

    test("a value of no type at all is an XdrError", () => {
      const odd = [
        undefined,
        null,
        1,
        1n,
        "x",
        Symbol("x"),
        () => 1,
        [],
        {},
        new Date(),
        Number.NaN,
        Object.create(null),
      ];
      for (const [name, type] of registry) {
        for (const value of odd) {
          try {
            withoutStackTraces(() => type.encode(value));
          } catch (error) {
            if (!(error instanceof XdrError)) throw new Error(`${name} of an odd ${typeof value}`, { cause: error });
            counts.refusedValues++;
          }
        }
      }
    });
  });
}
