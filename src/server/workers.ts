import { VirErrorDomain, VirErrorNumber } from "../generated/libvirt/index.ts";
import { type AnyHandler, startTimer, type VirtError, virtError } from "../rpc/index.ts";
import type { CallContext, Session } from "./session.ts";

/** The figures of a server's workers, libvirt's thread pool: VIR_THREADPOOL_WORKERS_*. */
export interface WorkerFigures {
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly priorityWorkers: number;
  /** How many there are: the busy ones, and never less than `minWorkers`. */
  readonly workers: number;
  readonly freeWorkers: number;
  /** Calls that wait for a worker. */
  readonly jobQueueDepth: number;
}

export interface WorkerLimits {
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly priorityWorkers: number;
  /** Milliseconds; 0 for ever. */
  readonly maxWorkerTime: number;
}

/** One for everything, or one of those that take calls of high priority only. */
type Worker = "ordinary" | "priority";

/** A handler that did not answer at once. */
interface Task {
  readonly session: Session;
  readonly worker: Worker;
  /** When it began, by `performance.now()`. */
  readonly since: number;
}

/** A call that waits for a worker. */
interface Job {
  readonly session: Session;
  /** Counts up: its place in the order of both queues. */
  readonly turn: number;
  readonly start: (worker: Worker) => void;
  readonly giveUp: (error: VirtError) => void;
}

/**
 * How many handlers may be in progress at once. In Node a worker is no thread but a handler that has begun and has not
 * answered yet: one that answers at once occupies nobody. As in libvirt further calls wait in the order they came,
 * and when all are busy some more are there for procedures of high priority.
 *
 * The handlers of a client that is gone count no more, and neither does one that takes too long while others wait: in
 * Node that costs no thread, and handlers that never answer must not be the end of all.
 * @source virThreadPoolWorker, libvirt src/util/virthreadpool.c
 */
export class Workers {
  #limits: WorkerLimits;
  // Counted apart: where those of high priority keep everybody busy, the others still get their turn.
  #busy: Record<Worker, number> = { ordinary: 0, priority: 0 };
  #turn = 0;
  /** In the order they began: those that have a worker. */
  readonly #tasks = new Set<Task>();
  /** The oldest of them, as long as somebody waits for its worker. */
  #watched: Task | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #high = new Set<Job>();
  readonly #low = new Set<Job>();

  constructor(limits: WorkerLimits) {
    this.#limits = limits;
  }

  /** New limits. Handlers in progress go on. */
  set limits(limits: WorkerLimits) {
    this.#limits = limits;
    clearTimeout(this.#timer);
    this.#watched = undefined; // whose time may have changed
    this.#next();
  }

  get figures(): WorkerFigures {
    const { minWorkers, maxWorkers, priorityWorkers } = this.#limits;
    const busy = this.#busy.ordinary;
    const workers = Math.max(minWorkers, Math.min(busy, maxWorkers));
    const freeWorkers = Math.max(0, workers - busy);
    const jobQueueDepth = this.#high.size + this.#low.size;
    return { minWorkers, maxWorkers, priorityWorkers, workers, freeWorkers, jobQueueDepth };
  }

  /** A handler that takes a worker while it is in progress. */
  wrap(handler: AnyHandler<CallContext>, priority: "high" | "low"): AnyHandler<CallContext> {
    const high = priority === "high";
    return (args: unknown, context: CallContext): unknown => {
      const worker = this.#free(high);
      if (worker === undefined) {
        return this.#wait(context.session, high).then((turn) => this.#run(turn, handler, args, context));
      }
      this.#busy[worker]++;
      return this.#run(worker, handler, args, context);
    };
  }

  /** A client has gone, and with it the calls of its that wait. */
  forget(session: Session): void {
    for (const queue of [this.#high, this.#low]) {
      for (const job of queue) {
        if (job.session !== session) continue;
        queue.delete(job);
        job.giveUp(gone());
      }
    }
    for (const task of this.#tasks) if (task.session === session) this.#release(task);
    this.#next();
  }

  #free(high: boolean): Worker | undefined {
    const { maxWorkers, priorityWorkers } = this.#limits;
    if (this.#busy.ordinary < maxWorkers) return "ordinary";
    return high && this.#busy.priority < priorityWorkers ? "priority" : undefined;
  }

  #wait(session: Session, high: boolean): Promise<Worker> {
    return new Promise((start, giveUp) => {
      (high ? this.#high : this.#low).add({ session, turn: this.#turn++, start, giveUp });
      this.#watch();
    });
  }

  /** Runs a handler whose worker has been taken. */
  #run(worker: Worker, handler: AnyHandler<CallContext>, args: unknown, context: CallContext): unknown {
    const { session } = context;
    let result: unknown;
    try {
      if (session.closed) throw gone(); // between its turn and now
      result = handler(args, context);
    } catch (error) {
      this.#done(worker);
      throw error;
    }
    if (session.closed || typeof (result as { then?: unknown } | null | undefined)?.then !== "function") {
      this.#done(worker);
      return result;
    }
    const task: Task = { session, worker, since: performance.now() };
    this.#tasks.add(task);
    this.#watch();
    const done = () => this.#release(task);
    (result as Promise<unknown>).then(done, done);
    return result;
  }

  #release(task: Task): void {
    if (this.#tasks.delete(task)) this.#done(task.worker);
  }

  #done(worker: Worker): void {
    this.#busy[worker]--;
    if (this.#watched !== undefined || this.#high.size + this.#low.size > 0) this.#next();
  }

  /** Starts the calls that wait, as far as there are workers for them. */
  #next(): void {
    for (let worker = this.#free(true); worker !== undefined; worker = this.#free(true)) {
      const [high] = this.#high;
      const [low] = worker === "ordinary" ? this.#low : [];
      const job = high === undefined || (low !== undefined && low.turn < high.turn) ? low : high;
      if (job === undefined) break;
      (job === low ? this.#low : this.#high).delete(job);
      this.#busy[worker]++;
      job.start(worker);
    }
    this.#watch();
  }

  /** As long as calls wait: takes the worker of the handler that has taken longest, when that is too long. */
  #watch(): void {
    const { maxWorkerTime } = this.#limits;
    const [oldest] = this.#high.size + this.#low.size > 0 && maxWorkerTime > 0 ? this.#tasks : [];
    if (oldest === this.#watched) return;
    this.#watched = oldest;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (oldest === undefined) return;
    const left = oldest.since + maxWorkerTime - performance.now();
    this.#timer = startTimer(() => this.#release(oldest), Math.max(0, left));
    this.#timer.unref();
  }
}

function gone(): VirtError {
  const { VIR_ERR_OPERATION_ABORTED } = VirErrorNumber;
  return virtError(VIR_ERR_OPERATION_ABORTED, VirErrorDomain.VIR_FROM_RPC, "the client is gone");
}
