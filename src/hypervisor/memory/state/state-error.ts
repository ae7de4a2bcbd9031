/** A folder with a host's state that cannot be used as it is. Nothing in it has been changed. */
export class StateError extends Error {
  override readonly name = "StateError";
  /** The file or the folder that it is about. */
  readonly path: string;

  constructor(path: string, detail: string, options?: ErrorOptions) {
    super(`${path} ${detail}`, options);
    this.path = path;
  }
}

/** What a failed step says of a file, with the file's name. */
export function stateError(path: string, cause: unknown): StateError {
  if (cause instanceof StateError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StateError(path, `cannot be read: ${reason}`, { cause });
}
