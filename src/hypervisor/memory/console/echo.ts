import type { ServerStream } from "../../../rpc/index.ts";

/**
 * What a guest in memory says on its consoles and channels: what it hears. Ends when the client finishes, or when the
 * device is taken from it.
 */
export async function echo(stream: ServerStream, ended: AbortSignal): Promise<void> {
  const gone = new Promise<undefined>((resolve) => {
    if (ended.aborted) resolve(undefined);
    else ended.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const heard = stream[Symbol.asyncIterator]();
  while (!ended.aborted) {
    const next = heard.next();
    const result = await Promise.race([next, gone]);
    if (result === undefined) {
      // What comes too late is nobody's.
      next.then(
        ({ value }) => value?.release(),
        () => {},
      );
      return;
    }
    if (result.done === true) return;
    try {
      await stream.write(result.value.bytes);
    } finally {
      result.value.release();
    }
  }
}
