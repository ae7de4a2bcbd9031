import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { domainLookupByName, type RemoteHandlers, remoteDescription } from "../../src/generated/remote/index.ts";
import { type CallContext, createServer, serve } from "../../src/server/index.ts";
import { leavesNothing } from "./fake-daemon.ts";

/** VIRTWIRE_SOAK=1 runs the whole of it, and prints what it found. */
const whole = process.env.VIRTWIRE_SOAK === "1";
const WARM_UP = whole ? 1000 : 100;
const CYCLES = whole ? 10_000 : 500;
/** Bytes by which the heap may differ afterwards: 100 in each cycle of the whole would show, 2000 in each otherwise. */
const SLACK = 1_000_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

const handlers: RemoteHandlers<CallContext> = {
  authList: () => ({ types: [0] }),
  connectOpen: () => {},
  connectClose: (_, { session }) => session.closeAfterReply(),
  connectSupportsFeature: () => ({ supported: 1 }),
  domainLookupByName: ({ name }) => ({ dom: { name, uuid: new Uint8Array(16), id: 1 } }),
};

test(
  `soak/connect-and-close: ${CYCLES} times, memory stays flat and nothing is left`,
  async () => {
    await leavesNothing(async () => {
      const directory = mkdtempSync(join(tmpdir(), "soak-"));
      const path = join(directory, "sock");
      const programs = [serve(remoteDescription, handlers)];
      await using server = createServer({ listen: [`unix:${path}`], programs });
      await server.listen();
      const uri = `test+unix:///default?socket=${path}`;
      const cycle = async (reconnect: boolean) => {
        const conn = await connect(uri, { reconnect });
        expect((await conn.call(domainLookupByName, { name: "web" }, { timeout: 60_000 })).dom.id).toBe(1);
        await conn.close();
      };
      for (let i = 0; i < WARM_UP; i++) await cycle(i % 2 === 0);
      const before = await heap();
      const figures = [before];
      for (let i = 1; i <= CYCLES; i++) {
        await cycle(i % 2 === 0);
        if (i % (CYCLES / 10) === 0) figures.push(await heap());
      }
      if (whole) {
        const megabytes = figures.map((bytes) => (bytes / 2 ** 20).toFixed(2)).join(" ");
        process.stdout.write(`heap in MiB, every ${CYCLES / 10} of ${CYCLES} cycles: ${megabytes}\n`);
        process.stdout.write(`resources: ${process.getActiveResourcesInfo().join(" ")}\n`);
      }
      expect((figures.at(-1) as number) - before).toBeLessThan(SLACK);
      expect(server.sessions).toHaveLength(0);
      rmSync(directory, { recursive: true });
    });
  },
  whole ? 600_000 : 120_000,
);
