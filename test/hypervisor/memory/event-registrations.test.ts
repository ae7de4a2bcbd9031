import { expect, test } from "vitest";
import { EventRegistrations } from "../../../src/hypervisor/memory/event-registrations.ts";
import type { Session } from "../../../src/server/index.ts";

/** A connection, as far as registrations look at it. */
function connection() {
  const gone = new AbortController();
  const listeners: (() => void)[] = [];
  const session = {
    signal: gone.signal,
    onClose: (listener: () => void) => void (gone.signal.aborted ? listener() : listeners.push(listener)),
  };
  return {
    session: session as unknown as Session,
    close() {
      gone.abort();
      for (const listener of listeners) listener();
    },
  };
}

const made = () => new EventRegistrations({ event: "pool event", callback: "pool event callback", ids: 2 });

test("a connection that goes takes its wishes with it, those too that it has just sent", () => {
  const registrations = made();
  const [heard, { session, close }] = [connection(), connection()];
  expect(registrations.register(heard.session, 1, undefined)).toBe(0);
  registrations.register(session, 1, "a");
  expect(registrations.wanting(1, "a")).toHaveLength(2);
  close();
  registrations.register(session, 1, "a");
  const late = connection();
  late.close();
  registrations.register(late.session, 1, undefined);
  expect(registrations.wanting(1, "a").map((each) => each.session)).toEqual([heard.session]);
});

test("a connection has so many wishes at most", () => {
  const registrations = made();
  const { session } = connection();
  for (let i = 0; i < 65_536; i++) registrations.register(session, 0, undefined);
  expect(() => registrations.register(session, 0, undefined)).toThrow("a connection has at most 65536 callbacks");
  registrations.deregister(session, 7);
  expect(registrations.register(session, 0, undefined)).toBe(65_536);
  registrations.register(connection().session, 0, undefined);
});
