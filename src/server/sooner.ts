/** Goes on with a value at once where it is there, and later where it is a promise: what needs no waiting, waits not. */
export function sooner<T, Result>(
  value: T | Promise<T>,
  next: (value: T) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Whether all are true, asked one after the other, and no more once one is not. */
export function everySooner<T>(
  items: readonly T[],
  test: (item: T) => boolean | Promise<boolean>,
): boolean | Promise<boolean> {
  for (const [at, item] of items.entries()) {
    const verdict = test(item);
    if (verdict instanceof Promise) {
      return verdict.then((good) => good && everySooner(items.slice(at + 1), test));
    }
    if (!verdict) return false;
  }
  return true;
}

/** All values, once they are there. */
export function allSooner<T>(values: readonly (T | Promise<T>)[]): readonly T[] | Promise<readonly T[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as readonly T[]);
}

/** The items that pass, in their order. */
export function filterSooner<T>(
  items: readonly T[],
  test: (item: T) => boolean | Promise<boolean>,
): T[] | Promise<T[]> {
  return sooner(allSooner(items.map(test)), (verdicts) => items.filter((_, at) => verdicts[at]));
}
