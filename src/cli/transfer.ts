import { Presets, SingleBar } from "cli-progress";
import { AbortError } from "../rpc/index.ts";
import type { Progress } from "../stream/index.ts";
import { VerbError } from "./output.ts";

/** What a transfer is run with. */
export interface TransferOptions {
  readonly signal: AbortSignal;
  readonly progress?: (progress: Progress) => void;
}

/** Runs a transfer that an interrupt ends in order, with a bar on standard error where one is wanted. */
export async function transferring<T>(
  wantsBar: boolean,
  transfer: (options: TransferOptions) => Promise<T>,
): Promise<T> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(); // a second one ends the process
  process.once("SIGINT", onInterrupt);
  const bar = wantsBar ? new TransferBar() : undefined;
  try {
    const { signal } = interrupt;
    return await transfer(bar === undefined ? { signal } : { signal, progress: (progress) => bar.show(progress) });
  } catch (error) {
    if (error instanceof AbortError && interrupt.signal.aborted) throw new VerbError("interrupted");
    throw error;
  } finally {
    bar?.stop();
    process.removeListener("SIGINT", onInterrupt);
  }
}

class TransferBar {
  readonly #bar = new SingleBar(
    { format: "{bar} {percentage} %  {done} of {size}, {rate}/s", hideCursor: true, barsize: 30, noTTYOutput: true },
    Presets.shades_classic,
  );
  #isShown = false;

  show({ bytes, holes, total, rate }: Progress): void {
    const done = bytes + holes;
    const size = total ?? done;
    const payload = { done: mebibytes(done), size: mebibytes(size), rate: mebibytes(rate) };
    if (!this.#isShown) this.#bar.start(size, done, payload);
    this.#isShown = true;
    this.#bar.setTotal(size);
    this.#bar.update(done, payload);
  }

  stop(): void {
    if (this.#isShown) this.#bar.stop();
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
