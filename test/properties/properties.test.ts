/**
 * What holds for every type of every protocol: values round-trip, limits hold, and broken bytes are a value or an
 * XdrError. One file, so that the counts are printed once; `settings.ts` says how to run it longer or again.
 */
import { afterAll } from "vitest";
import { describeAllocation } from "./allocation.ts";
import { describeLimits } from "./limits.ts";
import { describeMutations } from "./mutations.ts";
import { describeRoundTrip } from "./round-trip.ts";
import { counts, runs, seed } from "./settings.ts";

describeRoundTrip();
describeLimits();
describeMutations();
describeAllocation();

afterAll(() => {
  const { types, ...numbers } = counts;
  const list = Object.entries({ types: types.size, ...numbers }).map(([name, count]) => `  ${name}: ${count}`);
  console.log(`property tests, VIRTWIRE_FUZZ_RUNS=${runs} VIRTWIRE_FUZZ_SEED=${seed}\n${list.join("\n")}`);
});
