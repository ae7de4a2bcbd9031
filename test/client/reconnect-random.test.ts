import fc from "fast-check";
import { expect, test } from "vitest";
import { connectTransport, LostCallError } from "../../src/client/index.ts";
import { domainLookupByName } from "../../src/generated/remote/index.ts";
import type { RawMessage } from "../rpc/raw-end.ts";
import { type FakeDaemon, type Fault, LOOKUP, leavesNothing, piped, turn } from "./fake-daemon.ts";

const nameOf = ({ payload }: RawMessage) => Buffer.from(payload.subarray(4)).toString().replace(/\0+$/, "");

/** What the application does, and what happens to it. */
const step = fc.constantFrom("call", "call", "call", "call", "given-up", "late", "turn", "turn", "reset", "hang-up");
/** What a daemon does with the next call, the opening's included. */
const treatment = fc.nat({ max: 50 }).map((n) => (["reset", "hang-up", "silence"] as const)[n] ?? "answer");

test("reconnect/random: whatever is lost when, every call ends, none runs twice, and nothing is left", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80 }),
      fc.array(treatment, { minLength: 200, maxLength: 200 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, treatments, maxCalls) => {
        await leavesNothing(async () => {
          const daemons: FakeDaemon[] = [];
          const runs = new Map<string, number>();
          let treated = 0;
          const fault: Fault = (call, daemon) => {
            if (call.proc === LOOKUP) runs.set(nameOf(call), (runs.get(nameOf(call)) ?? 0) + 1);
            // The first daemon lets itself be opened; in the end all are well.
            const how = daemons.length > 1 || call.proc === LOOKUP ? treatments[treated++] : undefined;
            if (how === "reset") daemon.reset();
            else if (how === "hang-up") daemon.hangUp();
            else return how === "silence" && call.proc === LOOKUP;
            return true;
          };
          const dial = async () => {
            const { transport, daemon } = piped(fault);
            daemons.push(daemon);
            return transport;
          };
          const conn = await connectTransport(await dial(), { maxCalls, reconnect: { dial, sleep: turn } });
          let count = 0;
          const call = async (options = {}) => {
            const name = `guest-${count++}`;
            const result = await conn.call(domainLookupByName, { name }, options).catch((error: unknown) => error);
            if (result instanceof LostCallError) expect(result.mayHaveRun).toBe(true);
            if (!(result instanceof Error)) expect([name, runs.get(name)]).toEqual([name, 1]);
          };
          conn.onReconnected(() => call());
          const calls: Promise<void>[] = [];
          for (const what of steps) {
            const end = new AbortController();
            if (what === "call") calls.push(call());
            else if (what === "given-up") calls.push(call({ signal: end.signal }));
            else if (what === "late") calls.push(call({ timeout: 0 }));
            else if (what === "reset") daemons.at(-1)?.reset();
            else if (what === "hang-up") daemons.at(-1)?.hangUp();
            else await turn();
            if (what === "given-up") queueMicrotask(() => end.abort());
          }
          for (let i = 0; i < 20; i++) await turn();
          // Only calls that a daemon keeps to itself are still there; the end of the connection is theirs.
          await conn.close();
          await Promise.all(calls);
          for (const [name, times] of runs) expect([name, times]).toEqual([name, 1]);
        });
      },
    ),
    { numRuns: 60, seed: 4 },
  );
}, 120_000);
