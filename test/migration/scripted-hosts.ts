import type { NonnullDomain } from "../../src/generated/remote/index.ts";
import type { Clock } from "../../src/migration/job-watch.ts";
import { type Caller, type Procedure, XdrReader, XdrWriter } from "../../src/xdr/index.ts";

export type HostName = "source" | "destination";

export interface RecordedCall {
  readonly host: HostName;
  /** `DOMAIN_MIGRATE_BEGIN3` */
  readonly procedure: string;
  /** What the peer decodes. */
  readonly args: Record<string, unknown>;
}

/** What a host answers: a value, or an error to reject with, or a function that decides when asked. */
export type Answer = object | Error | ((call: RecordedCall) => object | Promise<object> | undefined);

/** By procedure, or by host and procedure: `GET_STATE`, `destination CONNECT_SUPPORTS_FEATURE`. */
export type Answers = Readonly<Record<string, Answer>>;

export const guest: NonnullDomain = { name: "web", uuid: Uint8Array.from({ length: 16 }, (_, i) => i), id: 7 };
export const landedGuest: NonnullDomain = { ...guest, id: 3 };

/** Two hosts that answer from a script and write down what they are asked. */
export class ScriptedHosts {
  readonly calls: RecordedCall[] = [];
  readonly source: Caller = this.#host("source");
  readonly destination: Caller = this.#host("destination");
  readonly #answers: Answers;
  #watchers: { procedure: string; count: number; seen: () => void }[] = [];

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** Resolves once the procedure has been called so often. */
  called(procedure: string, count = 1): Promise<void> {
    if (this.#count(procedure) >= count) return Promise.resolve();
    return new Promise((seen) => this.#watchers.push({ procedure, count, seen }));
  }

  #count(procedure: string): number {
    return this.calls.filter((call) => call.procedure === procedure).length;
  }

  #host(host: HostName): Caller {
    return {
      call: async <Args, Ret>(procedure: Procedure<Args, Ret>, args: Args): Promise<Ret> => {
        const w = new XdrWriter();
        procedure.args.encode(w, args);
        const received = procedure.args.decode(new XdrReader(w.bytes.slice(), { strict: true }));
        const call = { host, procedure: procedure.name, args: received as Record<string, unknown> };
        this.calls.push(call);
        this.#watchers = this.#watchers.filter(({ procedure, count, seen }) => {
          if (this.#count(procedure) < count) return true;
          seen();
          return false;
        });
        const scripted = this.#answers[`${host} ${call.procedure}`] ?? this.#answers[call.procedure];
        const answer = typeof scripted === "function" ? await scripted(call) : scripted;
        if (answer instanceof Error) throw answer;
        return (answer ?? {}) as Ret;
      },
      open: () => Promise.reject(new Error("protocol 3 without a tunnel opens no stream")),
    };
  }
}

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  time = 0;
  readonly #waiting = new Set<() => void>();

  now(): number {
    return this.time;
  }

  wait(_ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      this.#waiting.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** Ends every wait. */
  tick(ms = 100): void {
    this.time += ms;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export const cookie = (text: string): Uint8Array => new TextEncoder().encode(text);
