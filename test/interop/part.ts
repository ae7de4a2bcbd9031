import { describe, expect, test } from "vitest";

/**
 * A part of the interop tests that needs something of the machine. Where that is missing it is skipped with the reason
 * in its name; with `CI` set it fails, because there everything has to run.
 */
export function part(name: string, obstacle: string | undefined, define: () => void): void {
  if (obstacle === undefined) {
    describe(name, define);
  } else if (process.env.CI) {
    test(`${name}: must run where CI is set`, () => expect.fail(obstacle));
  } else {
    console.warn(`${name}: not run here: ${obstacle}`);
    describe.skipIf(true)(`${name} (${obstacle})`, define);
  }
}
