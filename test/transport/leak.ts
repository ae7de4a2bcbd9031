import { expect } from "vitest";

/** What keeps the process alive, counted by kind. Left out: vitest's own way to its main process, which comes and goes. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) {
    if (/^(MessagePort|FSReq.*|TTYWrap|Immediate|CloseReq)$/.test(name)) continue;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Runs `work` and expects that no timer, socket, pipe or child of it is left. */
export async function leavesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = resources();
  const result = await work();
  const more = () => Object.entries(resources()).filter(([name, count]) => count > (before[name] ?? 0));
  // Not expect.poll, whose own timer would count. What is closing needs some turns of the event loop.
  for (let turns = 0; turns < 100_000 && more().length > 0; turns++)
    await new Promise((resolve) => setImmediate(resolve));
  expect(more()).toEqual([]);
  return result;
}
