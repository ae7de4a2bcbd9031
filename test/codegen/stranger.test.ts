import { expect, test } from "vitest";
import { Peer, VirtError } from "../../src/rpc/index.ts";
import { createServer, serve } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";
import { calculatorV1, calculatorV2 } from "./emit/expected/calculator/index.ts";

// A protocol that is nobody's but the user's: generated from emit/calculator.x, served and called.

test("a program block: both versions are served side by side, and called by their clients", async () => {
  const deleted: string[] = [];
  await using server = createServer({
    programs: [
      serve(calculatorV1.calculatorDescription, { add: ({ a, b }) => a + b, null_: () => {} }),
      serve(calculatorV2.calculatorDescription, {
        add: ([a, b]) => a + b,
        spell: (number) => `${number}!`,
        delete_: (words) => void deleted.push(words),
      }),
    ],
  });
  const [near, far] = pair();
  server.accept(far);
  await using peer = new Peer(near);
  const v1 = new calculatorV1.CalculatorClient(peer);
  const v2 = new calculatorV2.CalculatorClient(peer);

  await v1.null_();
  expect(await v1.add({ a: 2, b: 3 })).toBe(5);
  expect(await v2.add([2, -3])).toBe(-1);
  expect(await v2.spell(2n ** 63n)).toBe("9223372036854775808!");
  await v2.delete_("seven");
  expect(deleted).toEqual(["seven"]);
  await expect(v2.null_()).rejects.toBeInstanceOf(VirtError); // version 2 has no handler for it
  await expect(v2.spell(-1n)).rejects.toThrow("range at byte 28, args: -1n is not an unsigned 64-bit integer");
});
