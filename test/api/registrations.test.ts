import { describe, expect, test } from "vitest";
import { Registrations, type Wanted } from "../../src/api/events/registrations.ts";
import { TransportError } from "../../src/client/index.ts";

/** A daemon that answers when the test says so. */
class Daemon {
  readonly log: string[] = [];
  readonly #waiting: { resolve: (id: number) => void; reject: (error: Error) => void }[] = [];
  readonly #deliver = new Map<object, (callbackID: number, message: unknown) => void>();
  readonly lifecycle = { name: "lifecycle" };
  readonly reboot = { name: "reboot" };

  wanted(key: string, event: object = this.lifecycle): Wanted {
    return {
      key,
      register: () => {
        this.log.push(`register ${key}`);
        return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
      },
      deregister: (callbackID, signal) => this.deregister(callbackID, signal),
      event,
      listen: (deliver) => void this.#deliver.set(event, deliver),
    };
  }

  deregister = async (callbackID: number, _signal: AbortSignal): Promise<void> => {
    this.log.push(`deregister ${callbackID}`);
  };

  answer(id: number | Error): void {
    const next = this.#waiting.shift();
    if (next === undefined) throw new Error("nobody registers");
    if (typeof id === "number") next.resolve(id);
    else next.reject(id);
  }

  send(callbackID: number, message: unknown, event: object = this.lifecycle): void {
    this.#deliver.get(event)?.(callbackID, message);
  }
}

function sink() {
  const seen: unknown[] = [];
  return {
    seen,
    message: (message: unknown) => void seen.push(message),
    gap: (reason: string) => void seen.push(reason),
    failed: (error: Error) => void seen.push(error.message),
  };
}

/** What nobody catches while `work` runs. */
async function catching(mistakes: unknown[], work: () => Promise<void>): Promise<void> {
  const before = process.listeners("uncaughtException");
  const onUncaught = (error: unknown) => void mistakes.push(error);
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", onUncaught);
  try {
    await work();
  } finally {
    process.removeListener("uncaughtException", onUncaught);
    for (const listener of before) process.on("uncaughtException", listener);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("registrations", () => {
  test("callback-id-zero: 0 is an id like any other", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const listener = sink();
    const added = registrations.add(daemon.wanted("all"), listener);
    await settle();
    daemon.answer(0);
    const leave = await added;
    daemon.send(0, "a");
    expect(listener.seen).toEqual(["a"]);
    await leave();
    expect(daemon.log).toEqual(["register all", "deregister 0"]);
    daemon.send(0, "late");
    expect(listener.seen).toEqual(["a"]);
  });

  test("event-before-reply: kept, and handed on in order before what comes later", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const listener = sink();
    const added = registrations.add(daemon.wanted("all"), listener);
    await settle();
    daemon.send(7, "before");
    daemon.send(8, "of nobody");
    daemon.send(7, "another kind", daemon.reboot);
    daemon.answer(7);
    daemon.send(7, "same turn");
    await added;
    daemon.send(7, "after");
    expect(listener.seen).toEqual(["before", "same turn", "after"]);
  });

  test("shared: one call for all who want the same; the last to leave takes it back", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const [one, two] = [sink(), sink()];
    const both = Promise.all([
      registrations.add(daemon.wanted("all"), one),
      registrations.add(daemon.wanted("all"), two),
    ]);
    await settle();
    daemon.answer(3);
    const [leaveOne, leaveTwo] = await both;
    daemon.send(3, "a");
    await leaveOne();
    await leaveOne();
    daemon.send(3, "b");
    expect(one.seen).toEqual(["a"]);
    expect(two.seen).toEqual(["a", "b"]);
    expect(daemon.log).toEqual(["register all"]);
    await leaveTwo();
    expect(daemon.log).toEqual(["register all", "deregister 3"]);
  });

  test("refused: everybody who waited gets the error, and the next one asks again", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const refused = [registrations.add(daemon.wanted("x"), sink()), registrations.add(daemon.wanted("x"), sink())];
    const outcomes = Promise.allSettled(refused);
    await settle();
    daemon.answer(new Error("no"));
    expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const again = registrations.add(daemon.wanted("x"), sink());
    await settle();
    daemon.answer(1);
    await again;
    expect(daemon.log).toEqual(["register x", "register x"]);
  });

  test("given-up: who leaves during the call does not take it from the other; alone, it is taken back", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const abort = new AbortController();
    const stays = sink();
    const leaves = registrations.add(daemon.wanted("x"), sink(), abort.signal);
    const added = registrations.add(daemon.wanted("x"), stays);
    await settle();
    abort.abort();
    await expect(leaves).rejects.toMatchObject({ name: "AbortError" });
    daemon.answer(5);
    const leave = await added;
    daemon.send(5, "a");
    expect(stays.seen).toEqual(["a"]);
    await leave();

    const alone = new AbortController();
    const gone = registrations.add(daemon.wanted("y"), sink(), alone.signal);
    await settle();
    alone.abort();
    await expect(gone).rejects.toMatchObject({ name: "AbortError" });
    daemon.answer(6);
    await settle();
    expect(daemon.log).toEqual(["register x", "deregister 5", "register y", "deregister 6"]);
  });

  test("again: a new registration for the same waits until the old one is gone", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const added = registrations.add(daemon.wanted("x"), sink());
    await settle();
    daemon.answer(1);
    const leave = await added;
    const left = leave();
    const again = registrations.add(daemon.wanted("x"), sink());
    await settle();
    daemon.answer(2);
    await Promise.all([left, again]);
    expect(daemon.log).toEqual(["register x", "deregister 1", "register x"]);
  });

  test("reconnect: all are registered again, told of the gap, and hear under the new id", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const [kept, refused] = [sink(), sink()];
    const adding = Promise.all([
      registrations.add(daemon.wanted("a"), kept),
      registrations.add(daemon.wanted("b", daemon.reboot), refused),
    ]);
    await settle();
    daemon.answer(1);
    daemon.answer(2);
    await adding;
    const renewed = registrations.renew();
    await settle();
    daemon.send(1, "of the old connection");
    daemon.answer(4);
    daemon.answer(new Error("not any more"));
    await renewed;
    daemon.send(4, "new");
    expect(kept.seen).toEqual(["reconnect", "new"]);
    expect(refused.seen).toEqual(["reconnect", "not any more"]);
  });

  test("reconnect/lost-again: the next connection gets its turn, nobody is told that it failed", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const listener = sink();
    const added = registrations.add(daemon.wanted("a"), listener);
    await settle();
    daemon.answer(1);
    const leave = await added;
    const first = registrations.renew();
    await settle();
    daemon.answer(new TransportError("lost", "again"));
    await first;
    const second = registrations.renew();
    await settle();
    daemon.answer(0);
    await second;
    daemon.send(0, "back");
    expect(listener.seen).toEqual(["reconnect", "reconnect", "back"]);
    await leave();
    expect(daemon.log).toEqual(["register a", "register a", "register a", "deregister 0"]);
  });

  test("reconnect/refused-to-others: who comes for what was lost has the error, and so has who listened", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const [old, late] = [sink(), sink()];
    const added = registrations.add(daemon.wanted("a"), old);
    await settle();
    daemon.answer(1);
    await added;
    const renewed = registrations.renew();
    await settle();
    daemon.answer(new TransportError("lost", "again"));
    await renewed;
    const coming = registrations.add(daemon.wanted("a"), late);
    await settle();
    daemon.answer(new Error("not any more"));
    await expect(coming).rejects.toThrow("not any more");
    expect(old.seen).toEqual(["reconnect", "not any more"]);
    expect(late.seen).toEqual([]);
  });

  test("reconnect/stale: a deregistration that still waits does not reach the new connection", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const added = registrations.add(daemon.wanted("a"), sink());
    await settle();
    daemon.answer(0);
    const leave = await added;
    let told: AbortSignal | undefined;
    daemon.deregister = (_, signal) => {
      told = signal;
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const left = leave();
    await settle();
    expect(told?.aborted).toBe(false);
    await registrations.renew();
    expect(told?.aborted).toBe(true);
    await left;
  });

  test("leave/gone: a connection that is closed took the registration along; a refusal is one", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    for (const [error, outcome] of [
      [new TransportError("closed", "closed"), "fulfilled"],
      [new Error("no"), "rejected"],
    ] as const) {
      const added = registrations.add(daemon.wanted("a"), sink());
      await settle();
      daemon.answer(0);
      const leave = await added;
      daemon.deregister = () => Promise.reject(error);
      const [left] = await Promise.allSettled([leave()]);
      expect(left.status).toBe(outcome);
    }
  });

  test("reconnect/throws: a listener that cannot take a gap is registered again all the same", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const listener = sink();
    const mistakes: unknown[] = [];
    const added = registrations.add(daemon.wanted("a"), {
      ...listener,
      gap: () => {
        throw new Error("mistake");
      },
    });
    await settle();
    daemon.answer(1);
    await added;
    await catching(mistakes, async () => {
      const renewed = registrations.renew();
      await settle();
      daemon.answer(2);
      await renewed;
    });
    daemon.send(2, "still heard");
    expect(listener.seen).toEqual(["still heard"]);
    expect(mistakes).toMatchObject([{ message: "mistake" }]);
  });

  test("event-before-reply/overflow: what was too much leaves a gap", async () => {
    const daemon = new Daemon();
    const registrations = new Registrations();
    const [listener, next] = [sink(), sink()];
    const added = registrations.add(daemon.wanted("a"), listener);
    await settle();
    for (let i = 0; i < 1001; i++) daemon.send(7, i);
    daemon.answer(7);
    await added;
    daemon.send(7, "after");
    expect(listener.seen.slice(999)).toEqual([999, "overflow", "after"]);
    const later = registrations.add(daemon.wanted("b"), next);
    await settle();
    daemon.answer(8);
    await later;
    expect(next.seen).toEqual([]);
  });

  test("given-up before: nobody is asked", async () => {
    const daemon = new Daemon();
    const added = new Registrations().add(daemon.wanted("a"), sink(), AbortSignal.abort());
    await expect(added).rejects.toMatchObject({ name: "AbortError" });
    expect(daemon.log).toEqual([]);
  });
});
