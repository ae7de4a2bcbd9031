/**
 * Our daemon, in a process of its own, so that it can be profiled alone: `node ours.js PATH`. It says `ready` when it
 * listens at the unix socket; on `memory` it answers bytes of the process and of the heap, after a collection.
 */
import { createInterface } from "node:readline";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createMemoryHypervisor, remoteProgram } from "virtwire/hypervisor";
import { createServer } from "virtwire/server";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const hypervisor = createMemoryHypervisor();
const server = createServer({
  listen: [`unix:${process.argv[2]}`],
  programs: [remoteProgram(hypervisor)],
  limits: { maxClients: 20_000 },
});
await server.listen();
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== "memory") break;
  collect();
  collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  console.log(`${rss} ${heapUsed + external} ${server.clients.served}`);
}
await server.close();
await hypervisor.close();
