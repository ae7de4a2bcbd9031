/** `npm run bench -- NAME [--json FILE] [--full]` */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BenchResult, save } from "./harness/result.ts";

/** The checkout: this file runs as bench/dist/run.js. */
const root = fileURLToPath(new URL("../..", import.meta.url));

const usage = `npm run bench -- NAME [options]

  codec       encoding and decoding, beside C and every JavaScript peer
  figures     time to generate, time to import, size in a browser bundle
  rpc         calls to a real libvirtd, beside libvirt's client in C and go-libvirt (needs root and the lab's packages)
  server      libvirt's clients calling our daemon, beside libvirtd (needs root and the lab's packages)
  load        our daemon under everything at once: what comes back, and whether its memory stays flat
  pool        the buffer pool, beside Node's ways to allocate
  stream      bytes per second through streams, beside bare sockets, and C's client and go-libvirt at a real libvirtd
  report      draws bench/report/ from the results in bench/results/

  --json FILE     writes the result there as JSON
  --full          longer and steadier
  --only A,B      codec: these messages only
  --peers A,B     codec: these peers only (c, js-xdr, json-pack, msgpack, protobufjs, JSON); rpc: likewise (c, go); server: (libvirtd);
                  stream: (bare, libvirtd, c, go, steady)
  --rounds N      codec, rpc, server, stream: so many rounds
  --minutes N     load: for so long (default 1, with --full 30)
  --clock cpu     codec: time of the processors instead of time that passed, for a busy machine
`;

/** Benches that come with the issues about what they measure. */
const later = ["migration", "gateway"];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "string" },
      full: { type: "boolean", default: false },
      only: { type: "string" },
      peers: { type: "string" },
      rounds: { type: "string" },
      minutes: { type: "string" },
      clock: { type: "string", default: "wall" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [name, ...rest] = positionals;
  if (values.help) return console.log(usage);
  if (name === undefined || rest.length > 0) throw new UsageError("one name, please");
  const { clock } = values;
  if (clock !== "wall" && clock !== "cpu") throw new UsageError(`the clock is wall or cpu, not ${clock}`);
  if (later.includes(name)) throw new UsageError(`the bench "${name}" does not exist yet`);

  const list = (text: string | undefined) => text?.split(",");
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  let result: BenchResult | undefined;
  switch (name) {
    case "codec": {
      const { codec } = await import("./codec/codec.ts");
      result = await codec({
        root,
        full: values.full,
        clock,
        rounds,
        only: list(values.only),
        peers: list(values.peers),
      });
      break;
    }
    case "figures": {
      const { figures } = await import("./figures/figures.ts");
      result = await figures(root, values.full);
      break;
    }
    case "rpc": {
      const { rpc } = await import("./rpc/rpc.ts");
      result = await rpc({ root, full: values.full, rounds, peers: list(values.peers) });
      break;
    }
    case "server": {
      const { serverBench } = await import("./server/server.ts");
      result = await serverBench({ root, full: values.full, rounds, peers: list(values.peers) });
      break;
    }
    case "load": {
      const { load } = await import("./load/load.ts");
      const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
      result = await load({ root, full: values.full, minutes });
      break;
    }
    case "pool": {
      const { pool } = await import("./pool/pool.ts");
      result = await pool({ full: values.full, rounds });
      break;
    }
    case "stream": {
      const { stream } = await import("./stream/stream.ts");
      result = await stream({ root, full: values.full, rounds, peers: list(values.peers) });
      break;
    }
    case "report": {
      const { report } = await import("./report/report.ts");
      report(root);
      break;
    }
    default:
      throw new UsageError(`there is no bench "${name}"`);
  }
  if (values.json !== undefined && result !== undefined) save(values.json, result);
}

class UsageError extends Error {}

try {
  await main();
} catch (error) {
  const usageError = error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  console.error(usageError ? `${(error as Error).message}\n\n${usage}` : error);
  process.exitCode = usageError ? 2 : 1;
}
