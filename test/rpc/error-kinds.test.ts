import { expect, test } from "vitest";
import { VirErrorNumber } from "../../src/generated/libvirt/index.ts";
import {
  AbortError,
  isAborted,
  isAuthFailed,
  isDenied,
  isExists,
  isInvalid,
  isNotFound,
  isTimeout,
  isUnsupported,
  TimeoutError,
  virtError,
} from "../../src/rpc/index.ts";

const kinds = { isAborted, isAuthFailed, isDenied, isExists, isInvalid, isNotFound, isTimeout, isUnsupported };
const names = Object.entries(VirErrorNumber);

/** The kinds of which a code is. */
const kindsOf = (code: number) =>
  Object.entries(kinds)
    .filter(([, is]) => is(virtError(code, 0)))
    .map(([name]) => name);

test("error-kinds/one: no code is of two kinds", () => {
  for (const [name, code] of names) expect(kindsOf(code).length, name).toBeLessThan(2);
});

test.each([
  [/^VIR_ERR_NO_(DOMAIN|NETWORK|STORAGE|NODE_DEVICE|INTERFACE|NWFILTER|SECRET|SERVER|CLIENT)/, "isNotFound"],
  [/_EXIST$/, "isExists"],
  [/^VIR_ERR_INVALID_/, "isInvalid"],
  [/^VIR_ERR_AUTH_/, "isAuthFailed"],
  [/(_DENIED)$/, "isDenied"],
  [/(_UNSUPPORTED|^VIR_ERR_NO_SUPPORT)$/, "isUnsupported"],
  [/_TIMEOUT$/, "isTimeout"],
])("error-kinds/by-name: %s", (pattern, kind) => {
  const fitting = names.filter(([name]) => pattern.test(name));
  expect(fitting.length).toBeGreaterThan(0);
  for (const [name, code] of fitting) expect([name, kindsOf(code)]).toEqual([name, [kind]]);
});

test("error-kinds/ours: errors that no daemon sent", () => {
  expect([isTimeout(new TimeoutError("late")), isAborted(new AbortError("why"))]).toEqual([true, true]);
  expect([isTimeout(new AbortError("why")), isAborted(new TimeoutError("late"))]).toEqual([false, false]);
});

test.each([undefined, null, "text", 42, new Error("Domain not found"), { code: 42 }, virtError(4711, 0)])(
  "error-kinds/nothing-else: %s",
  (error) => {
    for (const is of Object.values(kinds)) expect(is(error)).toBe(false);
  },
);
