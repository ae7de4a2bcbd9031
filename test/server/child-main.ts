/** The process behind ChildDaemon: a server whose handlers do what the load tests need. */
import { createInterface } from "node:readline";
import { sharedPool } from "../../src/buffer/index.ts";
import { remoteDescription } from "../../src/generated/remote/index.ts";
import { createServer, type ListenerOptions, type ServerLimits, serve } from "../../src/server/index.ts";

const { listen, limits } = JSON.parse(process.argv[2] ?? "{}") as {
  listen: readonly (string | ListenerOptions)[];
  limits: ServerLimits;
};
/** The process reads its own size from a file, and may have no descriptor left for that. */
function memory(): { rss: number; heapUsed: number; external: number } {
  try {
    return process.memoryUsage();
  } catch {
    return { rss: 0, heapUsed: 0, external: 0 };
  }
}

const collect = (globalThis as unknown as { gc: () => void }).gc;
const piece = new Uint8Array(262_120);
let errors = 0;
let refused = 0;
let accepted = 0;

const server = createServer({
  listen,
  limits,
  keepAlive: false,
  programs: [
    serve(remoteDescription, {
      authList: (_args, { session }) => {
        accepted = Math.max(accepted, session.id);
        return { types: [0] };
      },
      connectGetLibVersion: () => ({ libVer: 9_000_000n }),
      domainLookupByName: async ({ name }, { signal }) => {
        switch (name) {
          case "throws":
            throw new Error("a mistake");
          case "never":
            await new Promise(() => {});
            break;
          case "patient": // as a good handler does
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
            break;
          case "soon":
            await new Promise((resolve) => setImmediate(resolve));
            break;
        }
        return { dom: { name, uuid: new Uint8Array(16), id: 1 } };
      },
      storageVolDownload: (_args, context) => {
        context.stream(async (out) => {
          for (;;) await out.write(piece);
        });
      },
      storageVolUpload: (_args, context) => {
        context.stream(async (input) => {
          for await (const lease of input) lease.release();
        });
      },
    }),
  ],
  onError: () => {
    errors++;
  },
  onRefused: () => {
    refused++;
  },
});
await server.listen();
console.log(JSON.stringify(server.addresses));

for await (const line of createInterface({ input: process.stdin })) {
  if (line !== "figures") break;
  collect();
  collect();
  const { rss, heapUsed: heap, external } = memory();
  const { user, system } = process.cpuUsage();
  const { served, waiting } = server.clients;
  const { leases } = sharedPool.stats;
  const figures = { rss, heap, external, served, waiting, accepted, leases, cpu: user + system, errors, refused };
  console.log(JSON.stringify(figures));
}
await server.close({ drain: 1000 });
