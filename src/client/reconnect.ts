import {
  type Call,
  LostCallError,
  type LostCalls,
  type Peer,
  ProtocolError,
  startTimer,
  TimeoutError,
  TransportError,
} from "../rpc/index.ts";

/** How a connection is opened again after it was lost. */
export interface ReconnectOptions {
  /**
   * Milliseconds before each attempt, the last one again and again. They begin anew when a link was up for as long as
   * the last of them: a daemon that takes connections and drops them is not dialled without pause. Each is shortened
   * by chance, by up to half, so that the clients of a daemon do not all come at once. Default 100, 500, 1000, 2000,
   * 5000, 10000, 30000.
   */
  readonly delays?: readonly number[];
  /** Attempts in a row before it is given up. Default: no limit. */
  readonly maxAttempts?: number;
  /** With so many waiting, further calls fail at once; those that waited before are kept in any case. Default 1000. */
  readonly maxWaiting?: number;
  /** From 0 to 1. Default Math.random. */
  readonly random?: () => number;
  /** Waits, and must resolve early when the signal fires. Default: a timer, which keeps the process alive as a socket does. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** What lay between two links of a connection. */
export interface Gap {
  /** How the last one ended. */
  readonly reason: Error;
  /** Attempts that it took to open the next one. */
  readonly attempts: number;
}

/**
 * - `up`: calls go out.
 * - `down`: the next attempt waits for its time.
 * - `dialling`: an attempt is being made.
 * - `restoring`: the new link is there, and who wanted to know of it registers again; other calls go out too, those
 *   that waited do not yet.
 * - `over`: closed, or given up.
 */
type State = "up" | "down" | "dialling" | "restoring" | "over";

/** What happens, and where it leads. What is not listed changes nothing. */
const moves = {
  up: { lost: "down", close: "over" },
  down: { dial: "dialling", close: "over" },
  dialling: { opened: "restoring", failed: "down", givenUp: "over", close: "over" },
  restoring: { restored: "up", lost: "down", close: "over" },
  over: {},
} as const satisfies Record<State, Partial<Record<Happening, State>>>;

type Happening = "lost" | "dial" | "opened" | "failed" | "givenUp" | "restored" | "close";

/** Failures of a pipe after which another attempt may go better. Certificates, keys and options stay as they are. */
const passing: ReadonlySet<string> = new Set(["connect", "eof", "io", "closed", "keepalive", "tls"]);

const DELAYS = [100, 500, 1000, 2000, 5000, 10_000, 30_000];

/** Opens a lost connection again, and keeps the calls that have not been sent. None that was is sent again. */
export class Reconnector<Link extends { readonly peer: Peer }> {
  readonly #options: ReconnectOptions;
  readonly #open: (signal: AbortSignal, attempt: number) => Promise<Link>;
  readonly #restore: (link: Link, gap: Gap) => Promise<void>;
  readonly #over: (error: Error) => void;
  readonly #end = new AbortController();
  #waiting = new Set<Call>();
  #state: State = "up";
  #link: Link;
  /** Since the connection was lost. */
  #attempts = 0;
  /** Which of the delays comes next. */
  #step = 0;
  /** When the present link was there. */
  #upSince = performance.now();
  /** The attempts being made. */
  #work: Promise<void> = Promise.resolve();

  /**
   * @param open opens the connection again
   * @param restore puts a new link in the place of the old one; waiting calls go out when it resolves
   * @param over the connection cannot be opened again
   */
  constructor(
    link: Link,
    options: ReconnectOptions,
    open: (signal: AbortSignal, attempt: number) => Promise<Link>,
    restore: (link: Link, gap: Gap) => Promise<void>,
    over: (error: Error) => void,
  ) {
    this.#link = link;
    this.#options = options;
    this.#open = open;
    this.#restore = restore;
    this.#over = over;
    this.#watch(link);
  }

  /** Whether there is no link that calls could go out on. */
  get isDown(): boolean {
    return this.#state === "down" || this.#state === "dialling";
  }

  /** Keeps a call until there is a link again. */
  hold(call: Call): void {
    const { maxWaiting = 1000 } = this.#options;
    if (this.#waiting.size >= maxWaiting) {
      call.fail(new TransportError("lost", `the connection was lost, and ${maxWaiting} calls wait for the next`));
      return;
    }
    this.#keep(call);
  }

  /** The end: what waits fails, nothing is opened any more. Resolves when no attempt is being made any more. */
  async close(reason: Error): Promise<void> {
    const { isDown } = this;
    if (!this.#move("close")) return;
    this.#end.abort(reason);
    this.#fail(reason);
    if (isDown) await this.#work;
  }

  #watch(link: Link): void {
    link.peer.onLost((calls, reason) => {
      if (this.#move("lost")) this.#lost(calls, reason);
      else for (const call of [...calls.sent, ...calls.unsent]) call.fail(reason);
    });
  }

  #lost({ sent, unsent }: LostCalls, reason: Error): void {
    if (performance.now() - this.#upSince >= (this.#delays.at(-1) as number)) this.#step = 0;
    const later = this.#waiting;
    this.#waiting = new Set();
    for (const call of [...unsent, ...later]) this.#keep(call);
    for (const call of sent) call.fail(new LostCallError(call.procedure.name, reason));
    this.#work = this.#reopen(reason);
  }

  async #reopen(reason: Error): Promise<void> {
    const { sleep = pause, maxAttempts = Number.POSITIVE_INFINITY } = this.#options;
    const { signal } = this.#end;
    for (;;) {
      await sleep(this.#delay(), signal);
      if (!this.#move("dial")) return;
      this.#attempts++;
      let link: Link;
      try {
        link = await this.#open(signal, this.#attempts);
      } catch (error) {
        if (mayPass(error) && this.#attempts < maxAttempts) {
          if (!this.#move("failed")) return;
          continue;
        }
        if (this.#move("givenUp")) this.#giveUp(error, reason);
        return;
      }
      if (!this.#move("opened")) {
        await link.peer.close(reason);
        return;
      }
      this.#link = link;
      this.#upSince = performance.now();
      this.#watch(link);
      if (this.#state !== "restoring") return; // lost already
      await this.#restore(link, { reason, attempts: this.#attempts });
      // It may have been lost meanwhile, and even be back.
      if (this.#link === link && this.#move("restored")) this.#release(link);
      return;
    }
  }

  get #delays(): readonly number[] {
    return this.#options.delays ?? DELAYS;
  }

  #delay(): number {
    const { random = Math.random } = this.#options;
    const delay = this.#delays[Math.min(this.#step++, this.#delays.length - 1)] as number;
    return delay * (1 - random() / 2);
  }

  #release(link: Link): void {
    this.#attempts = 0;
    const calls = this.#waiting;
    this.#waiting = new Set();
    for (const call of calls) {
      call.waitsIn = undefined;
      link.peer.adopt(call);
    }
  }

  #giveUp(cause: unknown, reason: Error): void {
    const detail = `the connection was lost (${reason.message}) and could not be opened again`;
    const error = new TransportError("lost", detail, { cause });
    this.#fail(error);
    this.#over(error);
  }

  #keep(call: Call): void {
    call.waitsIn = this.#waiting;
    this.#waiting.add(call);
  }

  #fail(error: Error): void {
    const calls = this.#waiting;
    this.#waiting = new Set();
    for (const call of calls) call.fail(error);
  }

  #move(happening: Happening): boolean {
    const to = (moves[this.#state] as Partial<Record<Happening, State>>)[happening];
    if (to === undefined) return false;
    this.#state = to;
    return true;
  }
}

/** Whether another attempt may go better: not where the daemon has answered, and refused. */
function mayPass(error: unknown): boolean {
  if (error instanceof TransportError) return passing.has(error.code);
  return error instanceof TimeoutError || error instanceof ProtocolError;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = startTimer(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
