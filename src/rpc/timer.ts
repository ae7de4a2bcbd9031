/** The longest delay that timers take: 24.8 days. They run at once for a longer one, Infinity included. */
const LONGEST = 0x7fffffff;

/** setTimeout for delays that come from the user. */
export function startTimer(run: () => void, milliseconds: number): ReturnType<typeof setTimeout> {
  return setTimeout(run, Math.min(milliseconds, LONGEST));
}
