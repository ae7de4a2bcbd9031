/**
 * How long the property tests run, and from which seed.
 *
 * - `VIRTWIRE_FUZZ_RUNS=n` multiplies the number of generated values and of sampled changes. Default 1: what `npm test`
 *   has time for. `VIRTWIRE_FUZZ_RUNS=50 npx vitest run test/properties` takes about a quarter of an hour.
 * - `VIRTWIRE_FUZZ_SEED=n` repeats a run. Default: always the same seed in the short run, so that a failure is one for
 *   everybody; a new one in a longer run. A failure prints the seed, the type and the input.
 */

export const runs = Math.max(1, Math.floor(Number(process.env.VIRTWIRE_FUZZ_RUNS ?? 1)) || 1);

export const seed = chosenSeed();

function chosenSeed(): number {
  const given = process.env.VIRTWIRE_FUZZ_SEED;
  if (given !== undefined && given !== "") return Number(given) | 0;
  return runs === 1 ? 20250303 : Date.now() | 0;
}

/** For one test, in milliseconds. The short run ends long before. */
export const timeout = 60_000 * runs;

/** What has been looked at, printed once at the end. */
export const counts = {
  types: new Set<string>(),
  values: 0,
  refusedValues: 0,
  atLimits: 0,
  truncations: 0,
  flips: 0,
  hostileWords: 0,
  byteStrings: 0,
  /** On the heap and beside it while decoding, garbage included, per byte of the frame, in the worst frame tried. */
  mostAllocatedPerByte: 0,
  accepted: 0,
  refused: 0,
};

/** Numbers from 0 up to `below`, the same ones for the same seed and label (mulberry32). */
export function randomNumbers(label: string): (below: number) => number {
  let state = seed;
  for (const letter of label) state = Math.imul(state ^ letter.charCodeAt(0), 0x9e3779b1);
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
