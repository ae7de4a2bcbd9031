import { expect, test } from "vitest";
import { authList } from "../../src/generated/remote/index.ts";
import { Call } from "../../src/rpc/call.ts";
import { CallTable, freeSerial } from "../../src/rpc/call-table.ts";
import { pair } from "../../src/transport/index.ts";

const { number, version } = authList.program;
const [{ peer: identity }] = pair();

/** A table, and the ids of the calls that it sent. */
function table(max = 1, firstSerial?: number) {
  const sent: number[] = [];
  const serials: number[] = [];
  const ids = new Map<Uint8Array, number>();
  const calls = new CallTable(
    max,
    (frame) => {
      sent.push(ids.get(frame) as number);
      serials.push(new DataView(frame.buffer, frame.byteOffset).getUint32(20));
    },
    firstSerial,
  );
  const giveUp = new Map<Call, () => void>();
  const add = (id: number): Call => {
    const end = new AbortController();
    const call = new Call(
      authList,
      undefined,
      { signal: end.signal },
      { identity },
      () => {},
      () => {},
    );
    ids.set(call.frame, id);
    giveUp.set(call, () => end.abort());
    calls.add(call);
    return call;
  };
  const answer = (serial: number) => calls.take(number, version, serial);
  return { calls, sent, serials, add, answer, abandon: (call: Call) => giveUp.get(call)?.() };
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
  const { calls, sent, add, answer, abandon } = table();
  const first = add(0);
  const given = [1, 2, 3].map(add);
  add(4);
  abandon(first);
  for (const call of given) abandon(call);
  expect([calls.inFlight, calls.waiting]).toEqual([1, 1]);
  expect(answer(0)).toBe(first);
  expect(sent).toEqual([0, 4]);
});

test("call-table/clear: what someone waits for comes out, in order, sent and unsent apart, and the table goes on", () => {
  const { calls, sent, add, abandon } = table(3);
  const [first, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(add) as [Call, Call, Call, Call, Call];
  abandon(first);
  abandon(fourth);
  expect(calls.clear(new Set([third.frame]))).toEqual({ sent: [second], unsent: [third, fifth] });
  expect([calls.inFlight, calls.waiting]).toEqual([0, 0]);
  add(5);
  expect(sent).toEqual([0, 1, 2, 5]);
});

test("call-table/serials-wrap: after 2^32 - 1 comes 0", () => {
  const { serials, add, answer } = table(10, 0xfffffffe);
  const [first, , third] = [0, 1, 2, 3].map(add);
  expect(serials).toEqual([0xfffffffe, 0xffffffff, 0, 1]);
  expect([answer(0), answer(0xfffffffe)]).toEqual([third, first]);
});

test("call-table/serials-open: a serial is not used again while its call is open", () => {
  expect(freeSerial(2 ** 32, new Set())).toBe(0);
  expect(freeSerial(0xfffffffe, new Set([0xfffffffe, 0xffffffff, 0, 2]))).toBe(1);
});
