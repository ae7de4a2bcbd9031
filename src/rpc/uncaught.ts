/** Reports a mistake of the application like any other that nobody caught. It stops nothing here. */
export function uncaught(mistake: unknown): void {
  queueMicrotask(() => {
    throw mistake;
  });
}

/** Runs code of the application, whose mistakes are its own. */
export function harmless(run: () => void): void {
  try {
    run();
  } catch (mistake) {
    uncaught(mistake);
  }
}
