import { describe, expect, test } from "vitest";
import { VirDomainMigrateFlags as Flag } from "../../src/generated/libvirt/index.ts";
import type { DomainGetJobInfoRet } from "../../src/generated/remote/index.ts";
import { EventQueue, type MigrationEvent } from "../../src/migration/events.ts";
import { progressOf } from "../../src/migration/job-watch.ts";
import { type MigrateOptions, migrateBetween } from "../../src/migration/managed.ts";
import { AbortError, VirtError } from "../../src/rpc/index.ts";
import { type Answers, cookie, guest, landedGuest, ManualClock, ScriptedHosts } from "./scripted-hosts.ts";

const job: DomainGetJobInfoRet = {
  type: 2,
  timeElapsed: 5n,
  timeRemaining: 0n,
  dataTotal: 1000n,
  dataProcessed: 250n,
  dataRemaining: 750n,
  memTotal: 1000n,
  memProcessed: 250n,
  memRemaining: 750n,
  fileTotal: 0n,
  fileProcessed: 0n,
  fileRemaining: 0n,
};

const jobCancelled = new VirtError("operation aborted: migration out: canceled by client", 78, 10);
const cleanedUp = new VirtError("migration successfully aborted", 93, 10);

function hosts(script: Answers): ScriptedHosts {
  return new ScriptedHosts({
    CONNECT_SUPPORTS_FEATURE: { supported: 1 },
    DOMAIN_GET_STATE: { state: 1, reason: 1 },
    DOMAIN_MIGRATE_BEGIN3_PARAMS: { cookieOut: cookie("c1"), xml: "<begin/>" },
    DOMAIN_MIGRATE_PREPARE3_PARAMS: { cookieOut: cookie("c2"), uriOut: "tcp:dst:1" },
    DOMAIN_MIGRATE_PERFORM3_PARAMS: { cookieOut: cookie("c3") },
    DOMAIN_MIGRATE_FINISH3_PARAMS: ({ args }) => {
      if (args.cancelled !== 0) throw cleanedUp;
      return { dom: landedGuest, cookieOut: cookie("c4") };
    },
    DOMAIN_MIGRATE_CONFIRM3_PARAMS: {},
    DOMAIN_GET_JOB_INFO: job,
    ...script,
  });
}

function start(script: ScriptedHosts, options: MigrateOptions) {
  return migrateBetween(script.source, guest, script.destination, options);
}

/** The calls from Begin on: `BEGIN3`, `PREPARE3`, `FINISH3 cancelled=1 cookie=c2`. */
function sequence(script: ScriptedHosts): string[] {
  return script.calls
    .filter(({ procedure }) => !procedure.startsWith("CONNECT_") && procedure !== "DOMAIN_GET_STATE")
    .map(({ procedure, args }) => {
      const name = procedure.replace(/DOMAIN_(MIGRATE_)?/, "").replace("_PARAMS", "");
      if (!("cancelled" in args)) return name;
      return `${name} cancelled=${args.cancelled} cookie=${new TextDecoder().decode(args.cookieIn as Uint8Array)}`;
    });
}

const brief = (events: readonly MigrationEvent[]) => events.map(({ step, phase }) => `${step} ${phase}`);

describe("migration/progress", () => {
  test("every call is announced and reported with its time; Perform with what the source said of its job", async () => {
    const clock = new ManualClock();
    const events: MigrationEvent[] = [];
    const script = hosts({
      DOMAIN_MIGRATE_PERFORM3_PARAMS: async () => {
        clock.tick(100);
        await reported(2);
        clock.tick(100);
        await reported(3);
        return { cookieOut: cookie("c3") };
      },
      DOMAIN_MIGRATE_FINISH3_PARAMS: () => {
        clock.time += 7;
        return { dom: landedGuest, cookieOut: cookie("") };
      },
    });
    let wake = () => {};
    const reported = async (count: number) => {
      while (events.filter(({ step }) => step === "perform").length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    const onProgress = (event: MigrationEvent) => {
      events.push(event);
      wake();
    };
    await expect(start(script, { clock, onProgress })).resolves.toEqual(landedGuest);
    expect(events).toEqual([
      { step: "begin", phase: "started", cancelled: false },
      { step: "begin", phase: "done", cancelled: false, ms: 0 },
      { step: "prepare", phase: "started", cancelled: false },
      { step: "prepare", phase: "done", cancelled: false, ms: 0 },
      { step: "perform", phase: "started", cancelled: false },
      { step: "perform", phase: "running", ms: 100, job },
      { step: "perform", phase: "running", ms: 200, job },
      { step: "perform", phase: "done", cancelled: false, ms: 200, bytes: 250n },
      { step: "finish", phase: "started", cancelled: false },
      { step: "finish", phase: "done", cancelled: false, ms: 7 },
      { step: "confirm", phase: "started", cancelled: false },
      { step: "confirm", phase: "done", cancelled: false, ms: 0 },
    ]);
  });

  test("a failure and the clean-up after it are reported as such", async () => {
    const error = new VirtError("no", 1, 10);
    const events: MigrationEvent[] = [];
    const script = hosts({ DOMAIN_MIGRATE_PERFORM3_PARAMS: error });
    await expect(start(script, { onProgress: (event) => events.push(event) })).rejects.toBe(error);
    expect(events.slice(4)).toEqual([
      { step: "perform", phase: "started", cancelled: false },
      { step: "perform", phase: "failed", cancelled: false, ms: expect.any(Number), error },
      { step: "finish", phase: "started", cancelled: true },
      { step: "finish", phase: "failed", cancelled: true, ms: expect.any(Number), error: cleanedUp },
    ]);
  });

  test("the source's job is asked for on the source, only while Perform runs; its errors are ignored", async () => {
    const clock = new ManualClock();
    const script = hosts({
      DOMAIN_GET_JOB_INFO: new VirtError("no job", 55, 10),
      DOMAIN_MIGRATE_PERFORM3_PARAMS: async () => {
        clock.tick();
        await script.called("DOMAIN_GET_JOB_INFO", 1);
        await Promise.resolve();
        return { cookieOut: cookie("c3") };
      },
    });
    const events: MigrationEvent[] = [];
    await start(script, { clock, onProgress: (event) => events.push(event) });
    clock.tick();
    expect(sequence(script)).toEqual([
      "BEGIN3",
      "PREPARE3",
      "PERFORM3",
      "GET_JOB_INFO",
      "FINISH3 cancelled=0 cookie=c3",
      "CONFIRM3 cancelled=0 cookie=c4",
    ]);
    expect(script.calls.find(({ procedure }) => procedure === "DOMAIN_GET_JOB_INFO")?.host).toBe("source");
    expect(brief(events)).not.toContain("perform running");
  });

  test("nobody listens: the job is not asked for", async () => {
    const clock = new ManualClock();
    const script = hosts({
      DOMAIN_MIGRATE_PERFORM3_PARAMS: () => {
        clock.tick();
        return { cookieOut: cookie("c3") };
      },
    });
    await start(script, { clock });
    expect(sequence(script)).not.toContain("GET_JOB_INFO");
  });

  test("a listener that throws gives the migration up, with the clean-up", async () => {
    const fault = new Error("listener");
    const script = hosts({});
    const onProgress = ({ step, phase }: MigrationEvent) => {
      if (step === "prepare" && phase === "started") throw fault;
    };
    await expect(start(script, { onProgress })).rejects.toMatchObject({ name: "AbortError", cause: fault });
    expect(sequence(script)).toEqual([
      "BEGIN3",
      "PREPARE3",
      "FINISH3 cancelled=1 cookie=c2",
      "CONFIRM3 cancelled=1 cookie=",
    ]);
  });

  test("the share that is done", () => {
    expect(progressOf(job)).toBe(0.25);
    expect(progressOf({ ...job, dataTotal: 0n, dataRemaining: 0n })).toBeUndefined();
  });
});

describe("migration/events-queue", () => {
  const running: MigrationEvent = { step: "perform", phase: "running", ms: 1, job };
  const started: MigrationEvent = { step: "perform", phase: "started", cancelled: false };

  test("a reader that lags gets every step, and of the job only the newest", async () => {
    const queue = new EventQueue();
    for (const event of [started, running, { ...running, ms: 2 }, { ...running, ms: 3 }]) queue.push(event);
    queue.end({});
    const read: MigrationEvent[] = [];
    for await (const event of queue.read()) read.push(event);
    expect(read).toEqual([started, { ...running, ms: 3 }]);
  });

  test("a reader that waits gets the event when it comes, and the error at the end once", async () => {
    const queue = new EventQueue();
    const reader = queue.read();
    const first = reader.next();
    queue.push(started);
    expect(await first).toEqual({ done: false, value: started });
    const second = reader.next();
    queue.end({ error: new Error("over") });
    await expect(second).rejects.toThrow("over");
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });

  test("a reader that asks ahead gets each event once", async () => {
    const queue = new EventQueue();
    const reader = queue.read();
    const ahead = [reader.next(), reader.next(), reader.next()];
    queue.push(started);
    queue.push(running);
    queue.end({});
    expect((await Promise.all(ahead)).map(({ value }) => value)).toEqual([started, running, undefined]);
  });
});

describe("migration/abort", () => {
  /** Aborts while the given procedure is being answered. */
  function abortDuring(procedure: string, answer: object | Error, flags = 0) {
    const control = new AbortController();
    const script = hosts({
      [procedure]: () => {
        control.abort("enough");
        if (answer instanceof Error) throw answer;
        return answer;
      },
    });
    return { script, result: start(script, { signal: control.signal, flags }) };
  }

  test("before the start: nothing is called", async () => {
    const script = hosts({});
    await expect(start(script, { signal: AbortSignal.abort("enough") })).rejects.toBeInstanceOf(AbortError);
    expect(script.calls).toEqual([]);
  });

  test("during the questions at the start: nothing is begun", async () => {
    const { script, result } = abortDuring("CONNECT_SUPPORTS_FEATURE", { supported: 1 });
    await expect(result).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
    expect(sequence(script)).toEqual([]);
  });

  test("during Begin: its job is released", async () => {
    const { script, result } = abortDuring("DOMAIN_MIGRATE_BEGIN3_PARAMS", { cookieOut: cookie("c1"), xml: "<x/>" });
    await expect(result).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
    expect(sequence(script)).toEqual(["BEGIN3", "CONFIRM3 cancelled=1 cookie="]);
  });

  test("during Prepare: the destination drops what it prepared, the source its job", async () => {
    const { script, result } = abortDuring("DOMAIN_MIGRATE_PREPARE3_PARAMS", { cookieOut: cookie("c2"), uriOut: "u" });
    await expect(result).rejects.toMatchObject({ name: "AbortError" });
    expect(sequence(script)).toEqual([
      "BEGIN3",
      "PREPARE3",
      "FINISH3 cancelled=1 cookie=c2",
      "CONFIRM3 cancelled=1 cookie=",
    ]);
  });

  test("during Perform: ABORT_JOB on the source, which then fails Perform", async () => {
    const control = new AbortController();
    const script = hosts({
      DOMAIN_ABORT_JOB: {},
      DOMAIN_MIGRATE_PERFORM3_PARAMS: async () => {
        control.abort("enough");
        await script.called("DOMAIN_ABORT_JOB");
        throw jobCancelled;
      },
    });
    await expect(start(script, { signal: control.signal })).rejects.toMatchObject({
      name: "AbortError",
      cause: "enough",
    });
    expect(sequence(script)).toEqual(["BEGIN3", "PREPARE3", "PERFORM3", "ABORT_JOB", "FINISH3 cancelled=1 cookie="]);
    expect(script.calls.find(({ procedure }) => procedure === "DOMAIN_ABORT_JOB")?.host).toBe("source");
  });

  test("during Perform, refused because there is no job yet: tried again until it is taken", async () => {
    const control = new AbortController();
    const clock = new ManualClock();
    let refusals = 2;
    const script = hosts({
      DOMAIN_ABORT_JOB: () => {
        queueMicrotask(() => setImmediate(() => clock.tick()));
        if (refusals-- > 0) throw new VirtError("Requested operation is not valid: no job is active", 55, 10);
        return {};
      },
      DOMAIN_MIGRATE_PERFORM3_PARAMS: async () => {
        control.abort();
        await script.called("DOMAIN_ABORT_JOB", 3);
        throw jobCancelled;
      },
    });
    await expect(start(script, { signal: control.signal, clock })).rejects.toBeInstanceOf(AbortError);
    expect(sequence(script).filter((name) => name === "ABORT_JOB")).toHaveLength(3);
  });

  test("during Perform, which fails for another reason: that is the error", async () => {
    const lost = new VirtError("operation failed: lost", 9, 10);
    const control = new AbortController();
    const script = hosts({
      DOMAIN_MIGRATE_PERFORM3_PARAMS: () => {
        control.abort();
        throw lost;
      },
    });
    await expect(start(script, { signal: control.signal })).rejects.toBe(lost);
  });

  test("during Perform, which succeeds all the same: both sides are told that it was cancelled", async () => {
    const { script, result } = abortDuring("DOMAIN_MIGRATE_PERFORM3_PARAMS", { cookieOut: cookie("c3") });
    await expect(result).rejects.toBeInstanceOf(AbortError);
    expect(sequence(script).filter((name) => name !== "ABORT_JOB")).toEqual([
      "BEGIN3",
      "PREPARE3",
      "PERFORM3",
      "FINISH3 cancelled=1 cookie=c3",
      "CONFIRM3 cancelled=1 cookie=",
    ]);
  });

  test("during a post-copy Perform that succeeds: the guest is on its way and is let through", async () => {
    const flags = Flag.VIR_MIGRATE_POSTCOPY;
    const { script, result } = abortDuring("DOMAIN_MIGRATE_PERFORM3_PARAMS", { cookieOut: cookie("c3") }, flags);
    await expect(result).resolves.toEqual(landedGuest);
    expect(sequence(script).at(-1)).toBe("CONFIRM3 cancelled=0 cookie=c4");
  });

  test("during Finish: too late", async () => {
    const answer = { dom: landedGuest, cookieOut: cookie("c4") };
    const { script, result } = abortDuring("DOMAIN_MIGRATE_FINISH3_PARAMS", answer);
    await expect(result).resolves.toEqual(landedGuest);
    expect(sequence(script).at(-1)).toBe("CONFIRM3 cancelled=0 cookie=c4");
  });
});
