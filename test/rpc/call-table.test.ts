import { expect, test } from "vitest";
import { authList } from "../../src/generated/remote/index.ts";
import { CallTable, type PendingCall } from "../../src/rpc/call-table.ts";
import { frame } from "./wire.ts";

const { number, version } = authList.program;

/** A table of one call in flight, and what it sent: the payload's first byte says which call it was. */
function table() {
  const sent: number[] = [];
  const calls = new CallTable(1, (bytes) => sent.push(new DataView(bytes.buffer).getUint32(28)));
  const add = (id: number): PendingCall => {
    const call = { procedure: authList, resolve: () => {}, reject: () => {}, settled: undefined, abandoned: false };
    const bytes = frame({}, new Uint8Array(4));
    new DataView(bytes.buffer).setUint32(28, id);
    calls.add(call, bytes);
    return call;
  };
  const answer = (serial: number) => calls.take(number, version, serial);
  return { calls, sent, add, answer };
}

test("call-table/order: calls go out as they came, however many wait", () => {
  const { calls, sent, add, answer } = table();
  const ids = Array.from({ length: 100_000 }, (_, id) => id);
  for (const id of ids) add(id);
  expect(calls.waiting).toBe(99_999);
  for (const serial of ids) answer(serial);
  expect(sent).toEqual(ids);
  expect([calls.inFlight, calls.waiting]).toEqual([0, 0]);
  add(7);
  expect(sent.at(-1)).toBe(7);
});

test("call-table/never-empty: a queue that always holds something keeps its order", () => {
  const { calls, sent, add, answer } = table();
  add(0);
  add(1);
  for (let id = 2; id < 10_000; id++) {
    add(id);
    answer(id - 2);
    expect(calls.waiting).toBe(1);
  }
  expect(sent).toEqual(Array.from({ length: 9999 }, (_, id) => id));
});

test("call-table/given-up: a call that was not sent is forgotten at once, one that was is waited for", () => {
  const { calls, sent, add, answer } = table();
  const first = add(0);
  const given = [1, 2, 3].map(add);
  add(4);
  calls.abandon(first);
  for (const call of given) calls.abandon(call);
  expect([calls.inFlight, calls.waiting]).toEqual([1, 1]);
  expect(answer(0)).toBe(first);
  expect(sent).toEqual([0, 4]);
});

test("call-table/clear: what someone waits for comes out, in order, and the table goes on", () => {
  const { calls, sent, add } = table();
  const [first, second, third] = [0, 1, 2].map(add) as [PendingCall, PendingCall, PendingCall];
  calls.abandon(first);
  expect(calls.clear()).toEqual([second, third]);
  expect([calls.inFlight, calls.waiting]).toEqual([0, 0]);
  add(3);
  expect(sent).toEqual([0, 3]);
});
