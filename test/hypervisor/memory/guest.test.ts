import { expect, test } from "vitest";
import { parseDomainXml } from "../../../src/hypervisor/memory/domain-xml.ts";
import { Guest, type GuestEvent, type GuestState } from "../../../src/hypervisor/memory/guest.ts";
import { MemoryBudget } from "../../../src/hypervisor/memory/guest-memory.ts";
import { FakeClock, guestXml } from "../hosts.ts";

const MEMORY = 3 << 20;
const never = new AbortController().signal;

function newGuest(state: "starting" | "incoming", clock = new FakeClock()): Guest {
  const memory = new MemoryBudget(MEMORY).allocate(BigInt(MEMORY));
  return new Guest({ id: 1, definition: parseDomainXml(guestXml()), memory, state, clock });
}

/** The shortest way to each state. */
const ways: Record<GuestState, ["starting" | "incoming", ...GuestEvent[]]> = {
  starting: ["starting"],
  incoming: ["incoming"],
  running: ["starting", "run"],
  paused: ["starting", "pause"],
  held: ["starting", "run", "hold"],
  asleep: ["starting", "run", "sleep"],
  gone: ["starting", "stop"],
};

/** Where each event leads, in the order run, pause, hold, sleep, wake, stop. A dash: refused. */
test.each<[GuestState, string]>([
  ["starting", "running paused - - - gone"],
  ["incoming", "running paused - - - gone"],
  ["running", "- paused held asleep - gone"],
  ["paused", "running - held - - gone"],
  ["held", "running paused - - - gone"],
  ["asleep", "- - - - running gone"],
  ["gone", "- - - - - -"],
])("a guest that is %s: %s", (state, expected) => {
  const events: GuestEvent[] = ["run", "pause", "hold", "sleep", "wake", "stop"];
  const reached = events.map((event) => {
    const [first, ...way] = ways[state];
    const guest = newGuest(first);
    for (const step of way) guest.move(step);
    expect(guest.state).toBe(state);
    if (!guest.can(event)) {
      expect(() => guest.move(event)).toThrow(/^Requested operation is not valid: /);
      return "-";
    }
    guest.move(event);
    return guest.state;
  });
  expect(reached.join(" ")).toBe(expected);
});

test("a guest that stops gives its memory back, once, and says so", () => {
  const budget = new MemoryBudget(MEMORY);
  const memory = budget.allocate(BigInt(MEMORY));
  const definition = parseDomainXml(guestXml());
  const guest = new Guest({ id: 1, definition, memory, state: "incoming", clock: new FakeClock() });
  expect(budget.used).toBe(MEMORY);
  guest.move("stop");
  expect(guest.gone.aborted).toBe(true);
  expect(budget.used).toBe(0);
  memory.free();
  expect(budget.used).toBe(0);
});

test("memory is filled the same for the same seed, and otherwise for another", async () => {
  const fill = async (seed: number) => {
    const memory = new MemoryBudget(MEMORY).allocate(BigInt(MEMORY));
    await memory.fill(Uint8Array.of(seed), never);
    return Buffer.from(memory.bytes);
  };
  const first = await fill(1);
  expect((await fill(1)).equals(first)).toBe(true);
  expect((await fill(2)).equals(first)).toBe(false);
  const counts = new Uint32Array(256);
  for (const byte of first) counts[byte]!++;
  const expected = MEMORY / 256;
  expect(Math.max(...counts) / expected).toBeLessThan(1.1);
  expect(Math.min(...counts) / expected).toBeGreaterThan(0.9);
});
