/** Results that are decoded record by record, against the eager decoding of the same bytes. */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admin, remote } from "../../src/generated/index.ts";
import { type Procedure, Records, XdrError, XdrReader, XdrWriter } from "../../src/xdr/index.ts";
import { anyNamed, protocols } from "./facts.ts";

type AnyProcedure = Procedure<unknown, Record<string, unknown>>;

interface Case {
  readonly name: string;
  readonly ret: string;
  readonly eager: AnyProcedure;
  readonly lazy: AnyProcedure;
}

const cases: Case[] = Object.entries({ remote, admin }).flatMap(([protocol, module]) => {
  const all = module as unknown as Record<string, AnyProcedure>;
  return Object.keys(all).flatMap((key) => {
    const name = key.replace(/Records$/, "");
    const [eager, lazy] = [all[name], all[key]];
    if (name === key || eager === undefined || lazy === undefined) return [];
    const { procedures } = protocols[protocol as "remote" | "admin"];
    return [{ name, ret: procedures.find(({ number }) => number === eager.number)?.ret as string, eager, lazy }];
  });
});

function encoded({ eager }: Case, value: unknown): Uint8Array {
  const w = new XdrWriter();
  eager.ret.encode(w, value as Record<string, unknown>);
  return w.finish();
}

function fieldOf(value: object): string {
  return Object.entries(value).find(([, each]) => each instanceof Records)?.[0] as string;
}

/** Everything in a lazy result, read in one go. */
function whole(value: Record<string, unknown>): Record<string, unknown> {
  const field = fieldOf(value);
  return { ...value, [field]: [...(value[field] as Records<unknown>)] };
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(XdrError);
    return (error as XdrError).message;
  }
  throw new Error("nothing was refused");
}

const domain = (id: number) => ({ name: `guest${id}`, uuid: new Uint8Array(16).fill(id), id });
const listed = cases.find(({ name }) => name === "connectListAllDomains") as Case;
const stats = cases.find(({ name }) => name === "connectGetAllDomainStats") as Case;

test("every reply that is one long list has a descriptor for records", () => {
  expect(cases.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["connectListAllDomains", "connectGetAllDomainStats", "serverListClients"]),
  );
  expect(cases.length).toBeGreaterThan(20);
});

describe.each(cases)("$name", (one) => {
  test("the same values as at once, again and again", () => {
    fc.assert(
      fc.property(anyNamed(one.ret), fc.boolean(), (value, strict) => {
        const bytes = encoded(one, value);
        const around = new Uint8Array(bytes.length + 8).fill(0xa5); // as in a receive buffer, which is used again
        around.set(bytes, 4);
        const frame = around.subarray(4, 4 + bytes.length);
        const eager = one.eager.ret.decode(new XdrReader(frame, { strict }));
        const lazy = one.lazy.ret.decode(new XdrReader(frame, { strict }));
        around.fill(0x5a);
        expect(whole(lazy)).toEqual(eager);
        expect(whole(lazy)).toEqual(eager);
        const w = new XdrWriter();
        one.lazy.ret.encode(w, lazy);
        expect(w.finish()).toEqual(bytes);
      }),
      { numRuns: 20, seed: 20250303 },
    );
  });

  test("cut at any byte: refused, with the same words, when the last record has been read at the latest", () => {
    for (const value of fc.sample(anyNamed(one.ret), { numRuns: 3, seed: 20250303 })) {
      const bytes = encoded(one, value);
      for (let to = 0; to < Math.min(bytes.length, 2000); to++) {
        const cut = bytes.subarray(0, to);
        const said = refusal(() => whole(one.lazy.ret.decode(new XdrReader(cut))));
        expect(said).toBe(refusal(() => one.eager.ret.decode(new XdrReader(cut))));
      }
    }
  });
});

describe("Records", () => {
  const bytes = encoded(listed, { domains: [1, 2, 3].map(domain), ret: 3 });

  test("the count is known and checked at once", () => {
    const { domains } = listed.lazy.ret.decode(new XdrReader(bytes)) as { domains: Records<unknown> };
    expect(domains.length).toBe(3);
    const view = (count: number, length = bytes.length): XdrReader => {
      const copy = bytes.slice(0, length);
      new DataView(copy.buffer).setUint32(0, count);
      return new XdrReader(copy);
    };
    expect(refusal(() => listed.lazy.ret.decode(view(16385)))).toBe(
      "limit at byte 0, domains: 16385 elements, limit 16384",
    );
    expect(refusal(() => listed.lazy.ret.decode(view(6)))).toMatch(/^short at byte 4, domains: 6 elements of at least/);
    expect(refusal(() => listed.lazy.ret.decode(view(3, 40)))).toMatch(/^short at byte 4, domains/);
  });

  test("a field behind the records is there without iterating", () => {
    const value = listed.lazy.ret.decode(new XdrReader(bytes));
    expect(value.ret).toBe(3);
    expect(Object.keys(value)).toEqual(["domains", "ret"]);
  });

  test("somebody who stops early has read no further", () => {
    const broken = bytes.slice();
    broken.fill(0xff, broken.length - 8); // the last id and ret
    new DataView(broken.buffer).setUint32(4 + 2 * 32, 0xffffffff); // the length of the third name
    const { domains } = listed.lazy.ret.decode(new XdrReader(broken)) as { domains: Records<{ name: string }> };
    const names: string[] = [];
    for (const { name } of domains) {
      names.push(name);
      if (names.length === 2) break;
    }
    expect(names).toEqual(["guest1", "guest2"]);
    const said = "limit at byte 68, domains[2].name: 4294967295 bytes, limit 4194304";
    expect(refusal(() => [...domains])).toBe(said);
    expect(refusal(() => [...domains])).toBe(said);
  });

  test("errors name the field, however deep", () => {
    const params = [1, 2].map((value) => ({ field: "state", value: { type: 1, value } }));
    const good = encoded(stats, { retStats: [1, 2].map((id) => ({ dom: domain(id), params })) });
    const bad = good.slice();
    new DataView(bad.buffer).setUint32(bad.length - 8, 99); // the discriminant of the last value
    const { retStats } = stats.lazy.ret.decode(new XdrReader(bad)) as { retStats: Records<unknown> };
    expect(refusal(() => [...retStats])).toBe(
      `union at byte ${bad.length - 8}, retStats[1].params[1].value.type: no arm for 99`,
    );
    expect(refusal(() => stats.eager.ret.decode(new XdrReader(bad)))).toBe(refusal(() => [...retStats]));
  });

  test("strict: bytes behind the last field are refused when it has been read", () => {
    const more = new Uint8Array([...bytes, 0, 0, 0, 0]);
    for (const beyond of [1, 3, 4]) {
      const longer = more.subarray(0, bytes.length + beyond);
      const value = listed.lazy.ret.decode(new XdrReader(longer, { strict: true }));
      expect(refusal(() => whole(value))).toBe(
        `trailing at byte ${bytes.length}: ${beyond} bytes after the last field`,
      );
      expect(whole(listed.lazy.ret.decode(new XdrReader(longer))).ret).toBe(3);
    }
  });

  test("iterating over a reply of 32 MiB keeps the heap flat", { timeout: 120_000 }, () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const live = (): number => {
      collect();
      return getHeapStatistics().used_heap_size;
    };
    const params = Array.from({ length: 80 }, (_, i) => ({
      field: `vcpu.${i}.time`,
      value: { type: 4, value: 2n ** 40n },
    }));
    const record = encoded(stats, { retStats: [{ dom: domain(1), params }] }).subarray(4);
    const count = Math.floor((32 * 2 ** 20) / record.length);
    const reply = new Uint8Array(4 + count * record.length);
    new DataView(reply.buffer).setUint32(0, count);
    for (let i = 0; i < count; i++) reply.set(record, 4 + i * record.length);
    const before = live();

    const { retStats } = stats.lazy.ret.decode(new XdrReader(reply)) as { retStats: Records<unknown> };
    expect(retStats.length).toBe(count);
    let seen = 0;
    let most = 0;
    for (const _ of retStats) if (++seen % 2000 === 0) most = Math.max(most, live() - before);
    expect(seen).toBe(count);

    const eager = stats.eager.ret.decode(new XdrReader(reply)) as { retStats: unknown[] };
    const whole = live() - before;
    expect(eager.retStats).toHaveLength(count);
    const words = `${reply.length} bytes, ${count} records: ${most} bytes of heap, ${whole} decoded at once`;
    console.log(words);
    // The reply's bytes lie outside the heap. Two MiB are for what the process does besides.
    expect(most, words).toBeLessThan(2 * 2 ** 20);
    expect(whole, words).toBeGreaterThan(reply.length);
  });
});
